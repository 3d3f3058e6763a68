"""Reads on PostgreSQL that share one connection, in libpq's pipeline mode.

A cursor of psycopg costs the process more than such a statement costs the server, and most of that
is its waiting: here the event loop watches the connection all the time, and nobody borrows it.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from contextlib import suppress
from hashlib import sha256
from typing import Any

import psycopg
from psycopg.adapt import Transformer
from psycopg.pq import ExecStatus, Format

from ..errors import StorageError
from ..stores import Parameters, Row
from .placeholders import numbered

PATIENCE = 30.0
"""Seconds in which the server answers somebody, or whoever waits is sent elsewhere."""


class ReadFailed(StorageError):
    """A statement was not answered. As it changes nothing, it may be repeated elsewhere."""


class Reads:
    """One open connection of one event loop, for statements that change nothing.

    They are prepared when they first come, sent as they come, and answered in that order, each in a
    transaction of its own. After the first that fails nothing is taken on any more (``closed``).
    """

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self._connection, self._server = connection, connection.pgconn
        self._loop = asyncio.get_running_loop()
        self._values = Transformer(connection)
        self._encoding = connection.info.encoding
        self._prepared: dict[str, bytes] = {}
        self._asked: deque[asyncio.Future[Any]] = deque()
        self._answer: Any = None
        self._ended = False
        self._process = os.getpid()
        self._socket = self._server.socket
        self.closed = False
        self._server.enter_pipeline_mode()
        self._loop.add_reader(self._socket, self._receive)
        self._timer = self._loop.call_later(PATIENCE, self._look, None)

    async def read(self, sql: str, parameters: Parameters) -> list[Row]:
        """Return the rows. Raises ReadFailed, also for parameters that are not texts."""
        statement, names = numbered(sql)
        try:
            texts = [parameters[name].encode(self._encoding) for name in names]
        except (AttributeError, KeyError, UnicodeError):
            raise ReadFailed("not a text that the server can read") from None
        if any(b"\0" in text for text in texts):
            raise ReadFailed("libpq's texts end at a null character")
        if self.closed:
            raise ReadFailed("the connection is closed")
        asked: asyncio.Future[list[Row]] = self._loop.create_future()
        self._asked.append(asked)  # first: what libpq has queued and nobody waits for would shift the answers
        try:
            self._send(sql, statement, texts)
        except psycopg.Error:
            self.close()
        except BaseException:
            asked.cancel()
            self.close()
            raise
        return await asked

    def close(self) -> None:
        """Whoever waits for an answer gets ReadFailed."""
        if self.closed or os.getpid() != self._process:  # after a fork the parent's loop watches on
            return
        self.closed = True
        self._timer.cancel()
        # The loop is closed; or libpq has closed the socket, which epoll says where two things are watched.
        with suppress(RuntimeError, OSError):
            self._loop.remove_reader(self._socket)
        with suppress(RuntimeError, OSError):
            self._loop.remove_writer(self._socket)
        self._server.finish()
        for asked in self._asked:
            if not asked.done() and not self._loop.is_closed():
                asked.set_exception(ReadFailed("the connection was lost"))
        self._asked.clear()

    def _send(self, sql: str, statement: bytes, texts: list[bytes]) -> None:
        name = self._prepared.get(sql)
        if name is None:
            # Of what it says: a proxy may hand us a connection on which others have prepared statements.
            name = self._prepared[sql] = b"read_" + sha256(statement).hexdigest().encode()[:32]
            self._server.send_prepare(name, statement)
        self._server.send_query_prepared(name, texts, result_format=Format.BINARY)
        self._server.pipeline_sync()
        if self._server.flush():
            self._loop.add_writer(self._socket, self._flush)

    def _flush(self) -> None:
        try:
            if not self._server.flush():
                self._loop.remove_writer(self._socket)
        except psycopg.Error:
            self.close()
        else:
            self._receive()  # where not all could be sent, libpq has read, and the socket may be empty

    def _receive(self) -> None:
        try:
            self._server.consume_input()
            while self._asked and not self._server.is_busy():
                self._take(self._server.get_result())
        except psycopg.Error:
            self.close()

    def _take(self, result: Any) -> None:
        """One of what the server says to one statement: results, the end of each, and that it was all."""
        ended, self._ended = self._ended, result is None
        if result is None:
            if ended:  # libpq knows of no statement any more: the connection is gone
                self.close()
            return
        if result.status in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
            self._answer = result
            return
        answer, self._answer = self._answer, None
        if (
            result.status != ExecStatus.PIPELINE_SYNC
            or answer is None
            or answer.status != ExecStatus.TUPLES_OK
        ):
            self.close()
            return
        asked = self._asked.popleft()
        if asked.done():
            return
        try:  # now, because psycopg asks the connection for its encoding
            self._values.set_pgresult(answer, format=Format.BINARY)
            asked.set_result(self._values.load_rows(0, answer.ntuples, tuple))
        except Exception:
            asked.set_exception(ReadFailed("an answer that Python has no value for"))

    def _look(self, oldest: asyncio.Future[list[Row]] | None) -> None:
        """Give up on a server that has not answered the same caller twice."""
        asked = self._asked[0] if self._asked else None
        if asked is not None and asked is oldest:
            self.close()
        elif not self.closed:
            self._timer = self._loop.call_later(PATIENCE, self._look, asked)
