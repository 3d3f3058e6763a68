"""``POST /token``: a session, for programs that cannot bring its cookie."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..errors import HostError
from ..host import Host
from .bearer import SCOPES
from .bodies import optional_text, read_json
from .caller import browser


async def token(request: Request) -> Response:
    """``{scope?}``, by default ``profile``. For the cookie alone: no token brings forth another."""
    caller = await browser(request)
    scope = optional_text(await read_json(request), "scope")
    asked = frozenset((scope or "profile").split(" "))
    if not asked <= frozenset(SCOPES):
        raise HostError("invalid_scope", f"the scopes are {' '.join(SCOPES)}")
    issued = await Host.of(request).bearers.issue(caller.session, asked)
    return JSONResponse(
        {"access_token": issued.access_token, "token_type": "Bearer", "expires_in": issued.expires_in}
    )
