"""A completed authorization that waits for a decision."""

from __future__ import annotations

from typing import Any

from connectors_core.flow import Completed
from connectors_core.profile import IdentityKey, Profile
from connectors_core.tokens import TokenSet
from connectors_core.transaction import Purpose

from .accounts import COLUMNS
from .host import Host
from .sessions import Session

PENDING = "switch"
PENDING_LIFETIME = 600.0
"""Seconds that a person has to decide."""


async def put_pending(host: Host, session: Session, completed: Completed) -> str:
    """Keep ``completed`` for the person of ``session``; return the one-time name."""
    tokens = completed.tokens
    data: dict[str, Any] = {
        "owner": session.owner,
        "connector": completed.connector,
        "issuer": completed.identity.issuer,
        "subject": completed.identity.subject,
        "profile": {name: getattr(completed.profile, name) for name in ("id", *COLUMNS)},
        "id_token": tokens.id_token,
        "sid": (tokens.claims or {}).get("sid"),
        "data": dict(completed.data),
    }
    return await host.hub.put_handle(PENDING, data, lifetime=PENDING_LIFETIME)


async def take_pending(host: Host, session: Session, handle: str) -> Completed | None:
    """What was kept under ``handle`` for the person of ``session``; None when it is gone or another's.

    It comes back without access and refresh tokens, which are not kept.
    """
    kept = await host.hub.take_handle(PENDING, handle)
    if kept is None or kept["owner"] != session.owner:
        return None
    return Completed(
        profile=Profile(**kept["profile"]),
        tokens=TokenSet(access_token="", id_token=kept["id_token"], claims={"sid": kept["sid"]}),
        identity=IdentityKey(kept["issuer"], kept["subject"]),
        connector=kept["connector"],
        purpose=Purpose.SIGN_IN,
        owner=None,
        data=kept["data"],
    )
