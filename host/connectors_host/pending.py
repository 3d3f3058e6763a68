"""A completed authorization that waits for a decision."""

from __future__ import annotations

from dataclasses import dataclass, replace

from connectors_core.flow import Completed
from connectors_core.transaction import Purpose

from .api import completed_json
from .host import Host
from .sealing import kind_for
from .unkept import abandon

PENDING = "pending"
PENDING_LIFETIME = 600.0
"""Seconds that a person has to decide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """What waits, since when, and until when (seconds since the epoch)."""

    completed: Completed
    since: float
    until: float


async def put_pending(
    host: Host, completed: Completed, *, owner: str | None, before: Pending | None = None
) -> str:
    """Keep ``completed`` sealed, for ``owner`` or for whoever brings the one-time name; return that.

    ``before``: it waited already, and waits no longer for it. What nobody decides is revoked then.
    """
    now = host.clock()
    since, until = (before.since, before.until) if before else (now, now + PENDING_LIFETIME)
    if before is None:
        await abandon(host, completed, after=PENDING_LIFETIME)
    data = {
        "since": since,
        "until": until,
        "completed": completed_json.written(completed),
        "raw": dict(completed.profile.raw),
        "data": dict(completed.data),
    }
    return await host.hub.put_handle(_kind(owner), data, lifetime=until - now)


async def take_pending(host: Host, handle: str, *, owner: str | None) -> Pending | None:
    """What was kept under ``handle`` for ``owner``, once; None when it is gone or another's, who keeps it."""
    kept = await host.hub.take_handle(_kind(owner), handle) if handle else None
    if kept is None:
        return None
    completed = completed_json.read(kept["completed"], purpose=Purpose.SIGN_IN)
    profile = replace(completed.profile, raw=kept["raw"])
    completed = replace(completed, profile=profile, data=kept["data"])
    return Pending(completed=completed, since=kept["since"], until=kept["until"])


def _kind(owner: str | None) -> str:
    return PENDING if owner is None else kind_for(PENDING, owner)
