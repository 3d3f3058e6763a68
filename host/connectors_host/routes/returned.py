"""Back from the provider for something that was begun at ``/account``."""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response

from connectors_core.errors import Step
from connectors_core.flow import Completed
from connectors_core.transaction import Purpose

from ..errors import HostError
from ..host import Host
from ..linking import link_to, require_recent
from ..sessions import Session
from ..unkept import kept_or_abandoned

ACCOUNT = "account"
"""Member of a transaction's data: what was begun at ``/account``."""


async def returned(host: Host, completed: Completed, session: Session) -> Response:
    """Link, or renew the grant of an identity; ``complete`` has held the session to who began."""
    async with kept_or_abandoned(host, completed):
        return await _returned(host, completed, session)


async def _returned(host: Host, completed: Completed, session: Session) -> Response:
    owner = completed.owner
    if owner is None:
        raise HostError("invalid_request", "this authorization was begun for nobody")
    if completed.purpose is Purpose.LINK:
        require_recent(host, session)
        await link_to(host, completed, owner)
        return RedirectResponse("/account?done=linked", status_code=302)
    identity = await host.hub.find_identity(completed)
    if identity is None or identity.owner != owner or identity.id != completed.data[ACCOUNT]:
        raise HostError(
            "verification_mismatch", "another account answered than the one that was asked", step=Step.LINKING
        )
    await host.hub.save_tokens(completed, identity)
    return RedirectResponse("/account?done=reconnected", status_code=302)
