"""Pages of applications on origins of their own: CORS, without credentials. Fetch standard §3.2."""

from __future__ import annotations

from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

FOR_BEARERS = (
    *("/my-account", "/api/my-account", "/api/verification", "/api/verifications", "/user"),
    *("/oidc/.well-known", "/oidc/jwks", "/oidc/token", "/oidc/me"),
)
"""Where an application's page calls with a bearer token, or for one; nothing else is open to it."""
METHODS = "GET, POST, PUT, PATCH, DELETE"
HEADERS = "Authorization, Content-Type, logto-verification-id"
EXPOSED = "WWW-Authenticate, Retry-After"
MAX_AGE = 600
"""Seconds for which a browser need not ask again."""


class CrossOrigin:
    """Lets pages on ``origins`` read the answers of the APIs.

    No answer allows credentials, so a browser neither sends the session cookie nor shows what it
    would have opened: these pages have their bearer token alone.
    """

    def __init__(self, app: ASGIApp, *, origins: Collection[str]) -> None:
        self.app = app
        self.origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self.origins or not _for_bearers(scope["path"]):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin", "")
        allowed = {"Access-Control-Allow-Origin": origin} if origin in self.origins else {}

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                answered = MutableHeaders(scope=message)
                answered.add_vary_header("Origin")
                if allowed:
                    answered.update({**allowed, "Access-Control-Expose-Headers": EXPOSED})
            await send(message)

        if allowed and scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            preflight = {
                "Access-Control-Allow-Methods": METHODS,
                "Access-Control-Allow-Headers": HEADERS,
                "Access-Control-Max-Age": str(MAX_AGE),
            }
            await Response(status_code=204, headers=preflight)(scope, receive, with_headers)
            return
        await self.app(scope, receive, with_headers)


def _for_bearers(path: str) -> bool:
    return any(path == prefix or path.startswith(f"{prefix}/") for prefix in FOR_BEARERS)
