"""PostgreSQL through psycopg 3, with a small pool of connections.

Needs the extra ``postgresql``. URLs are read by libpq, so its parameters and environment apply.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus

from ..errors import ConfigurationError, Problem, StorageError, provider_text
from ..stores import Parameters, Row
from ..tokens import EMPTY
from .placeholders import placeholders
from .postgresql_reads import ReadFailed, Reads

MOST_CONNECTIONS = 10
WAIT = 30.0
"""Seconds to wait for a connection of the pool to become free."""
REST = 5.0
"""Seconds between two attempts to open the connection that reads share."""

DEFAULTS = {"connect_timeout": 10, "tcp_user_timeout": 30_000, "application_name": "connectors"}
"""libpq's own are to wait for ever. ``tcp_user_timeout`` is in milliseconds."""

ATTEMPTS = 5
REPEATABLE = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)
"""Errors after which the server has undone everything, so that the same may be tried again."""

T = TypeVar("T")
Connection = psycopg.AsyncConnection[Row]


class PostgresDatabase:
    """``url`` is a libpq connection URI; it may hold a password and is never shown.

    A lost connection is replaced before it is used again; a statement under way when it was lost
    is not repeated and raises StorageError, because it may have been executed. A caller that is
    cancelled stops waiting, and what it started is finished all the same. Each event loop has
    connections of its own, at most ``most_connections``, and one that reads share.
    """

    def __init__(self, url: str, *, most_connections: int = MOST_CONNECTIONS) -> None:
        self._connection_parameters = connection_parameters(url)
        self._most_connections = most_connections
        self._pools: dict[asyncio.AbstractEventLoop, _Pool] = {}
        self._closed = False

    async def fetch(self, sql: str, parameters: Parameters = EMPTY) -> list[Row]:
        async def fetch(connection: Connection) -> list[Row]:
            return await _execute(connection, sql, parameters)

        return await self._repeated(fetch)

    async def read(self, sql: str, parameters: Parameters = EMPTY) -> list[Row]:
        """As ``fetch``, on a connection that reads share; one that is cancelled is not finished.

        Where it fails there, or that connection is not open yet, it is repeated on another.
        """
        if (reads := (await self._pool()).reads()) is not None:
            with suppress(ReadFailed):
                return await reads.read(sql, parameters)

        async def read(connection: Connection) -> list[Row]:
            return await _execute(connection, sql, parameters)

        return await self._repeated(read, finished=False)

    async def run(self, statements: Sequence[tuple[str, Parameters]]) -> list[list[Row]]:
        async def run(connection: Connection) -> list[list[Row]]:
            async with connection.transaction():
                return [await _execute(connection, sql, parameters) for sql, parameters in statements]

        return await self._repeated(run)

    async def has_table(self, name: str) -> bool:
        return await self.fetch("SELECT to_regclass(:name) IS NOT NULL", {"name": name}) == [(True,)]

    async def aclose(self) -> None:
        self._closed = True
        pools, self._pools = self._pools, {}
        for loop, pool in pools.items():
            if loop is asyncio.get_running_loop():
                await pool.drain()
            await pool.close()

    async def _repeated(self, work: Callable[[Connection], Awaitable[T]], *, finished: bool = True) -> T:
        pool = await self._pool()
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await pool.work(work, finished=finished)
            except REPEATABLE as error:
                if attempt == ATTEMPTS:
                    raise _refused(error) from None
            except psycopg.Error as error:
                raise _refused(error) from None
            except UnicodeError:
                raise StorageError("PostgreSQL cannot store a text with surrogate code points") from None
        raise AssertionError("unreachable")

    async def _pool(self) -> _Pool:
        if self._closed:
            raise StorageError("the database is closed")
        loop = asyncio.get_running_loop()
        if loop not in self._pools:
            self._pools[loop] = _Pool(self._connection_parameters, self._most_connections)
            for other in [other for other in self._pools if other.is_closed()]:
                await self._pools.pop(other).close()
        return self._pools[loop]


class _Pool:
    """The connections of one event loop; the one used last is used next."""

    def __init__(self, parameters: dict[str, Any], most: int) -> None:
        self._parameters = parameters
        self._idle: list[Connection] = []
        self._free = asyncio.Semaphore(most)
        self._busy: set[asyncio.Task[Any]] = set()
        self._reads: Reads | None = None
        self._opening: asyncio.Task[None] | None = None
        self._open_reads_at = 0.0
        self._closed = False

    def reads(self) -> Reads | None:
        """The connection that reads share; None while it is being opened, for which nobody waits."""
        if self._reads is not None and not self._reads.closed:
            return self._reads
        now = asyncio.get_running_loop().time()
        if now >= self._open_reads_at and (self._opening is None or self._opening.done()):
            self._open_reads_at = now + REST
            self._opening = self._task(self._open_reads())
        return None

    async def _open_reads(self) -> None:
        with suppress(StorageError):
            connection = await self._connect()
            try:
                self._reads = Reads(connection)
            except psycopg.Error:  # libpq is older than its pipeline mode
                await connection.close()

    async def work(self, work: Callable[[Connection], Awaitable[T]], *, finished: bool) -> T:
        """Do it on a connection; where it is to be ``finished``, also for a caller that is cancelled."""
        if self._free.locked():
            await self._wait_for_one()
        else:
            await self._free.acquire()
        if not finished:
            return await self._finish(work)
        return await asyncio.shield(self._task(self._finish(work)))

    async def _wait_for_one(self) -> None:
        try:
            async with asyncio.timeout(WAIT):
                await self._free.acquire()
        except TimeoutError:
            raise StorageError(f"no connection to PostgreSQL became free within {WAIT:.0f} s") from None

    def _task(self, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._busy.add(task)
        task.add_done_callback(self._busy.discard)
        return task

    async def _finish(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        connection: Connection | None = None
        try:
            connection = await self._alive() or await self._connect()
            result = await work(connection)
            if connection.pgconn.transaction_status != TransactionStatus.IDLE:
                raise StorageError("a transaction is what run() is for; it was rolled back")
            return result
        finally:
            if connection is not None:
                if connection.pgconn.transaction_status == TransactionStatus.IDLE and not self._closed:
                    self._idle.append(connection)
                else:
                    await connection.close()
            self._free.release()

    async def _alive(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if not _has_news(connection):
                return connection
            await connection.close()
        return None

    async def _connect(self) -> Connection:
        try:
            return cast(
                "Connection", await psycopg.AsyncConnection.connect(**self._parameters, autocommit=True)
            )
        except psycopg.Error as error:
            raise _unreachable(error, self._parameters) from None

    async def drain(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
        if self._busy:
            await asyncio.wait(self._busy)

    async def close(self) -> None:
        self._closed = True
        if self._reads is not None:
            self._reads.close()
        while self._idle:
            await self._idle.pop().close()


async def _execute(connection: Connection, sql: str, parameters: Parameters) -> list[Row]:
    # In binary, because text is twice the bytes of what is sealed; and ``description`` is made of objects.
    cursor = await connection.execute(placeholders(sql), dict(parameters), binary=True)
    return await cursor.fetchall() if cursor.rownumber is not None else []


def _has_news(connection: Connection) -> bool:
    """Whether the server has said something on an idle connection, most likely goodbye."""
    try:
        poll = select.poll()
        poll.register(connection.fileno(), select.POLLIN)
        return bool(poll.poll(0))
    except (psycopg.Error, OSError, ValueError):
        return True


def connect_blocking(url: str) -> psycopg.Connection[Row]:
    """A connection for a schema upgrade; raises StorageError when the server cannot be reached."""
    parameters = connection_parameters(url)
    try:
        return psycopg.connect(**parameters)
    except psycopg.Error as error:
        raise _unreachable(error, parameters) from None


def connection_parameters(url: str) -> dict[str, Any]:
    """What libpq reads from ``url``, over our defaults; raises ConfigurationError when it cannot."""
    try:
        parameters = {**DEFAULTS, **conninfo_to_dict(url)}
        # A password with a bare "@" or "/" would be taken for host, port or name, and named in messages.
        misread = "@" in str(parameters.get("host", "")) or "@" in urlsplit(url).path
        readable = not misread and all(
            port.isdecimal() for port in str(parameters.get("port") or 0).split(",")
        )
    except (psycopg.Error, ValueError):
        readable = False
    if not readable:
        cure = (
            "write postgresql://user:password@host:port/name and percent-encode what is not a letter or digit"
        )
        problem = Problem(("host", "database"), "libpq cannot read the PostgreSQL URL", cure)
        raise ConfigurationError([problem])
    return parameters


def _unreachable(error: psycopg.Error, parameters: dict[str, Any]) -> StorageError:
    said = provider_text(error, secrets=[parameters.get("password"), parameters.get("sslpassword")])
    return StorageError(f"PostgreSQL cannot be reached: {said}")


def said(error: psycopg.Error) -> str:
    """Say what went wrong without the server's text, which quotes values ("Key (x)=(…) already exists")."""
    about = [type(error).__name__]
    if error.sqlstate:
        about.append(error.sqlstate)
    about += filter(None, [error.diag.table_name, error.diag.constraint_name])
    return " ".join(about)


def _refused(error: psycopg.Error) -> StorageError:
    return StorageError(f"PostgreSQL did not do it: {said(error)}")
