"""Reads on PostgreSQL that share one connection, in libpq's pipeline mode.

A cursor of psycopg costs the process more than such a statement costs the server, and most of that
is its waiting: here the event loop watches the connection all the time, and nobody borrows it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import Any

import psycopg
from psycopg.adapt import Transformer
from psycopg.pq import ExecStatus, Format

from ..errors import StorageError
from ..stores import Parameters, Row
from .placeholders import numbered


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
        self._socket = self._server.socket
        self.closed = False
        self._server.enter_pipeline_mode()
        self._loop.add_reader(self._socket, self._receive)

    async def read(self, sql: str, parameters: Parameters) -> list[Row]:
        """Return the rows. Raises ReadFailed, also for parameters that are not texts."""
        statement, names = numbered(sql)
        try:
            texts = [parameters[name].encode(self._encoding) for name in names]
        except (AttributeError, UnicodeError):
            raise ReadFailed("not a text that the server can read") from None
        if any(b"\0" in text for text in texts):
            raise ReadFailed("libpq's texts end at a null character")
        if self.closed:
            raise ReadFailed("the connection is closed")
        asked: asyncio.Future[Any] = self._loop.create_future()
        try:
            self._send(sql, statement, texts)
        except psycopg.Error:
            self.close()
            raise ReadFailed("the connection was lost") from None
        self._asked.append(asked)
        answer = await asked
        self._values.set_pgresult(answer, format=Format.BINARY)
        return self._values.load_rows(0, answer.ntuples, tuple)

    def close(self) -> None:
        """Whoever waits for an answer gets ReadFailed."""
        if self.closed:
            return
        self.closed = True
        with suppress(RuntimeError):  # the loop is closed
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
        self._server.finish()
        for asked in self._asked:
            if not asked.done() and not self._loop.is_closed():
                asked.set_exception(ReadFailed("the connection was lost"))
        self._asked.clear()

    def _send(self, sql: str, statement: bytes, texts: list[bytes]) -> None:
        name = self._prepared.get(sql)
        if name is None:
            name = self._prepared[sql] = b"read_%d" % len(self._prepared)
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
        if result.status != ExecStatus.PIPELINE_SYNC:
            self._answer = result
            return
        answer, self._answer = self._answer, None
        if answer is None or answer.status != ExecStatus.TUPLES_OK:
            self.close()
            return
        asked = self._asked.popleft()
        if not asked.done():
            asked.set_result(answer)
