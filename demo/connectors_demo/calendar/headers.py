"""What every page carries: no script but our own, no frame, no store."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Headers:
    """``leads_to``: origins that our forms may redirect to (CSP 3 §6.4.1)."""

    def __init__(self, app: ASGIApp, *, leads_to: tuple[str, ...], images: str) -> None:
        self.app = app
        policy = {
            "default-src": "'none'",
            "style-src": "'self'",
            "script-src": "'self'",
            "img-src": f"'self' {images}",
            "form-action": " ".join(("'self'", *leads_to)),
            "base-uri": "'none'",
            "frame-ancestors": "'none'",
        }
        self.fields = {
            "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin",
            "Cache-Control": "no-store",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self.fields)
            await send(message)

        await self.app(scope, receive, with_headers if scope["type"] == "http" else send)
