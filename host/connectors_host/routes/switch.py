"""The answer to "which account do you want to use?"."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ..admission import onward
from ..csrf import require_own_form
from ..errors import HostError
from ..forms import read_form
from ..host import Host
from ..pending import take_pending
from ..unkept import abandon
from .arrival import arrive


async def switch(request: Request) -> Response:
    """``POST /switch``: stay as you are, or sign out and continue as the other."""
    host = Host.of(request)
    session = await host.session(request)
    if session is None:
        raise HostError("unauthenticated", headers={"WWW-Authenticate": "Session"})
    fields = await read_form(request)
    require_own_form(request, host, session, fields)
    choice = fields.get("choice")
    if choice not in ("stay", "switch"):
        raise HostError("invalid_request", "the choice is neither stay nor switch")
    waiting = await take_pending(host, fields.get("handle", ""), owner=session.owner)
    if waiting is None:
        raise HostError("transaction_expired", "there is nothing left to decide")
    completed = waiting.completed
    if choice == "stay":
        await abandon(host, completed)
        return onward(host, completed, status=303)
    host.sign_in_connector(completed.connector)
    response = await arrive(request, host, completed, instead_of=session, before=waiting)
    if response.status_code == 302:
        response.status_code = 303
    return response
