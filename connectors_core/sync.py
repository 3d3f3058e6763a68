"""The hub for synchronous programs: the same face, run in one background loop.

::

    from connectors_core.sync import Hub

    with Hub(registry, database="sqlite:///connectors.db", keys=keys) as hub:
        token = hub.access_token("github", owner="user:42")
        repos = hub.client("github", owner="user:42").get("https://api.github.com/user/repos")

Any thread may call; all share one table of refreshes and one pool of connections. A process that
forks opens its hub after the fork.
"""

from __future__ import annotations

import asyncio
import atexit
import functools
import os
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from .errors import StorageError
from .hub import Hub as AsyncHub

if TYPE_CHECKING:
    from .config import Configuration
    from .registry import Registry

DRAIN = 15.0
"""Seconds that closing waits for refreshes under way."""


class BackgroundLoop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._process = os.getpid()
        self._thread = threading.Thread(target=self._run, name="connectors-loop", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def call(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Call ``function`` in the loop, wait for what it returns where that is to be awaited.

        A caller that is interrupted stops waiting. Raises StorageError in a forked child and in the
        loop's own thread, where it would wait for ever.
        """
        if os.getpid() != self._process:
            raise StorageError("the hub was opened before a fork: open one in each process")
        if threading.current_thread() is self._thread:
            raise StorageError("the synchronous hub cannot be called from its own loop")

        async def called() -> Any:
            result = function(*arguments, **options)
            return await result if asyncio.iscoroutine(result) else result

        future = asyncio.run_coroutine_threadsafe(called(), self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def stop(self) -> None:
        if os.getpid() == self._process and self._thread.is_alive():
            self.call(self._loop.shutdown_default_executor)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()


class Face:
    """An object of the asynchronous hub, with every method waiting for its answer."""

    def __init__(self, behind: Any, loop: BackgroundLoop) -> None:
        self._behind, self._loop = behind, loop

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        attribute = getattr(self._behind, name)
        if not callable(attribute):
            return _faced(attribute, self._loop)

        @functools.wraps(attribute)
        def call(*arguments: Any, **options: Any) -> Any:
            return _faced(self._loop.call(attribute, *arguments, **options), self._loop)

        return call

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *(name for name in dir(self._behind) if not name.startswith("_"))})

    def __repr__(self) -> str:
        return f"<synchronous {self._behind!r}>"


class Hub(Face):
    """``connectors_core.Hub`` for synchronous programs: same arguments, same methods, nothing to await.

    Open it with ``with``, or with ``open`` and ``close``. Closing waits for refreshes under way, so
    a process that is told to end (SIGTERM) leaves its ``with`` block and loses nothing; one that
    ends without closing is closed at its exit.
    """

    def __init__(self, registry: Registry, **options: Any) -> None:
        super().__init__(AsyncHub(registry, **options), BackgroundLoop())
        self._open = False

    @classmethod
    def from_config(cls, configuration: Configuration | str | Path, **options: Any) -> Self:
        """A hub with every connector of a configuration file. Raises ConfigurationError."""
        made = cls.__new__(cls)
        Face.__init__(made, AsyncHub.from_config(configuration, **options), BackgroundLoop())
        made._open = False
        return made

    def open(self) -> Self:
        self._loop.call(self._behind.__aenter__)
        self._open = True
        # Executors are shut down before what atexit runs, and a commit needs them; this runs before.
        getattr(threading, "_register_atexit", atexit.register)(self._close_at_exit)
        return self

    def drain(self, timeout: float = DRAIN) -> bool:
        """Begin no refresh any more and wait for those under way; False where some did not end."""
        return bool(self._loop.call(self._behind.drain, timeout))

    def close(self) -> None:
        """Wait for refreshes under way, close everything, end the loop. Once is enough."""
        if self._open:
            self._open = False
            try:
                self._loop.call(self._behind.__aexit__, None, None, None)
            finally:
                self._loop.stop()

    def _close_at_exit(self) -> None:
        if os.getpid() == self._loop._process:
            self.close()

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _faced(result: Any, loop: BackgroundLoop) -> Any:
    from .access.client import ApiClient
    from .hub import Tenant
    from .storage.database import OpenDatabase

    if isinstance(result, Tenant | ApiClient | OpenDatabase):
        return Face(result, loop)
    return result
