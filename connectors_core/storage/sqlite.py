"""SQLite through the standard library, on one thread of its own.

Several processes may use one file. Measured reasons for the hand-written driver: architecture §6.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from ..errors import StorageError
from ..stores import Parameters, Row
from ..tokens import EMPTY

BUSY_TIMEOUT = 10.0
"""Seconds to wait for another process that writes."""

OLDEST = (3, 35, 0)
"""The SQLite that brought RETURNING."""

T = TypeVar("T")

_creating = threading.Lock()


class SqliteDatabase:
    """``path`` is a file, created with mode 0600 when it is missing; None is a database in memory.

    Every statement is handed to one thread, whichever event loop or thread asks; a caller that is
    cancelled stops waiting, and what it started is finished all the same.
    """

    def __init__(self, path: str | os.PathLike[str] | None, *, busy_timeout: float = BUSY_TIMEOUT) -> None:
        self.path = None if path is None else Path(path)
        self._busy_timeout = busy_timeout
        self._connection: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._reading = threading.Lock()
        self._closed = False
        self._thread = _Thread()
        # At the end of the program too: what was started is finished.
        weakref.finalize(self, self._thread.end)

    async def fetch(self, sql: str, parameters: Parameters = EMPTY) -> list[Row]:
        return await self.call(lambda connection: _fetch(connection, sql, parameters))

    async def read(self, sql: str, parameters: Parameters = EMPTY) -> list[Row]:
        """As ``fetch``, on the caller's own thread: the hand-over to the other takes longer than the read.

        Nothing is waited for: in the write-ahead log no writer keeps a reader waiting, and where the
        file is locked all the same, or anything else is wrong, the statement goes the long way.
        """
        if self.path is None:
            return await self.fetch(sql, parameters)
        if self._reader is None:
            await self.call(self._open_reader)
        with self._reading, suppress(sqlite3.Error, OverflowError, UnicodeError):
            if self._reader is not None:
                return self._reader.execute(sql, dict(parameters)).fetchall()
        return await self.fetch(sql, parameters)

    async def run(self, statements: Sequence[tuple[str, Parameters]]) -> list[list[Row]]:
        return await self.call(lambda connection: _run(connection, statements))

    async def has_table(self, name: str) -> bool:
        sql = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = :name"
        return bool(await self.fetch(sql, {"name": name}))

    async def call(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Run ``function`` in the database's thread with its connection, outside any transaction.

        For what ``fetch`` and ``run`` cannot do: schema changes, checkpoints, backups. Raises
        StorageError for whatever sqlite3 raises.
        """
        return await self._thread.run(lambda: self._guarded(function))

    async def aclose(self) -> None:
        with suppress(StorageError):
            await self._thread.run(self._close, last=True)

    def _open_reader(self, _: sqlite3.Connection) -> None:
        if self._reader is None:
            reader = connect(self.path, busy_timeout=0.0)
            reader.execute("PRAGMA query_only = ON")
            self._reader = reader

    def _close(self) -> None:
        self._closed = True
        with self._reading:
            if self._reader is not None:
                self._reader.close()
                self._reader = None
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _guarded(self, function: Callable[[sqlite3.Connection], T]) -> T:
        if self._closed:
            raise StorageError("the database is closed")
        try:
            if self._connection is None:
                self._connection = connect(self.path, busy_timeout=self._busy_timeout)
            try:
                return function(self._connection)
            finally:
                if self._connection.in_transaction:
                    self._connection.rollback()
        except (sqlite3.Error, sqlite3.Warning, OverflowError, UnicodeError) as error:
            raise _refused(error, self.path) from None


class _Thread:
    """Does one thing after the other, and brings each result back to the event loop that asked for it.

    Instead of a ``ThreadPoolExecutor``, whose hand-over takes more than twice the time of a read.
    """

    def __init__(self) -> None:
        self._queue: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._running: threading.Thread | None = None
        self._ended = False

    async def run(self, function: Callable[[], T], *, last: bool = False) -> T:
        """What ``function`` returns or raises; nothing is taken on after the ``last``. Raises StorageError.

        A caller that is cancelled waits no longer; ``function`` is called all the same.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()

        def work() -> None:
            try:
                outcome: tuple[Callable[[Any], None], Any] = answer.set_result, function()
            except BaseException as error:
                outcome = answer.set_exception, error
            with suppress(RuntimeError):  # the loop is closed: nobody waits
                loop.call_soon_threadsafe(_settle, answer, *outcome)

        with self._lock:
            if self._ended:
                raise StorageError("the database is closed")
            if self._running is None:
                self._running = threading.Thread(
                    target=_work_off, args=(self._queue,), name="connectors-sqlite", daemon=True
                )
                self._running.start()
            self._queue.put(work)
        if last:
            self._stop()
        return await answer

    def end(self) -> None:
        """Take nothing on any more, and wait until what was is done."""
        self._stop()
        if self._running not in (None, threading.current_thread()):
            self._running.join()

    def _stop(self) -> None:
        with self._lock:
            if not self._ended:
                self._ended = True
                self._queue.put(None)


def _work_off(queue: SimpleQueue[Callable[[], None] | None]) -> None:
    while (work := queue.get()) is not None:
        work()
        del work  # or the database could not go before the next statement


def _settle(answer: asyncio.Future[Any], settle: Callable[[Any], None], outcome: object) -> None:
    if not answer.done():
        settle(outcome)


def connect(path: Path | None, *, busy_timeout: float = BUSY_TIMEOUT) -> sqlite3.Connection:
    """Open a connection as this library needs it; raises StorageError when it cannot be had."""
    if sqlite3.sqlite_version_info < OLDEST:
        raise StorageError(f"SQLite {sqlite3.sqlite_version} is too old; 3.35 is needed")
    if path is not None:
        _create(path)
    try:
        connection = sqlite3.connect(
            ":memory:" if path is None else path,
            timeout=busy_timeout,
            isolation_level=None,
            check_same_thread=False,
        )
    except sqlite3.Error as error:
        raise _refused(error, path) from None
    try:
        _configure(connection, journal="memory" if path is None else "wal", busy_timeout=busy_timeout)
    except sqlite3.Error as error:
        connection.close()
        raise _refused(error, path) from None
    except StorageError:
        connection.close()
        raise
    return connection


def _create(path: Path) -> None:
    """Create the file, readable by its owner alone; SQLite gives its -wal and -shm the same mode.

    Under a lock, because closing any descriptor of a file drops every POSIX lock this process
    has on it: SQLite must not have opened the file before the descriptor here is closed.
    """
    with _creating:
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except FileExistsError:
            pass
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not a path"
            raise StorageError(f"the database file {path} cannot be created: {reason}") from None


def _configure(connection: sqlite3.Connection, *, journal: str, busy_timeout: float) -> None:
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    if connection.execute("PRAGMA foreign_keys").fetchone() != (1,):
        raise StorageError("this SQLite was built without foreign keys")
    # Two processes that turn a new file into WAL at once: one is told "locked" without waiting.
    give_up_at = time.monotonic() + busy_timeout
    while True:
        try:
            (mode,) = connection.execute(f"PRAGMA journal_mode = {journal}").fetchone()
            break
        except sqlite3.OperationalError:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(0.01)
    if mode != journal:
        raise StorageError(
            f"SQLite cannot keep a write-ahead log here (journal mode {mode}); use a local disk"
        )


def _fetch(connection: sqlite3.Connection, sql: str, parameters: Parameters) -> list[Row]:
    rows = connection.execute(sql, dict(parameters)).fetchall()
    if connection.in_transaction:
        raise StorageError("a transaction is what run() is for; it was rolled back")
    return rows


def _run(connection: sqlite3.Connection, statements: Sequence[tuple[str, Parameters]]) -> list[list[Row]]:
    connection.execute("BEGIN IMMEDIATE")
    rows = [connection.execute(sql, dict(parameters)).fetchall() for sql, parameters in statements]
    connection.execute("COMMIT")
    return rows


def said(error: sqlite3.Error) -> str:
    """Say what went wrong; sqlite3's messages name tables and columns, never values."""
    return f"{error} ({getattr(error, 'sqlite_errorname', type(error).__name__)})"


def _refused(error: Exception, path: Path | None) -> StorageError:
    if isinstance(error, sqlite3.Error):
        return StorageError(f"SQLite, {path or 'in memory'}: {said(error)}")
    return StorageError(f"SQLite cannot store a value ({type(error).__name__})")
