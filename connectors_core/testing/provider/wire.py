"""HTTP/1.1 on a loopback socket, small enough to misbehave exactly where it is told to.

Not a web server: one request at a time a connection, no limits but the size of a head, and every
fault of ``messages.Fault`` on demand.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from http import HTTPStatus

from .messages import Fault, Request, Response

Handler = Callable[[Request], Awaitable[Response]]
_MOST_HEAD = 65536
_STRAY = (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, ssl.SSLError, ValueError)


class WireServer:
    """Serves ``handler`` on a loopback port until stopped. ``opened`` counts connections."""

    def __init__(
        self, handler: Handler, *, clock: Callable[[], float], tls: ssl.SSLContext | None = None
    ) -> None:
        self.opened = 0
        self.port = 0
        self._handler = handler
        self._clock = clock
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, port: int = 0) -> None:
        """Listen; ``port`` 0 takes a free one."""
        self._server = await asyncio.start_server(
            self._accept, "127.0.0.1", port, ssl=self._tls, limit=_MOST_HEAD
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and end every connection."""
        if self._server is not None:
            self._server.close()
            self._server = None
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while await self._serve_one(reader, writer):
                pass
        except (*_STRAY, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort() if writer.is_closing() else writer.close()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        request = await _read_request(head.decode("latin-1"), reader, writer)
        response = await self._handler(request)
        if response.fault is not None:
            await self._fail(response, writer)
            return False
        body = b"" if request.method == "HEAD" else response.body
        writer.write(self._head(response, {"content-length": str(len(response.body))}) + body)
        await writer.drain()
        return request.headers.get("connection", "").lower() != "close"

    def _head(self, response: Response, extra: dict[str, str]) -> bytes:
        try:
            reason = HTTPStatus(response.status).phrase
        except ValueError:
            reason = "Unknown"
        headers = {"date": formatdate(self._clock(), usegmt=True), **extra, **response.headers}
        lines = [f"HTTP/1.1 {response.status} {reason}", *(f"{k}: {v}" for k, v in headers.items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    async def _fail(self, response: Response, writer: asyncio.StreamWriter) -> None:
        match response.fault:
            case Fault.RESET:
                _reset_on_close(writer)
            case Fault.SILENCE:
                await asyncio.Event().wait()
            case Fault.GARBAGE:
                writer.write(b"\x16\x03\x01\x00nonsense\r\n\r\n")
                await writer.drain()
            case Fault.CUT:
                head = self._head(response, {"content-length": str(len(response.body))})
                writer.write(head + response.body[: len(response.body) // 2])
                await writer.drain()
            case Fault.TRICKLE:
                writer.write(self._head(response, {"content-length": str(len(response.body))}))
                for byte in response.body:
                    writer.write(bytes([byte]))
                    await writer.drain()
                    await asyncio.sleep(response.interval)
            case Fault.ENDLESS:
                writer.write(self._head(response, {"transfer-encoding": "chunked"}))
                while not writer.is_closing():
                    writer.write(b"1000\r\n" + b" " * 4096 + b"\r\n")
                    await writer.drain()
                    await asyncio.sleep(0)


async def _read_request(head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request:
    first, *lines = head.rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    if headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = await _read_chunks(reader)
    else:
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    path, _, query = target.partition("?")
    return Request(method=method, path=path, query=query, headers=headers, body=body)


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readuntil(b"\r\n")
    return body


def _reset_on_close(writer: asyncio.StreamWriter) -> None:
    raw: socket.socket = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
