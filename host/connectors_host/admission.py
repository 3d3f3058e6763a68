"""From a completed authorization to a signed-in browser."""

from __future__ import annotations

import logging
from dataclasses import replace

from starlette.responses import RedirectResponse, Response

from connectors_core.errors import IdentityAlreadyLinked, Step, VaultError
from connectors_core.flow import Completed
from connectors_core.stores import Identity

from .accounts import new_owner
from .audit import acting
from .cookies import SESSION
from .errors import HostError
from .following import followed
from .hookspecs import Action
from .host import Host
from .linking import keep_identity, kept_fields
from .plugins import event_of
from .sessions import Session, Upstream

log = logging.getLogger("connectors_host")


async def recognise(host: Host, completed: Completed, identity: Identity) -> str:
    """The owner of a known identity; its profile and tokens follow what ``completed`` brought.

    Raises HostError where a plugin refuses, or the identity was taken away meanwhile.
    """
    owner, entry = identity.owner, host.hub.connector(completed.connector)
    admitted = await host.plugins.admit(
        event_of(completed, Action.SIGN_IN, target=identity.target, owner=owner)
    )
    profile = replace(completed.profile, **admitted.fields)
    await _ensure_account(host, replace(completed, profile=profile), owner)
    if entry.settings.sync_profile == "sign_in":
        before = followed(identity, await host.hub.identities(owner))
        await host.accounts.synchronise(owner, profile, before=before)
        fields = kept_fields(host, replace(completed, profile=profile), before=identity.profile)
        await host.hub.update_identity_profile(identity.id, fields, owner=owner)
    try:
        await host.hub.save_tokens(completed, identity)
    except VaultError as error:
        log.warning("tokens of connector %s are not stored: %s", completed.connector, error.code)
    return owner


async def sign_up(host: Host, completed: Completed) -> str:
    """The owner of a new account for an identity that nobody has.

    Of two first sign-ins at once the one whose identity is kept decides whose account it is; the
    account row comes after, so the other leaves nothing behind. Raises HostError: sign_up_closed,
    or where a plugin refuses; what ``recognise`` raises of an identity that was taken away.
    """
    entry = host.hub.connector(completed.connector)
    admitted = await host.plugins.admit(event_of(completed, Action.SIGN_UP, target=entry.target, owner=None))
    owner = admitted.owner or new_owner()
    if not host.settings.sign_up and await host.accounts.find(owner) is None:
        raise HostError("sign_up_closed", "this person is not known here and sign_up is off")
    completed = replace(completed, profile=replace(completed.profile, **admitted.fields))
    try:
        await keep_identity(host, completed, owner)
    except IdentityAlreadyLinked:
        winner = await host.hub.find_identity(completed)
        if winner is None:
            raise HostError("temporarily_unavailable", step=Step.LINKING) from None
        owner = winner.owner
    await _ensure_account(host, completed, owner)
    return owner


async def start_session(
    host: Host,
    completed: Completed,
    *,
    owner: str,
    instead_of: Session | None = None,
    authenticated_at: float | None = None,
) -> Session:
    """A new session for ``owner`` by what ``completed`` brought; ``instead_of`` ends with it.

    Whoever unlinks the identity ends its sessions afterwards, so the identity is looked at after the
    session is there: one of both sees the other. Raises HostError (transaction_expired) where it is gone.
    """
    session = await host.sessions.start(
        owner,
        connector=completed.connector,
        upstream=Upstream.of(completed.tokens.claims or {}),
        id_token_hint=completed.tokens.id_token,
        instead_of=instead_of,
        authenticated_at=authenticated_at,
    )
    if not await _still_of(host, completed, owner):
        await host.sessions.end(session.id)
        raise _taken_away()
    acting(f"session:{session.handle}")
    host.tell("sign_in.completed", owner=owner, entry=host.hub.connector(completed.connector))
    return session


async def _ensure_account(host: Host, completed: Completed, owner: str) -> None:
    """Make the account of ``owner`` if there is none, but not for an identity that was taken away.

    A deletion unlinks before it removes the account, so what is made again after it is seen here.
    """
    made = await host.accounts.ensure(owner, completed.profile)
    if await _still_of(host, completed, owner):
        if made:
            host.tell("account.created", owner=owner, entry=host.hub.connector(completed.connector))
        return
    if made and not await host.hub.identities(owner):
        await host.accounts.remove(owner)
    raise _taken_away()


async def _still_of(host: Host, completed: Completed, owner: str) -> bool:
    identity = await host.hub.find_identity(completed)
    return identity is not None and identity.owner == owner


def _taken_away() -> HostError:
    return HostError("transaction_expired", "the identity was unlinked meanwhile", step=Step.LINKING)


def onward(
    host: Host, completed: Completed, session: Session | None = None, *, status: int = 302
) -> Response:
    """To where the person wanted to go, with the cookie of a new ``session``."""
    response = RedirectResponse(str(completed.data.get("return_to") or "/"), status_code=status)
    if session is not None:
        host.cookies.set(response, SESSION, session.id, lifetime=host.sessions.absolute)
    return response
