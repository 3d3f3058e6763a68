"""A host's configuration from a text, and applications on sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Literal

import uvicorn

from connectors_core.config import Configuration, load_configuration
from connectors_core.connector import Connector
from connectors_core.registry import Registry


def configured(folder: Path, text: str, *kinds: type[Connector]) -> Configuration:
    """Read ``text`` as ``connectors.toml`` of ``folder``; the types are these, or all that are installed."""
    registry = Registry()
    for kind in kinds:
        registry.register(kind)
    file = folder / "connectors.toml"
    file.write_text(text)
    file.chmod(0o600)
    return load_configuration(file, registry=registry if kinds else None)


class QuietServer(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving(
    app: Any, listener: socket.socket, *, lifespan: Literal["auto", "off"] = "auto"
) -> AsyncIterator[None]:
    """``app`` on that socket, in the loop at hand."""
    server = QuietServer(
        uvicorn.Config(app, http="h11", ws="none", lifespan=lifespan, log_config=None, access_log=False)
    )
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:
        assert not task.done(), "the application did not start"
        await asyncio.sleep(0)
    try:
        yield
    finally:
        server.should_exit = True
        await task
