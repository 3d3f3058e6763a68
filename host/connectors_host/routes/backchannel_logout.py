"""Word from a provider that it ended a session. OpenID Connect Back-Channel Logout 1.0 §2.5, §2.8."""

from __future__ import annotations

import logging

from starlette.requests import Request
from starlette.responses import Response

from connectors_core.connector import ReceivesLogout
from connectors_core.errors import ConnectorError, LogoutTokenRejected, NotFound

from ..audit import acting
from ..errors import HostError
from ..forms import read_form
from ..host import Host

log = logging.getLogger("connectors_host")


async def backchannel_logout(request: Request) -> Response:
    """``POST /backchannel-logout/{connector_id}`` ``logout_token``: 200, or 400 where nobody was signed out.

    What was signed in here at that connector ends, and every bearer token of it. A token that names
    nobody who is signed in is a success too.
    """
    host = Host.of(request)
    entry = host.connector(request.path_params["connector_id"])
    if not isinstance(entry.connector, ReceivesLogout):
        raise NotFound("there is no connector of that id")
    try:
        fields = await read_form(request)
        token = await host.hub.verify_logout_token(entry.id, fields.get("logout_token", ""))
        ended = await host.logouts.end(entry.id, token)
        if ended is None:
            raise LogoutTokenRejected("jti", expected="one that was not used", actual="one that was")
    except HostError as error:
        raise HostError("invalid_request", str(error)) from None
    except LogoutTokenRejected as error:
        host.tell("logout.refused", entry=entry, code=error.code)
        raise
    except ConnectorError as error:
        log.warning("connector %s: nobody is signed out: %s", entry.id, error.code)
        raise HostError("invalid_request", f"the logout failed: {error.code}") from None
    acting("provider")
    for owner in sorted(set(ended)):
        host.tell("logout.received", owner=owner, entry=entry)
    return Response(status_code=200)
