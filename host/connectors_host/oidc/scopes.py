"""What the scopes of applications give: claims about the person, and the APIs of this host."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from .grant import OFFLINE

OPENID = "openid"
IDENTITIES = "identities"
EMAIL = ("email", "email_verified")
PHONE = ("phone_number", "phone_number_verified")
APIS = (IDENTITIES, "tokens", "verification")
"""Scopes of the host's APIs; an application of the file gets those that it asks for."""
SUPPORTED = (OPENID, OFFLINE, "profile", "email", "phone", *APIS)


def understood(scope: str) -> tuple[str, ...]:
    """Those of ``scope`` that are known here, in order, each once. Core §3.1.2.1: others are ignored."""
    return tuple(name for name in dict.fromkeys(scope.split(" ")) if name in SUPPORTED)


def claims_for(scopes: Collection[str], said: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the person's claims that ``scopes`` open: ``profile`` all that is no address. Core §5.4."""
    opened = {"sub": said["sub"]}
    for name, value in said.items():
        scope = "email" if name in EMAIL else "phone" if name in PHONE else "profile"
        if scope in scopes:
            opened[name] = value
    return opened
