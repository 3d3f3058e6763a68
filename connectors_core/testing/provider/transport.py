"""The provider as an httpx transport: no sockets, the same answers, the same faults."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import httpx

from .messages import Fault, Request, Response
from .wire import Handler


class ProviderTransport(httpx.AsyncBaseTransport):
    """Hands requests for ``origin`` to ``handler``; any other host refuses the connection.

    ``path_of`` gives the path that answers for a URL elsewhere, None for one that nobody answers.
    """

    def __init__(
        self, handler: Handler, *, origin: str, path_of: Callable[[str], str | None] = lambda url: None
    ) -> None:
        self._handler = handler
        self._origin = httpx.URL(origin)
        self._path_of = path_of

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        url = request.url
        path, _, query = url.raw_path.decode("ascii").partition("?")
        elsewhere = self._path_of(str(url))
        at_home = (url.scheme, url.host, url.port) == (
            self._origin.scheme,
            self._origin.host,
            self._origin.port,
        )
        if elsewhere is None and not at_home:
            raise httpx.ConnectError("no such host", request=request)
        path = elsewhere or path
        headers = {name.lower(): value for name, value in request.headers.items()}
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
