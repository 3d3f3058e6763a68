"""Where the provider's endpoints are found: Logto's paths."""

from __future__ import annotations

from starlette.routing import BaseRoute, Route

from . import authorize, discovery, end_session, token, userinfo
from .answers import ISSUER_PATH, Endpoint


def routes() -> list[BaseRoute]:
    """Every route of the provider."""
    return [
        _route("/.well-known/openid-configuration", discovery.metadata, "GET"),
        _route("/jwks", discovery.jwks, "GET"),
        _route("/auth", authorize.authorize, "GET", "POST"),
        _route("/token", token.token, "POST"),
        _route("/token/revocation", token.revoke, "POST"),
        _route("/me", userinfo.userinfo, "GET", "POST"),
        _route("/session/end", end_session.end_session, "GET", "POST"),
        _route("/session/end/confirm", end_session.confirmed, "POST"),
    ]


def _route(path: str, endpoint: Endpoint, *methods: str) -> Route:
    """HEAD is none of the methods: most of these do something."""
    route = Route(ISSUER_PATH + path, endpoint, methods=methods)
    route.methods = set(methods)
    return route
