"""From a completed authorization to a signed-in browser."""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response

from connectors_core.errors import IdentityAlreadyLinked, Step
from connectors_core.flow import Completed
from connectors_core.stores import Identity

from .accounts import new_owner, profile_fields
from .cookies import SESSION
from .errors import HostError
from .host import Host
from .sessions import Session


async def admit(host: Host, completed: Completed, identity: Identity | None) -> str:
    """The owner that ``completed`` proves: known, or new where sign-up is open.

    Of two first sign-ins at once the one whose identity is kept decides whose account it is; the
    account row comes after, so the other leaves nothing behind. Raises HostError: sign_up_closed.
    """
    if identity is None:
        return await _sign_up(host, completed)
    if await host.accounts.find(identity.owner) is None:
        await host.accounts.ensure(identity.owner, completed.profile)
    if host.hub.connector(completed.connector).settings.sync_profile == "sign_in":
        fields = {**identity.profile, **profile_fields(completed.profile)}
        await host.hub.update_identity_profile(identity.id, fields, owner=identity.owner)
        await host.accounts.synchronise(identity.owner, completed.profile)
    return identity.owner


async def _sign_up(host: Host, completed: Completed) -> str:
    if not host.settings.sign_up:
        raise HostError("sign_up_closed", "this person is not known here and sign_up is off")
    owner = new_owner()
    try:
        await host.hub.link(completed, owner=owner, profile=profile_fields(completed.profile))
    except IdentityAlreadyLinked:
        winner = await host.hub.find_identity(completed)
        if winner is None:
            raise HostError("temporarily_unavailable", step=Step.LINKING) from None
        owner = winner.owner
    await host.accounts.ensure(owner, completed.profile)
    return owner


async def enter(host: Host, completed: Completed, *, owner: str, instead_of: Session | None) -> Response:
    """A new session for ``owner``, and the way on. ``instead_of`` ends with it."""
    sid = (completed.tokens.claims or {}).get("sid")
    session = await host.sessions.start(
        owner,
        connector=completed.connector,
        upstream_sid=sid if isinstance(sid, str) else None,
        id_token_hint=completed.tokens.id_token,
        instead_of=instead_of,
    )
    response = RedirectResponse(str(completed.data.get("return_to") or "/"), status_code=302)
    host.cookies.set(response, SESSION, session.id, lifetime=host.sessions.absolute)
    return response
