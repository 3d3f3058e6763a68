"""An ASGI application on a socket, for as long as a block runs."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from connectors_host.server import configured
from starlette.applications import Starlette

GRACE = 3
"""Seconds that requests under way have to finish."""


class StartFailed(Exception):
    """The application cannot start."""


class _Server(uvicorn.Server):
    """Tells when it is up, and leaves signals to whoever runs several."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self.up.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving(app: Starlette, listener: socket.socket) -> AsyncIterator[None]:
    """Raises StartFailed."""
    server = _Server(configured(app, grace=GRACE))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    up = asyncio.create_task(server.up.wait())
    await asyncio.wait({up, task}, return_when=asyncio.FIRST_COMPLETED)
    if not up.done():
        up.cancel()
        raise StartFailed(getattr(app.state, "startup_error", "the application cannot start"))
    try:
        yield
    finally:
        server.should_exit = True
        await task
