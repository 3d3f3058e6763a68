"""Where the APIs are found, under both spellings where there are two."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from . import account as my_account
from . import identities, openapi, token, tokens, verification

Endpoint = Callable[..., Any]


def routes() -> list[BaseRoute]:
    """Every route of the APIs, and that of their description."""
    found = _routes()
    return [*found, openapi.route_for(found)]


def _routes() -> list[BaseRoute]:
    return [
        _route("/token", POST=token.token),
        _route("/continue/{handle}", GET=verification.go_on),
        *(
            route
            for social in ("/api/verification/social", "/api/verifications/social")
            for route in (
                _route(social, POST=verification.create),
                _route(f"{social}/verify", POST=verification.verify),
            )
        ),
        *(
            route
            for account in ("/my-account", "/api/my-account")
            for route in (
                _route(account, DELETE=my_account.delete),
                _route(f"{account}/export", GET=my_account.export),
                _route(f"{account}/sessions", GET=my_account.sessions, DELETE=my_account.end_sessions),
                _route(f"{account}/sessions/{{id}}", GET=my_account.session, DELETE=my_account.end_session),
                _route(f"{account}/identities", GET=identities.listed, POST=identities.link),
                _route(f"{account}/identities/{{target}}", DELETE=identities.unlink),
                _route(
                    f"{account}/identities/{{target}}/access-token",
                    GET=tokens.read,
                    PATCH=tokens.update,
                    PUT=tokens.update,
                ),
            )
        ),
        _route("/api/users/{owner}/identities/{target}/access-token", GET=tokens.read_for_app),
    ]


def _route(path: str, **endpoints: Endpoint) -> Route:
    """One path with an endpoint a method; HEAD is none, for reading a token is an act."""

    async def dispatch(request: Request) -> Response:
        answer: Response = await endpoints[request.method](request)
        return answer

    route = Route(path, dispatch, methods=list(endpoints))
    route.methods = set(endpoints)
    return route
