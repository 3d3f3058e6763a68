"""A completed authorization that waits for a decision."""

from __future__ import annotations

from dataclasses import dataclass, replace

from connectors_core.flow import Completed
from connectors_core.transaction import Purpose

from .api import completed_json
from .host import Host

PENDING = "pending"
PENDING_LIFETIME = 600.0
"""Seconds that a person has to decide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """What waits, and until when (seconds since the epoch)."""

    completed: Completed
    until: float


async def put_pending(
    host: Host, completed: Completed, *, owner: str | None, until: float | None = None
) -> str:
    """Keep ``completed`` sealed, for ``owner`` or for whoever brings the one-time name; return that."""
    now = host.clock()
    until = now + PENDING_LIFETIME if until is None else until
    data = {
        "owner": owner,
        "until": until,
        "completed": completed_json.written(completed),
        "raw": dict(completed.profile.raw),
        "data": dict(completed.data),
    }
    return await host.hub.put_handle(PENDING, data, lifetime=until - now)


async def take_pending(host: Host, handle: str, *, owner: str | None) -> Pending | None:
    """What was kept under ``handle`` for ``owner``, once; None when it is gone or another's."""
    kept = await host.hub.take_handle(PENDING, handle) if handle else None
    if kept is None or kept["owner"] != owner:
        return None
    completed = completed_json.read(kept["completed"], purpose=Purpose.SIGN_IN)
    profile = replace(completed.profile, raw=kept["raw"])
    return Pending(completed=replace(completed, profile=profile, data=kept["data"]), until=kept["until"])
