"""Who is signed in, for programs."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..host import Host


async def user(request: Request) -> Response:
    """``GET /user``. A request with ``Authorization`` is not answered for its cookie."""
    signed_in = None if "authorization" in request.headers else await Host.of(request).signed_in(request)
    if signed_in is None:
        return JSONResponse({"isAuthenticated": False}, headers={"Vary": "Cookie"})
    session, account = signed_in
    return JSONResponse(
        {"isAuthenticated": True, "claims": account.claims(), "csrfToken": session.csrf_token},
        headers={"Vary": "Cookie"},
    )
