"""The answers to "is this you?"."""

from __future__ import annotations

import hmac

from starlette.requests import Request
from starlette.responses import Response

from ..admission import onward, recognise, sign_up, start_session
from ..cookies import PENDING
from ..csrf import require_own_form
from ..errors import HostError
from ..forms import read_form
from ..host import Host
from ..linking import link_to, require_recent
from ..origins import is_foreign
from ..pending import Pending, take_pending
from ..sessions import Session
from ..unkept import abandon, kept_or_abandoned


async def linking(request: Request) -> Response:
    """``POST /linking``: signed in, link what waits or leave it; otherwise, begin an account of its own."""
    host, session = Host.of(request), await Host.of(request).session(request)
    fields = await read_form(request)
    if session is None:
        return await _new(request, host, fields)
    require_own_form(request, host, session, fields)
    choice = fields.get("choice")
    if choice not in ("link", "skip"):
        raise HostError("invalid_request", "the choice is neither link nor skip")
    if choice == "link":
        require_recent(host, session)
    waiting = await _taken(host, fields.get("handle", ""), session)
    if choice == "skip":
        await abandon(host, waiting.completed)
    else:
        async with kept_or_abandoned(host, waiting.completed):
            await link_to(host, waiting.completed, session.owner)
    return onward(host, waiting.completed, status=303)


async def _new(request: Request, host: Host, fields: dict[str, str]) -> Response:
    """There is no session yet that could own the form: the cookie that came with the page does."""
    handle = fields.get("handle", "")
    kept = host.cookies.get(request, PENDING) or ""
    same = bool(handle) and hmac.compare_digest(handle.encode(), kept.encode())
    if not same or is_foreign(request, host.settings.base_url):
        raise HostError("csrf_failed", "the form belongs to another browser or page")
    if fields.get("choice") != "new":
        raise HostError("unauthenticated", headers={"WWW-Authenticate": "Session"})
    waiting = await _taken(host, handle, None)
    completed = waiting.completed
    async with kept_or_abandoned(host, completed):
        host.sign_in_connector(completed.connector)
        identity = await host.hub.find_identity(completed)
        if identity is not None:
            owner = await recognise(host, completed, identity)
        else:
            owner = await sign_up(host, completed)
        session = await start_session(host, completed, owner=owner, authenticated_at=waiting.since)
    response = onward(host, completed, session, status=303)
    host.cookies.clear(response, PENDING)
    return response


async def _taken(host: Host, handle: str, session: Session | None) -> Pending:
    waiting = await take_pending(host, handle, owner=session.owner if session else None)
    if waiting is None:
        raise HostError("transaction_expired", "there is nothing left to decide")
    return waiting
