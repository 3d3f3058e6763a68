"""The provider as an httpx transport: no sockets, the same answers, the same faults."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx

from .messages import Fault, Request, Response
from .wire import Handler


class ProviderTransport(httpx.AsyncBaseTransport):
    """Hands requests for ``origin`` to ``handler``; any other host refuses the connection."""

    def __init__(self, handler: Handler, *, origin: str) -> None:
        self._handler = handler
        self._origin = httpx.URL(origin)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        url = request.url
        if (url.scheme, url.host, url.port) != (self._origin.scheme, self._origin.host, self._origin.port):
            raise httpx.ConnectError("no such host", request=request)
        headers = {name.lower(): value for name, value in request.headers.items()}
        path, _, query = url.raw_path.decode("ascii").partition("?")
        answer = await self._handler(
            Request(method=request.method, path=path, query=query, headers=headers, body=body)
        )
        match answer.fault:
            case Fault.REFUSE:
                raise httpx.ConnectError("connection refused", request=request)
            case Fault.CLOSE | Fault.RESET:
                raise httpx.ReadError("connection closed", request=request)
            case Fault.GARBAGE:
                raise httpx.RemoteProtocolError("no HTTP", request=request)
            case Fault.SILENCE:
                await asyncio.Event().wait()
        return httpx.Response(
            answer.status, headers=dict(answer.headers), stream=_Body(answer), request=request
        )


class _Body(httpx.AsyncByteStream):
    def __init__(self, answer: Response) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        body = self._answer.body
        match self._answer.fault:
            case Fault.CUT:
                yield body[: len(body) // 2]
                raise httpx.RemoteProtocolError("peer closed the connection inside the body")
            case Fault.TRICKLE:
                for byte in body:
                    yield bytes([byte])
                    await asyncio.sleep(self._answer.interval)
            case Fault.ENDLESS:
                while True:
                    yield b" " * 4096
                    await asyncio.sleep(0)
            case _:
                yield body
