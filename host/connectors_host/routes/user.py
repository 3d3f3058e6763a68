"""Who is signed in, for programs."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..api.caller import bearer
from ..extra_claims import claims_of
from ..host import Host
from ..oidc.scopes import claims_for


async def user(request: Request) -> Response:
    """``GET /user``. A request with ``Authorization`` is answered for its token, never for its cookie."""
    host = Host.of(request)
    if "authorization" in request.headers:
        caller = await bearer(request)
        allowed = caller is not None and "profile" in caller.scopes
        account = await host.accounts.find(caller.owner) if caller and allowed else None
        if caller is None or account is None:
            return JSONResponse({"isAuthenticated": False}, headers={"Vary": "Authorization, Cookie"})
        claims = account.claims()
        said = claims_for(caller.scopes, claims) if caller.app else await claims_of(host, account)
        return JSONResponse(
            {"isAuthenticated": True, "claims": said}, headers={"Vary": "Authorization, Cookie"}
        )
    signed_in = await host.signed_in(request)
    if signed_in is None:
        return JSONResponse({"isAuthenticated": False}, headers={"Vary": "Authorization, Cookie"})
    session, account = signed_in
    return JSONResponse(
        {"isAuthenticated": True, "claims": await claims_of(host, account), "csrfToken": session.csrf_token},
        headers={"Vary": "Authorization, Cookie"},
    )
