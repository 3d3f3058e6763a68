"""``/oidc/me``: who signed in, for the application's access token. OpenID Connect Core §5.3."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..api.caller import calling
from ..errors import HostError
from ..host import Host
from . import scopes


async def userinfo(request: Request) -> Response:
    """The claims of the token's scopes. ``identities`` gives the linked accounts, as Logto does."""
    host = Host.of(request)
    if "authorization" not in request.headers:
        raise HostError("unauthenticated", headers={"WWW-Authenticate": "Bearer"})
    caller = await calling(request, scopes.OPENID)
    account = await host.accounts.find(caller.owner)
    if account is None:
        challenge = 'Bearer error="invalid_token"'
        raise HostError("unauthenticated", headers={"WWW-Authenticate": challenge})
    claims = scopes.claims_for(caller.scopes, account.claims())
    if scopes.IDENTITIES in caller.scopes:
        claims["identities"] = {
            identity.target: _described(identity.key.subject, identity.profile)
            for identity in await host.hub.identities(caller.owner)
        }
    return JSONResponse(claims)


def _described(subject: str, profile: Any) -> dict[str, Any]:
    return {"userId": subject, "details": {"id": subject, **profile}}
