"""One way of writing for hubs and storages that are to be awaited, and for those that are not."""

from __future__ import annotations

import asyncio
import inspect
import os
import threading
from collections.abc import Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from connectors_core import sync
from connectors_core.errors import StorageError

if TYPE_CHECKING:
    from .settings import Connectors


T = TypeVar("T")


async def settle(result: Any) -> Any:
    """``result``, awaited where that is what one does with it."""
    return await result if inspect.isawaitable(result) else result


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """What ``coroutine`` returns, without an event loop: everything it waits for is there at once."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        value: T = done.value
        return value
    coroutine.close()
    raise TypeError("something here is to be awaited, and the caller is synchronous")


class OffLoop:
    """A synchronous hub, or what it gives, called in a thread: an event loop goes on meanwhile."""

    def __init__(self, hub: sync.Face) -> None:
        self._hub = hub

    def __getattr__(self, name: str) -> Any:
        return partial(asyncio.to_thread, getattr(self._hub, name))


class ProcessHub:
    """A synchronous hub that each process opens for itself, at its first use.

    A server that forks its workers after the application was made thereby has one in each. A process
    that is forked off one whose hub is open gets none: SQLite and the servers' connections do not
    survive being shared, and a second hub beside them loses what it writes.
    """

    def __init__(self, connectors: Connectors) -> None:
        self._connectors = connectors
        self._lock = threading.Lock()
        self._held: tuple[int, sync.Hub] | None = None

    def get(self) -> sync.Hub:
        """The open hub of this process. Raises StorageError."""
        held = self._held
        if held is None:
            with self._lock:
                held = self._held = self._held or (os.getpid(), self._opened())
        if held[0] != os.getpid():
            raise StorageError("the hub was open when this process was forked: close it before that")
        return held[1]

    def _opened(self) -> sync.Hub:
        hub: sync.Hub = self._connectors.fill(
            sync.Hub(self._connectors.registry, **self._connectors.options())
        )
        return hub.open()

    def close(self) -> None:
        """Close the hub of this process, if it is open; a further use opens another."""
        with self._lock:
            held = self._held
            if held is not None and held[0] == os.getpid():
                self._held = None
                held[1].close()
