"""What every answer carries, and what every request must: pure ASGI middleware."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .origins import names

HSTS = "max-age=31536000"
"""A year, in seconds. RFC 6797 §6.1.1."""

CACHED = ("/static/", "/logo/", "/openapi.json")
"""Files that are the same for everybody; everything else is never stored."""

FILE_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"


def content_security_policy(
    *,
    images: Iterable[str] = (),
    form_action: Iterable[str] = (),
    sources: Mapping[str, str] | None = None,
) -> str:
    """The policy of the host's pages: own style sheets and pictures, no script, nothing inline, no frames.

    ``images`` are further origins of pictures. ``form_action`` are further origins that the answer
    to a form may redirect to: browsers hold redirects against ``form-action`` too (CSP 3 §6.4.1).
    ``sources`` are what one page needs besides, by directive.
    """
    directives = {
        "default-src": ["'none'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", *sorted(set(images))],
        "form-action": ["'self'", *sorted(set(form_action))],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
    for name, source in (sources or {}).items():
        directives.setdefault(name, []).append(source)
    return "; ".join(f"{name} {' '.join(values)}" for name, values in directives.items())


class OwnHost:
    """Hands requests for another Host than the configured one to ``refuse``. RFC 9110 §15.5.20.

    Redirect URIs and the origin check hang on one name; a second one (DNS rebinding, a stray virtual
    host) must not reach any page.
    """

    def __init__(self, app: ASGIApp, *, base_url: str, refuse: ASGIApp) -> None:
        self.app = app
        self.base_url = base_url
        self.refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            hosts = Headers(scope=scope).getlist("host")
            if len(hosts) != 1 or not names(hosts[0], self.base_url):
                await self.refuse(scope, receive, send)
                return
        await self.app(scope, receive, send)


class SecurityHeaders:
    """Adds the security headers to every answer, those of errors included.

    A page that needs a policy of its own has set it before.
    """

    def __init__(self, app: ASGIApp, *, policy: str, https: bool) -> None:
        self.app = app
        self.policy = policy
        self.https = https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path: str = scope["path"]

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Content-Type-Options"] = "nosniff"
                if path.startswith(CACHED) and message["status"] in (200, 304):
                    headers["Content-Security-Policy"] = FILE_POLICY
                    headers.setdefault("Cache-Control", "public, max-age=3600")
                else:
                    headers.setdefault("Content-Security-Policy", self.policy)
                    headers["Cache-Control"] = "no-store"
                if path.startswith(("/callback/", "/oidc/")):
                    headers["Referrer-Policy"] = "no-referrer"
                if path.endswith("/access-token"):
                    headers["Cross-Origin-Resource-Policy"] = "same-origin"
                if self.https:
                    headers["Strict-Transport-Security"] = HSTS
            await send(message)

        await self.app(scope, receive, with_headers)
