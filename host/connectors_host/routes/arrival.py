"""Somebody is back from the provider: known, new, or perhaps not so new."""

from __future__ import annotations

from typing import cast

from starlette.requests import Request
from starlette.responses import Response

from connectors_core.flow import Completed

from ..admission import onward, recognise, sign_up, start_session
from ..answers import wants_page
from ..cookies import PENDING, SESSION
from ..errors import HostError
from ..host import Host
from ..linking import decide, link_to, matches
from ..pages import Pages, name_in
from ..pending import PENDING_LIFETIME, Pending, put_pending, take_pending
from ..sessions import Session
from ..unkept import abandon, kept_or_abandoned
from .sign_in import buttons_of


async def arrive(
    request: Request,
    host: Host,
    completed: Completed,
    *,
    instead_of: Session | None,
    before: Pending | None = None,
) -> Response:
    """Sign in, sign up, or ask first; ``instead_of`` ends in any case. ``before``: the person had to decide.

    What is granted is kept, waits for a decision, or is abandoned.
    """
    async with kept_or_abandoned(host, completed):
        return await _arrive(request, host, completed, instead_of, before)


async def _arrive(
    request: Request,
    host: Host,
    completed: Completed,
    instead_of: Session | None,
    before: Pending | None,
) -> Response:
    identity = await host.hub.find_identity(completed)
    if identity is not None:
        owner = await recognise(host, completed, identity)
    else:
        decision = await decide(host, completed)
        if decision.ask:
            return await _ask_for_proof(request, host, completed, instead_of, before)
        if decision.owner is not None:
            owner = (await link_to(host, completed, decision.owner)).owner
        else:
            owner = await sign_up(host, completed)
    session = await start_session(
        host,
        completed,
        owner=owner,
        instead_of=instead_of,
        authenticated_at=before.since if before else None,
    )
    waiting = await take_waiting(request, host, owner)
    if waiting is not None:
        return await _ask_to_link(request, host, session, waiting)
    response = onward(host, completed, session)
    if host.cookies.get(request, PENDING):
        host.cookies.clear(response, PENDING)
    return response


async def take_waiting(request: Request, host: Host, owner: str) -> Pending | None:
    """What this browser has waiting for the account of ``owner``, if there is anything."""
    waiting = await take_pending(host, host.cookies.get(request, PENDING) or "", owner=None)
    if waiting is None:
        return None
    account = await host.accounts.find(owner)
    theirs = account is not None and matches(account, waiting.completed.profile)
    if theirs and await host.hub.find_identity(waiting.completed) is None:
        return waiting
    await abandon(host, waiting.completed)
    return None


async def _ask_for_proof(
    request: Request,
    host: Host,
    completed: Completed,
    instead_of: Session | None,
    before: Pending | None,
) -> Response:
    """Keep what came, and ask for the way in that was used before; say of no account that it exists."""
    if instead_of is not None:
        await host.sessions.end(instead_of.id)
    if not wants_page(request):
        raise HostError("linking_required")
    entry = host.hub.connector(completed.connector)
    handle = await put_pending(host, completed, owner=None, before=before)
    return_to = str(completed.data.get("return_to") or "/")
    response = cast("Pages", request.app.state.pages).render(
        request,
        "linking.html",
        status=409,
        provider=name_in(request, entry.name, entry.id),
        buttons=buttons_of(request, host, return_to),
        handle=handle,
        sign_up_open=host.settings.sign_up,
    )
    lifetime = before.until - host.clock() if before else PENDING_LIFETIME
    host.cookies.set(response, PENDING, handle, lifetime=lifetime)
    if instead_of is not None:
        host.cookies.clear(response, SESSION)
    return response


async def _ask_to_link(request: Request, host: Host, session: Session, waiting: Pending) -> Response:
    completed = waiting.completed
    entry = host.hub.connector(completed.connector)
    account = await host.accounts.find(session.owner)
    handle = await put_pending(host, completed, owner=session.owner, before=waiting)
    profile = completed.profile
    response = cast("Pages", request.app.state.pages).render(
        request,
        "link_question.html",
        provider=name_in(request, entry.name, entry.id),
        current=account.label if account else session.owner,
        current_email=account.email if account else None,
        other=profile.name or profile.email or profile.id,
        other_email=profile.email,
        handle=handle,
        csrf_token=session.csrf_token,
    )
    host.cookies.set(response, SESSION, session.id, lifetime=host.sessions.absolute)
    host.cookies.clear(response, PENDING)
    return response
