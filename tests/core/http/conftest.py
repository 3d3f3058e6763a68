"""Loopback servers that do exactly what a test tells them, down to the octet."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import pytest

from connectors_core.http import HttpSender

Answer = Callable[["Exchange"], Awaitable[None]]


@dataclass
class Exchange:
    """One request as it came, and the means to answer it."""

    head: bytes
    body: bytes
    number: int
    writer: asyncio.StreamWriter

    async def write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(
        self, body: bytes = b"ok", *, status: str = "200 OK", headers: tuple[str, ...] = ()
    ) -> None:
        lines = (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", "")
        await self.write("\r\n".join(lines).encode("latin-1") + body)

    def cut(self) -> None:
        self.writer.transport.abort()

    def header(self, name: str) -> list[str]:
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        return [
            line.partition(":")[2].strip() for line in lines if line.lower().startswith(name.lower() + ":")
        ]


@dataclass
class RawServer:
    """A listening socket, and everything that came through it."""

    port: int = 0
    connections: int = 0
    exchanges: list[Exchange] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def url(self, path: str = "/", *, scheme: str = "http", host: str = "127.0.0.1") -> str:
        return f"{scheme}://{host}:{self.port}{path}"


Serve = Callable[..., Awaitable[RawServer]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    async with AsyncExitStack() as stack:

        async def start(
            answer: Answer, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
        ) -> RawServer:
            record = RawServer()
            tasks: list[asyncio.Task[None]] = []
            writers: list[asyncio.StreamWriter] = []

            async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                record.connections += 1
                writers.append(writer)
                try:
                    while True:
                        head = await reader.readuntil(b"\r\n\r\n")
                        length = next(
                            (
                                int(line[15:])
                                for line in head.lower().split(b"\r\n")
                                if line[:15] == b"content-length:"
                            ),
                            0,
                        )
                        exchange = Exchange(
                            head, await reader.readexactly(length), len(record.exchanges), writer
                        )
                        record.exchanges.append(exchange)
                        record.arrived.set()
                        await answer(exchange)
                except (OSError, asyncio.IncompleteReadError):
                    pass
                finally:
                    writer.close()

            def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                tasks.append(asyncio.ensure_future(talk(reader, writer)))

            server = await asyncio.start_server(connected, host, 0, ssl=tls)
            record.port = server.sockets[0].getsockname()[1]

            async def stop() -> None:
                server.close()
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                for writer in writers:
                    writer.transport.abort()
                await asyncio.sleep(0)

            stack.push_async_callback(stop)
            return record

        yield start


@pytest.fixture
async def sender() -> AsyncIterator[HttpSender]:
    sender = HttpSender(deadline=5)
    yield sender
    await sender.aclose()
