"""One request, one whole answer, or one of our own errors."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx

from ..connector import NetworkPermission
from ..endpoints import is_loopback
from ..errors import (
    AddressRefused,
    AnswerLost,
    AnswerTooLarge,
    ConnectorError,
    ConnectorMisconfigured,
    NotSent,
    Step,
    TransportError,
    provider_text,
)
from .content import ACCEPT_ENCODING, decode_content

USER_AGENT = "connectors-core"

LATE = 0.1
"""Seconds by which a deadline must fire late before the process counts as having been paused."""
SECOND_LOOK = 0.25
"""Seconds given after a pause to read an answer that already lies in the socket's buffer."""

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
_FRAMING = (b"content-length", b"transfer-encoding")


class HttpSender:
    """The one way out: guarded, capped, shared by all connectors. Implements ``connector.Sender``.

    ``transport`` replaces the default one, with its address guard; deadline, cap and error classes
    stay. ``ca_file`` is a PEM file of the authorities to trust instead of the system's. ``proxy`` is
    an egress proxy's URL, see ``AiohttpTransport`` for what is judged then. ``deadline`` is the
    total for connecting, sending and reading the whole answer, in seconds. ``max_bytes`` caps an
    answer's body, both as it comes and decoded.

    Nothing is taken from the environment (no proxies, no ``.netrc``). A sender belongs to the event
    loop that uses it first. ``connections_opened`` and ``requests_sent`` count for tests and benchmarks.
    """

    def __init__(
        self,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        ca_file: str | None = None,
        proxy: str | None = None,
        deadline: float = 10.0,
        max_bytes: int = 1 << 20,
    ) -> None:
        self._transport = transport
        self._foreign = transport is not None
        self._ca_file = ca_file
        self._proxy = proxy
        self._deadline = deadline
        self._max_bytes = max_bytes
        self._opening = asyncio.Lock()
        self._closed = False
        self.connections_opened = 0
        self.requests_sent = 0

    async def send(
        self, request: httpx.Request, *, network: NetworkPermission, deadline: float | None = None
    ) -> httpx.Response:
        """Return the whole answer, whatever its status; redirects are answers, not followed.

        Only https leaves this machine; http is for loopback. ``request`` gets our Accept-Encoding
        and, where it names none, a User-Agent. The body is decoded and the headers
        that described its coding and length are gone. After a pause of the process the deadline
        waits a moment for an answer that already arrived.

        Raises NotSent where the request cannot have been processed (AddressRefused where its
        destination is not allowed), AnswerLost where it may have been, AnswerTooLarge beyond
        ``max_bytes``, InvalidResponse for content that cannot be decoded, ConnectorMisconfigured
        for an unusable CA file or proxy.
        """
        host = _host(request.url)
        if self._closed:
            raise NotSent(f"{host}: the sender is closed")
        _check_destination(request.url, host)
        request.headers["Accept-Encoding"] = ACCEPT_ENCODING
        if "User-Agent" not in request.headers:
            request.headers["User-Agent"] = USER_AGENT
        progress = _Progress(self, knows=not self._foreign)
        extensions = request.extensions
        request.extensions = {**extensions, "network": network, "trace": progress}
        failure: ConnectorError
        try:
            return await self._exchange(request, self._deadline if deadline is None else deadline)
        except ConnectorError as error:
            failure = error
        except Exception as error:
            failure = _classify(error, host, progress)
        finally:
            request.extensions = extensions
            if not progress.knows:
                self.requests_sent += 1
        # Raised here, where no foreign exception hangs on to it: their texts hold whole URLs.
        try:
            raise failure
        finally:
            del failure

    async def _exchange(self, request: httpx.Request, deadline: float) -> httpx.Response:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(None) as scope:
            when = loop.time() + deadline
            timer = loop.call_at(when, _expire, loop, scope, when)
            try:
                transport = self._transport or await self._open()
                response = await transport.handle_async_request(request)
                try:
                    if response.status_code < 200:
                        raise httpx.RemoteProtocolError("an interim answer came last")
                    content = await self._read(response.stream)
                finally:
                    await response.aclose()
            finally:
                timer.cancel()
        headers, codings = [], []
        for name, value in response.headers.raw:
            if (known := name.lower()) == b"content-encoding":
                codings += value.decode("latin-1").split(",")
            elif known not in _FRAMING:
                headers.append((name, value))
        content = decode_content(content, codings, max_bytes=self._max_bytes)
        return httpx.Response(response.status_code, headers=headers, content=content, request=request)

    async def _read(self, stream: Any) -> bytes:
        content = bytearray()
        async for chunk in stream:
            content += chunk
            if len(content) > self._max_bytes:
                raise AnswerTooLarge(f"the answer is larger than {self._max_bytes} bytes")
        return bytes(content)

    async def _open(self) -> httpx.AsyncBaseTransport:
        async with self._opening:
            if self._transport is None and not self._closed:
                self._transport = await asyncio.to_thread(_default_transport, self._ca_file, self._proxy)
            if self._transport is None or self._closed:
                raise NotSent("the sender is closed")
        return self._transport

    async def aclose(self) -> None:
        """Close every connection. Requests under way are cut off."""
        self._closed = True
        if self._transport is not None:
            await self._transport.aclose()


def _default_transport(ca_file: str | None, proxy: str | None) -> httpx.AsyncBaseTransport:
    from .transport import AiohttpTransport

    if proxy is not None:
        parts = urlsplit(proxy)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConnectorMisconfigured("the proxy is not an http:// or https:// URL", step=Step.NETWORK)
    try:
        return AiohttpTransport(ca_file=ca_file, proxy=proxy)
    except OSError:
        pass
    raise ConnectorMisconfigured("the CA file cannot be read as PEM certificates", step=Step.NETWORK)


class _Progress:
    """Learns through httpcore's ``trace`` extension how far a request came."""

    def __init__(self, sender: HttpSender, *, knows: bool) -> None:
        self._sender = sender
        self.knows = knows
        self.sent = False

    async def __call__(self, event: str, info: dict[str, Any]) -> None:
        self.knows = True
        if event == "connection.connect_tcp.complete":
            self._sender.connections_opened += 1
        elif event.endswith(".send_request_headers.started"):
            self._sender.requests_sent += 1
            self.sent = True


def _expire(loop: asyncio.AbstractEventLoop, scope: asyncio.Timeout, when: float) -> None:
    # Rescheduled to now, the timeout fires behind whatever input this turn of the loop has read.
    scope.reschedule(loop.time() + (SECOND_LOOK if loop.time() - when > LATE else 0.0))


def _host(url: httpx.URL) -> str:
    return provider_text(url.raw_host.decode("ascii", "replace")) or "the provider"


def _check_destination(url: httpx.URL, host: str) -> None:
    if url.scheme != "https" and not (url.scheme == "http" and is_loopback(host)):
        raise AddressRefused(f"{host}: the URL must begin with https:// (http is for loopback only)")
    if not url.host or url.userinfo:
        raise AddressRefused(f"{host}: the URL must name a host, without user name or password")


def _classify(error: Exception, host: str, progress: _Progress) -> TransportError:
    if progress.sent or not (progress.knows or isinstance(error, _NOT_SENT)):
        return AnswerLost(f"{host} was asked, and no whole answer came: {_reason(error)}")
    return NotSent(f"{host} could not be asked: {_reason(error)}")


def _reason(error: Exception) -> str:
    """Name a failure in words of our own; texts of foreign exceptions hold URLs and header values."""
    for cause in reversed(list(_causes(error))):
        # aiohttp's own errors are instances of these classes too, without their attributes.
        if isinstance(cause, ssl.SSLCertVerificationError) and hasattr(cause, "verify_message"):
            return f"its certificate is not accepted ({cause.verify_message})"
        if isinstance(cause, ssl.SSLError):
            return f"TLS failed ({getattr(cause, 'reason', None) or 'no reason given'})"
        if isinstance(cause, socket.gaierror):
            return "the name does not resolve"
        if isinstance(cause, TimeoutError) and cause.errno is None:
            return "the deadline passed"
        if isinstance(cause, OSError) and cause.errno is not None and cause.errno in errno.errorcode:
            return os.strerror(cause.errno)
    return type(error).__name__


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    for _ in range(10):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__
