"""Google One Tap: a prompt on the sign-in page, tied to this host and to the browser that it is shown in."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request

from connectors_core.connector import OneTap, PromptsOneTap
from connectors_core.hub import ConnectorEntry

from .cookies import TRANSACTION
from .host import Host
from .sealing import hashed, new_value

KIND = "one_tap"
"""The kind of handle that a prompt's nonce is."""
LIFETIME = 600.0
"""Seconds that a prompt counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A prompt to be shown, and the value of the transaction cookie that it belongs to."""

    one_tap: OneTap
    binding: str = field(repr=False)


async def prompt_of(request: Request, host: Host, return_to: str | None) -> Prompt | None:
    """The prompt for the sign-in page: that of the first connector which has One Tap on.

    Its nonce is the one-time name of what the host remembers of it; it is worth nothing in another browser.
    """
    for entry in host.sign_in_connectors():
        if one_tap_at(host, entry, nonce="") is None:
            continue
        binding = host.cookies.get(request, TRANSACTION) or new_value()
        kept = {"connector": entry.id, "binding": _named(binding), "return_to": return_to or "/"}
        nonce = await host.hub.put_handle(KIND, kept, lifetime=LIFETIME)
        shown = one_tap_at(host, entry, nonce=nonce)
        return Prompt(one_tap=shown, binding=binding) if shown else None
    return None


def one_tap_at(host: Host, entry: ConnectorEntry, *, nonce: str) -> OneTap | None:
    """What shows the prompt of ``entry``; None where One Tap is off, or is nothing of its provider's."""
    if not isinstance(entry.connector, PromptsOneTap):
        return None
    return entry.connector.one_tap(login_uri=f"{host.settings.base_url}/one-tap/{entry.id}", nonce=nonce)


def nonce_of(credential: str) -> str:
    """The nonce that a credential says it has, "" where it says none; nothing of it is verified."""
    try:
        payload = credential.split(".")[1]
        claims = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError, RecursionError):
        return ""
    nonce = claims.get("nonce") if isinstance(claims, dict) else None
    return nonce if isinstance(nonce, str) and nonce.isascii() else ""


async def take_prompt(
    request: Request, host: Host, entry: ConnectorEntry, nonce: str
) -> Mapping[str, Any] | None:
    """What was remembered of the prompt with ``nonce``, once; None where it was another's, or is over."""
    kept = await host.hub.take_handle(KIND, nonce)
    binding = _named(host.cookies.get(request, TRANSACTION) or "")
    if kept is None or kept["connector"] != entry.id or not hmac.compare_digest(kept["binding"], binding):
        return None
    return kept


def _named(binding: str) -> str:
    return hashed(KIND, binding).hex()
