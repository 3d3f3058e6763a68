"""The answer to "which account do you want to use?"."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ..admission import admit, enter
from ..csrf import require_own_form
from ..errors import HostError
from ..forms import read_form
from ..host import Host
from ..pending import take_pending


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
    completed = await take_pending(host, session, fields.get("handle", ""))
    if completed is None:
        raise HostError("transaction_expired", "there is nothing left to decide")
    if choice == "stay":
        return RedirectResponse(str(completed.data.get("return_to") or "/"), status_code=303)
    host.sign_in_connector(completed.connector)
    owner = await admit(host, completed, await host.hub.find_identity(completed))
    response = await enter(host, completed, owner=owner, instead_of=session)
    response.status_code = 303
    return response
