"""The default transport: httpx's request and response values over aiohttp's connections.

Imported on the first send, because aiohttp takes its time.
"""

from __future__ import annotations

import asyncio
import os
import re
import select
import socket
import ssl
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import aiohttp
import httpx
import yarl
from aiohttp.abc import AbstractResolver

from ..connector import NetworkPermission
from ..endpoints import is_loopback
from ..errors import AddressRefused, NotSent
from .addresses import AddressGuard, read_host

if TYPE_CHECKING:
    from aiohttp.client_reqrep import ClientRequest
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

Report = Callable[[str, dict[str, Any]], Awaitable[None]]

MAX_POOLS = 64
KEEPALIVE = 75.0
"""Seconds an idle connection is kept."""

_FRAMING = (b"content-length", b"transfer-encoding")
_HEADER_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")


@lru_cache(maxsize=8)
def default_ssl_context(ca_file: str | None = None) -> ssl.SSLContext:
    """Return the context that verifies against ``ca_file``, else the system's authorities, else certifi's.

    Made once in a process: each costs 20 ms and 800 KiB. Nothing is taken from the environment, where
    SSL_CERT_FILE and SSL_CERT_DIR would add authorities and SSLKEYLOGFILE would have every session
    key written down. Raises OSError for an unusable file.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    paths = ssl.get_default_verify_paths()
    cafile = paths.openssl_cafile if os.path.isfile(paths.openssl_cafile) else None
    capath = paths.openssl_capath if os.path.isdir(paths.openssl_capath) else None
    if ca_file is not None:
        cafile, capath = ca_file, None
    elif cafile is None and capath is None:
        import certifi

        cafile = certifi.where()
    context.load_verify_locations(cafile, capath)
    context.set_alpn_protocols(["http/1.1"])
    return context


async def _unreported(event: str, info: dict[str, Any]) -> None:
    pass


@dataclass(slots=True)
class _Attempt:
    """What the connector must know about the request it opens a connection for."""

    host: str
    loopback_only: bool
    through_proxy: bool
    report: Report
    refusal: str = ""


_attempt: ContextVar[_Attempt] = ContextVar("attempt")


class _Refused(OSError):
    pass


class _Connector(aiohttp.TCPConnector):
    """Connections of one network permission; judges each address just before connecting to it.

    A resolver is never asked about literal addresses and may change its mind between two calls;
    the socket factory sees what is connected to.
    """

    def __init__(self, guard: AddressGuard, **options: Any) -> None:
        super().__init__(socket_factory=self._open_socket, **options)
        self._guard = guard
        self._established: WeakSet[object] = WeakSet()

    def _open_socket(self, address_info: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, address = address_info
        attempt = _attempt.get()
        if not attempt.through_proxy:
            refusal = self._guard.refusal(attempt.host, address[0])
            if not refusal and attempt.loopback_only and not ip_address(address[0]).is_loopback:
                refusal = "is not a loopback address (http is for loopback only)"
            if refusal:
                attempt.refusal = refusal
                raise _Refused(refusal)
        return socket.socket(family, kind, protocol)

    async def connect(
        self, req: ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> Connection:
        report = _attempt.get().report
        while True:
            connection = await super().connect(req, traces, timeout)
            if connection.protocol not in self._established:
                self._established.add(connection.protocol)
                await report("connection.connect_tcp.complete", {})
                break
            if not _has_input(connection):
                break
            connection.close()
        await report("http11.send_request_headers.started", {})
        return connection


def _has_input(connection: Connection) -> bool:
    """Tell whether an idle connection has something to read: most often that the server closed it.

    After a pause of the process the event loop has not yet seen this, and a POST would be lost.
    """
    if connection.transport is None or not hasattr(select, "poll"):
        return False
    sock = connection.transport.get_extra_info("socket")
    poller = select.poll()
    poller.register(sock.fileno(), select.POLLIN)
    return bool(poller.poll(0))


@dataclass(slots=True, eq=False)
class _Pool:
    guard: AddressGuard
    session: aiohttp.ClientSession
    in_use: int = field(default=0)


class AiohttpTransport(httpx.AsyncBaseTransport):
    """Send requests over pooled connections that reach public addresses only.

    ``request.extensions["network"]`` is the NetworkPermission that holds (default: public addresses
    only); connections are never shared between two permissions. ``request.extensions["trace"]`` is
    told of new connections and of requests about to be written, by httpcore's event names. Redirects
    are answers; there are no cookies, no environment, no content decoding; a POST is never repeated,
    an idempotent request once when a kept connection turns out dead (RFC 9110 §9.2.2).

    With a ``proxy`` (an ``http://`` or ``https://`` URL) it is the proxy that resolves names and
    connects, so only literal addresses are judged here: what a name may lead to is the proxy's to
    decide. Loopback is never proxied.

    Raises AddressRefused, NotSent, and aiohttp's own errors, which HttpSender classifies. Belongs to
    the event loop that uses it first. ``resolver`` and ``dns_cache`` serve tests.
    """

    def __init__(
        self,
        *,
        ca_file: str | None = None,
        proxy: str | None = None,
        resolver: AbstractResolver | None = None,
        dns_cache: bool = True,
    ) -> None:
        self._ssl = default_ssl_context(ca_file)
        self._proxy = proxy
        self._resolver = resolver
        self._dns_cache = dns_cache
        self._pools: OrderedDict[NetworkPermission, _Pool] = OrderedDict()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        report: Report = request.extensions.get("trace", _unreported)
        await report("connection.connect_tcp.started", {})
        pool = await self._pool(request.extensions.get("network") or NetworkPermission())
        attempt = self._judge(request.url, pool.guard, report)
        headers = [_header(*item) for item in request.headers.raw if item[0].lower() not in _FRAMING]
        content = await request.aread()
        token = _attempt.set(attempt)
        pool.in_use += 1
        try:
            response = await pool.session.request(
                request.method,
                yarl.URL(str(request.url), encoded=True),
                headers=headers,
                data=content or None,
                allow_redirects=False,
                proxy=self._proxy if attempt.through_proxy else None,
            )
        except BaseException as error:
            pool.in_use -= 1
            if not attempt.refusal or not isinstance(error, aiohttp.ClientConnectorError):
                raise
        else:
            body = _Body(response, pool)
            return httpx.Response(response.status, headers=list(response.raw_headers), stream=body)
        finally:
            _attempt.reset(token)
        raise AddressRefused(f"{attempt.host} {attempt.refusal}")

    def _judge(self, url: httpx.URL, guard: AddressGuard, report: Report) -> _Attempt:
        host = url.raw_host.decode("ascii")
        try:
            address = read_host(host)
        except ValueError:
            raise AddressRefused("the host is neither a name nor a canonical address") from None
        through_proxy = self._proxy is not None and not is_loopback(host)
        if through_proxy and address is not None and (refusal := guard.refusal(host, str(address))):
            raise AddressRefused(f"{host} {refusal}")
        return _Attempt(host, url.scheme != "https", through_proxy, report)

    async def _pool(self, permission: NetworkPermission) -> _Pool:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            if self._loop is not None:
                raise NotSent("the sender belongs to another event loop")
            self._loop = loop
        if (pool := self._pools.get(permission)) is not None:
            self._pools.move_to_end(permission)
            return pool
        guard = AddressGuard.of(permission)
        pool = self._pools[permission] = _Pool(guard, self._open_session(guard))
        if len(self._pools) > MAX_POOLS:
            idle = [key for key, other in self._pools.items() if not other.in_use and other is not pool]
            if idle:
                await self._pools.pop(idle[0]).session.close()
        return pool

    def _open_session(self, guard: AddressGuard) -> aiohttp.ClientSession:
        connector = _Connector(
            guard,
            ssl=self._ssl,
            resolver=self._resolver or aiohttp.ThreadedResolver(),
            use_dns_cache=self._dns_cache,
            keepalive_timeout=KEEPALIVE,
            limit=1000,
            limit_per_host=100,
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
            timeout=aiohttp.ClientTimeout(total=None),
            trust_env=False,
            auto_decompress=False,
        )

    async def aclose(self) -> None:
        while self._pools:
            await self._pools.popitem()[1].session.close()


def _header(name: bytes, value: bytes) -> tuple[str, str]:
    if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
        raise NotSent("a request header holds characters that no header may hold")
    return name.decode("ascii"), value.decode("utf-8")


class _Body(httpx.AsyncByteStream):
    def __init__(self, response: aiohttp.ClientResponse, pool: _Pool) -> None:
        self._response = response
        self._pool: _Pool | None = pool

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if chunk := await self._response.content.readany():
            return chunk
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self._response.close()
        if self._pool is not None:
            self._pool.in_use -= 1
            self._pool = None
