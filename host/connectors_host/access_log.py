"""One line for each request: method, path without query, status, milliseconds.

Of a path that holds a one-time handle there is only the beginning.
"""

from __future__ import annotations

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("connectors_host.access")

WITH_HANDLE = "/continue/"


class AccessLog:
    """Logs requests at INFO. The query is left out: callbacks carry codes and states in it.

    uvicorn's own access log, which is on unless ``connectors serve`` runs it, reads the query from
    its scope when the answer begins. So the application gets a copy, and the original loses it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        inner = dict(scope)
        scope["query_string"] = b""
        began = time.perf_counter()
        status = 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(inner, receive, watched)
        finally:
            elapsed = (time.perf_counter() - began) * 1000
            log.info("%s %s %d %.1fms", inner["method"], _path(inner), status, elapsed)


def _path(scope: Scope) -> str:
    """The path as it was sent, so that an encoded line break stays encoded."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    if scope["path"].startswith(WITH_HANDLE):
        return WITH_HANDLE
    return raw.partition(b"?")[0].decode("ascii", "backslashreplace")
