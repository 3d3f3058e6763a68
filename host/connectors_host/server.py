"""Running the application: uvicorn, quiet about requests, loud about being ready."""

from __future__ import annotations

import logging
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import uvicorn
from starlette.applications import Starlette

from .console import complain, tell

GRACE = 10
"""Seconds that requests under way have to finish when the server is told to stop."""


class Server(uvicorn.Server):
    """Tells ``announcement`` once connections are accepted; ends without raising on a signal."""

    def __init__(self, config: uvicorn.Config, announcement: str) -> None:
        super().__init__(config)
        self._announcement = announcement

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            tell(self._announcement)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn's own raises the signal again afterwards, which would skip our callers' clean-up."""
        kept = {name: signal.signal(name, self.handle_exit) for name in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for name, handler in kept.items():
                signal.signal(name, handler)


def listen(host: str, port: int) -> socket.socket:
    """A socket on that address, port 0 any free one. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family)


def address(listener: socket.socket) -> str:
    """The URL of a listening socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def configure_logging() -> None:
    """Our own loggers to standard error, others from WARNING on.

    uvicorn's stays silent while starting: its traceback says no more than our one line does.
    """
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    for name in ("connectors_host", "connectors_core"):
        logging.getLogger(name).setLevel(logging.INFO)
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)


def configured(app: Starlette, *, grace: int = GRACE) -> uvicorn.Config:
    """How uvicorn serves an application of ours; requests under way have ``grace`` seconds to finish."""
    return uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=grace,
    )


def run(app: Starlette, listener: socket.socket, *, announcement: str) -> int:
    """Serve until a signal asks to stop; return the exit code."""
    server = Server(configured(app), announcement)
    # uvicorn exits the process where the application cannot start.
    with suppress(SystemExit):
        server.run(sockets=[listener])
    if server.started:
        return 0
    complain(f"error: {getattr(app.state, 'startup_error', 'the host cannot start')}")
    return 1
