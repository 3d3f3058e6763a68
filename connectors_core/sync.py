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
import signal
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Self

from .errors import ConnectorError, StorageError
from .hub import Hub as AsyncHub

if TYPE_CHECKING:
    from .config import Configuration
    from .registry import Registry

DRAIN = 15.0
"""Seconds that closing waits for refreshes under way."""


class BackgroundLoop:
    """An event loop in a thread of its own, which ends with ``stop`` or when nobody has it any more."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._process = os.getpid()
        self._thread = threading.Thread(target=_run, args=(self._loop,), name="connectors-loop", daemon=True)
        self._thread.start()
        weakref.finalize(self, _abandon, self._loop, self._process).atexit = False

    def call(
        self, function: Callable[..., Any], *arguments: Any, _within: float | None = None, **options: Any
    ) -> Any:
        """Call ``function`` in the loop, wait for what it returns where that is to be awaited.

        At most ``_within`` seconds: TimeoutError then, as where something keeps the loop from running.

        A caller that is interrupted stops waiting. Raises StorageError in a forked child and in the
        loop's own thread, where it would wait for ever.
        """
        if os.getpid() != self._process:
            raise StorageError("the hub was opened before a fork: open one in each process")
        if self._loop.is_closed():
            raise StorageError("the hub was closed; make another")
        if threading.current_thread() is self._thread:
            raise StorageError("the synchronous hub cannot be called from its own loop")

        async def called() -> Any:
            result = function(*arguments, **options)
            return await result if asyncio.iscoroutine(result) else result

        future = asyncio.run_coroutine_threadsafe(called(), self._loop)
        try:
            return future.result(_within)
        except BaseException:
            future.cancel()
            raise

    def stop(self) -> None:
        if os.getpid() == self._process and self._thread.is_alive():
            self.call(self._loop.shutdown_default_executor)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.close()


def _abandon(loop: asyncio.AbstractEventLoop, process: int) -> None:
    if os.getpid() == process:
        with suppress(RuntimeError):  # it is closed
            loop.call_soon_threadsafe(loop.stop)


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
    a program that leaves its ``with`` block loses nothing; one that ends without closing is closed
    at its exit. SIGTERM alone ends a process without either: ``drain_on_sigterm``.
    """

    _before_sigterm: Any = None

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
        _opened(self)
        return self

    def drain(self, timeout: float = DRAIN) -> bool:
        """Begin no refresh any more and wait for those under way; False where some did not end."""
        try:
            return bool(self._loop.call(self._behind.drain, timeout, _within=timeout + 1.0))
        except TimeoutError:
            return False

    def drain_on_sigterm(self) -> None:
        """Drain when the process is told to end, and then do what SIGTERM did before this call.

        For a program that has nothing to do at its end: without this, SIGTERM ends Python at once,
        and a refresh under way is lost. A second signal does not wait. Closing the hub takes the
        handler back. Raises ValueError outside the main thread, like ``signal.signal``.
        """
        hub = weakref.ref(self)
        before = signal.getsignal(signal.SIGTERM)
        if before in (signal.SIG_IGN, None):
            return  # ignored, or in the hands of a program that embeds Python

        def drained(number: int, frame: FrameType | None) -> None:
            signal.signal(signal.SIGTERM, before)
            drains = hub()
            try:
                if drains is not None and drains._open:
                    with suppress(ConnectorError):  # a child of a fork has nothing to drain
                        drains.drain()
            finally:
                signal.raise_signal(signal.SIGTERM)

        signal.signal(signal.SIGTERM, drained)
        self._before_sigterm = (drained, before)

    def close(self) -> None:
        """Wait for refreshes under way, close everything, end the loop. Once is enough."""
        if self._open:
            self._open = False
            _OPEN.discard(self)
            try:
                self._loop.call(self._behind.__aexit__, None, None, None)
            finally:
                self._loop.stop()
                self._forget_sigterm()

    def _forget_sigterm(self) -> None:
        handler, before = self._before_sigterm or (None, None)
        if handler is not None and signal.getsignal(signal.SIGTERM) is handler:
            with suppress(ValueError):  # closed in another thread: the handler finds no open hub
                signal.signal(signal.SIGTERM, before)
        self._before_sigterm = None

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


_OPEN: set[Hub] = set()
_registering = threading.Lock()
_registered = False


def _opened(hub: Hub) -> None:
    """Remember to close ``hub`` at exit.

    Executors are shut down before what atexit runs, and a commit needs them. What is registered
    with threading runs before that, and cannot be taken back: so it is registered once for all.
    """
    global _registered
    with _registering:
        _OPEN.add(hub)
        if not _registered:
            _registered = True
            getattr(threading, "_register_atexit", atexit.register)(_close_all)


def _close_all() -> None:
    for hub in list(_OPEN):
        if hub._loop._process == os.getpid():
            with suppress(ConnectorError):
                hub.close()


def _faced(result: Any, loop: BackgroundLoop) -> Any:
    from .access.client import ApiClient
    from .access.refresher import Refresher
    from .hub import Tenant
    from .storage.database import OpenDatabase

    if isinstance(result, Tenant | ApiClient | Refresher | OpenDatabase):
        return Face(result, loop)
    return result
