from __future__ import annotations

import asyncio
import gzip
import logging
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from connectors_core.connector import NetworkPermission
from connectors_core.errors import (
    AddressRefused,
    AnswerLost,
    AnswerTooLarge,
    ConnectorError,
    InvalidResponse,
    NotSent,
)
from connectors_core.http import HttpSender
from connectors_core.http import sender as sender_module
from tests.core.http.sending import LOOPBACK, PUBLIC_ONLY, Serve, plain, send, unused_port


async def cut_at_once(exchange: Any) -> None:
    exchange.cut()


# What goes out


async def test_a_request_leaves_as_it_was_written(sender: HttpSender, serve: Serve) -> None:
    server = await serve(plain)
    url = server.url("/a%2Fb/%7Euser//c;d=e?q=a%20b+c&x=%C3%BC&y=%zz&q=&redirect=https://x/?a=b")
    answer = await send(sender, "POST", url, data={"code": "a b", "x": "ü"})
    (exchange,) = server.exchanges
    assert answer.text == "ok"
    assert exchange.head.split(b"\r\n")[0] == b"POST " + httpx.URL(url).raw_path + b" HTTP/1.1"
    assert b"/a%2Fb/%7Euser//c;d=e?q=a%20b+c&x=%C3%BC&y=%zz&q=&redirect=https://x/?a=b" in exchange.head
    assert exchange.body == b"code=a+b&x=%C3%BC"
    names = sorted(line.split(":")[0].lower() for line in exchange.head.decode().split("\r\n")[1:-2])
    assert names == ["accept-encoding", "content-length", "content-type", "host", "user-agent"]
    assert exchange.header("Host") == [f"127.0.0.1:{server.port}"]
    assert exchange.header("User-Agent") == ["connectors-core"]
    assert exchange.header("Accept-Encoding") == ["gzip, deflate"]


async def test_headers_of_the_request_are_kept(sender: HttpSender, serve: Serve) -> None:
    server = await serve(plain)
    headers = [("User-Agent", "mine"), ("Accept", "application/json"), ("X-A", "1"), ("X-A", "2")]
    await send(sender, "GET", server.url(), headers=headers)
    exchange = server.exchanges[0]
    assert exchange.header("User-Agent") == ["mine"]
    assert exchange.header("Accept") == ["application/json"]
    assert exchange.header("X-A") == ["1", "2"]


@pytest.mark.parametrize("content", [b"", b"x" * 200_000])
async def test_a_body_arrives_whole_with_its_length(sender: HttpSender, serve: Serve, content: bytes) -> None:
    server = await serve(plain)
    await send(sender, "POST", server.url(), content=content)
    assert server.exchanges[0].body == content
    assert server.exchanges[0].header("Content-Length") == [str(len(content))]


async def test_a_streamed_body_is_sent_with_its_length(sender: HttpSender, serve: Serve) -> None:
    async def parts() -> Any:
        yield b"one"
        yield b"two"

    server = await serve(plain)
    await send(sender, "POST", server.url(), content=parts())
    assert server.exchanges[0].body == b"onetwo"
    assert server.exchanges[0].header("Transfer-Encoding") == []


@pytest.mark.parametrize("value", [b"a\r\nX-Injected: 1", b"a\nb", b"a\0b"])
async def test_a_header_that_would_break_out_is_not_sent(
    sender: HttpSender, serve: Serve, value: bytes
) -> None:
    server = await serve(plain)
    with pytest.raises(NotSent):
        await send(sender, "GET", server.url(), headers=[(b"X-A", value)])
    with pytest.raises(NotSent):
        await send(sender, "GET", server.url(), headers=[(value, b"x")])
    assert not server.exchanges


async def test_the_request_of_the_caller_keeps_its_extensions(sender: HttpSender, serve: Serve) -> None:
    server = await serve(plain)
    request = httpx.Request("GET", server.url(), extensions={"mine": 1})
    answer = await sender.send(request, network=LOOPBACK)
    assert request.extensions == {"mine": 1}
    assert answer.request is request


async def test_connections_are_kept_and_counted(sender: HttpSender, serve: Serve) -> None:
    server = await serve(plain)
    for _ in range(3):
        await send(sender, "POST", server.url())
    assert (sender.requests_sent, sender.connections_opened, server.connections) == (3, 1, 1)


async def test_environment_proxies_and_netrc_are_ignored(
    sender: HttpSender, serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    server, proxy = await serve(plain), await serve(plain)
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login fake password fake")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, proxy.url())
    await send(sender, "GET", server.url())
    assert not proxy.connections
    assert server.exchanges[0].header("Authorization") == []


async def test_cookies_are_handed_over_and_not_kept(sender: HttpSender, serve: Serve) -> None:
    cookies = tuple(f"Set-Cookie: c{i}=v{i}; Path=/" for i in range(60))

    async def set_cookies(exchange: Any) -> None:
        await exchange.answer(headers=cookies)

    server = await serve(set_cookies, host="localhost")
    answer = await send(sender, "GET", server.url(host="localhost"))
    assert len(answer.headers.get_list("set-cookie")) == 60
    await send(sender, "GET", server.url(host="localhost"))
    assert server.exchanges[1].header("Cookie") == []


# Where it may go


@pytest.mark.parametrize(
    "url",
    [
        "http://idp.example/token",
        "http://10.0.0.1/token",
        "http://localhost.example/token",
        "http://0/token",
        "ftp://127.0.0.1/token",
        "ws://127.0.0.1/token",
        "file:///etc/passwd",
        "https:///token",
        "/token",
        "https://user:pass@127.0.0.1/token",
        "https://user@127.0.0.1/token",
    ],
)
async def test_urls_that_are_no_endpoints_are_refused(url: str) -> None:
    def unreachable(request: httpx.Request) -> httpx.Response:
        raise AssertionError("was sent")

    sender = HttpSender(transport=httpx.MockTransport(unreachable))
    with pytest.raises(AddressRefused):
        await send(sender, "GET", url, network=NetworkPermission(private=True))


async def test_a_redirect_is_an_answer(sender: HttpSender, serve: Serve) -> None:
    elsewhere = await serve(plain)

    async def redirect(exchange: Any) -> None:
        await exchange.answer(b"", status="307 Temporary Redirect", headers=(f"Location: {elsewhere.url()}",))

    server = await serve(redirect)
    answer = await send(sender, "POST", server.url())
    assert answer.status_code == 307
    assert answer.headers["location"] == elsewhere.url()
    assert not elsewhere.connections


# What comes back


@pytest.mark.parametrize(
    ("coding", "encode"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("identity", bytes)]
)
async def test_content_is_decoded(
    sender: HttpSender, serve: Serve, coding: str, encode: Callable[[bytes], bytes]
) -> None:
    async def encoded(exchange: Any) -> None:
        await exchange.answer(encode(b'{"a":1}'), headers=(f"Content-Encoding: {coding}",))

    server = await serve(encoded)
    answer = await send(sender, "GET", server.url())
    assert answer.json() == {"a": 1}
    assert "content-encoding" not in answer.headers
    assert answer.headers["content-length"] == "7"


async def test_an_answer_beyond_the_cap_is_dropped_with_its_connection(serve: Serve) -> None:
    async def large(exchange: Any) -> None:
        await exchange.answer(b"x" * (1001 if exchange.number == 0 else 1000))

    server = await serve(large)
    sender = HttpSender(max_bytes=1000)
    with pytest.raises(AnswerTooLarge):
        await send(sender, "GET", server.url())
    assert len((await send(sender, "GET", server.url())).content) == 1000
    await sender.aclose()


async def test_a_compressed_bomb_is_not_inflated(sender: HttpSender, serve: Serve) -> None:
    async def bomb(exchange: Any) -> None:
        await exchange.answer(gzip.compress(bytes(50_000_000)), headers=("Content-Encoding: gzip",))

    server = await serve(bomb)
    with pytest.raises(AnswerTooLarge):
        await send(sender, "GET", server.url())


async def test_an_endless_body_is_cut_off_at_the_cap(sender: HttpSender, serve: Serve) -> None:
    async def endless(exchange: Any) -> None:
        await exchange.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            await exchange.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")

    server = await serve(endless)
    with pytest.raises(AnswerTooLarge):
        await send(sender, "GET", server.url())


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "deflate, gzip", "no-such-coding"])
async def test_codings_not_asked_for_are_refused(sender: HttpSender, serve: Serve, coding: str) -> None:
    async def encoded(exchange: Any) -> None:
        await exchange.answer(b"x", headers=(f"Content-Encoding: {coding}",))

    server = await serve(encoded)
    with pytest.raises(InvalidResponse):
        await send(sender, "POST", server.url())


async def test_interim_answers_are_passed_over(sender: HttpSender, serve: Serve) -> None:
    async def interim(exchange: Any) -> None:
        await exchange.write(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n")
        await exchange.answer(b"final")

    server = await serve(interim)
    assert (await send(sender, "POST", server.url())).text == "final"


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
async def test_answers_without_content_are_whole(sender: HttpSender, serve: Serve, status: str) -> None:
    async def empty(exchange: Any) -> None:
        await exchange.write(f"HTTP/1.1 {status}\r\nContent-Encoding: gzip\r\n\r\n".encode())

    server = await serve(empty)
    for _ in range(2):
        assert (await send(sender, "GET", server.url())).content == b""
    assert sender.connections_opened == 1


async def test_a_body_that_ends_with_the_connection_is_whole(sender: HttpSender, serve: Serve) -> None:
    async def until_close(exchange: Any) -> None:
        await exchange.write(b"HTTP/1.1 200 OK\r\n\r\nall of it")
        exchange.writer.close()

    server = await serve(until_close)
    assert (await send(sender, "GET", server.url())).text == "all of it"


# With a transport of the caller's


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (httpx.ConnectError("fake-secret"), NotSent),
        (httpx.ConnectTimeout("fake-secret"), NotSent),
        (httpx.PoolTimeout("fake-secret"), NotSent),
        (httpx.UnsupportedProtocol("fake-secret"), NotSent),
        (httpx.ReadError("fake-secret"), AnswerLost),
        (httpx.ReadTimeout("fake-secret"), AnswerLost),
        (httpx.WriteError("fake-secret"), AnswerLost),
        (httpx.RemoteProtocolError("fake-secret"), AnswerLost),
        (httpx.InvalidURL("fake-secret"), AnswerLost),
        (ValueError("fake-secret"), AnswerLost),
        (UnicodeError("fake-secret"), AnswerLost),
        (TimeoutError("fake-secret"), AnswerLost),
        (RecursionError("fake-secret"), AnswerLost),
    ],
)
async def test_foreign_errors_become_ours(error: Exception, expected: type[ConnectorError]) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise error

    sender = HttpSender(transport=httpx.MockTransport(fail))
    with pytest.raises(expected) as failure:
        await send(sender, "POST", "https://idp.example/token?code=fake-secret")
    assert type(failure.value) is expected
    assert "fake-secret" not in str(failure.value)
    assert failure.value.__context__ is None


async def test_a_given_transport_is_capped_decoded_counted_and_timed() -> None:
    async def handle(request: httpx.Request) -> httpx.Response:
        assert request.extensions["network"] == PUBLIC_ONLY
        match request.url.path:
            case "/large":
                return httpx.Response(200, content=b"x" * 1001)
            case "/gzip":
                return httpx.Response(200, content=gzip.compress(b"hi"), headers={"Content-Encoding": "gzip"})
            case "/hang":
                await asyncio.Event().wait()
        return httpx.Response(200, json={"a": 1})

    sender = HttpSender(transport=httpx.MockTransport(handle), max_bytes=1000)

    async def ask(path: str, **options: Any) -> httpx.Response:
        return await send(sender, "GET", f"https://idp.example{path}", network=PUBLIC_ONLY, **options)

    assert (await ask("/")).json() == {"a": 1}
    assert (await ask("/gzip")).text == "hi"
    with pytest.raises(AnswerTooLarge):
        await ask("/large")
    with pytest.raises(AnswerLost):
        await ask("/hang", deadline=0.01)
    assert (sender.requests_sent, sender.connections_opened) == (4, 0)


async def test_httpx_own_transport_is_classified_and_counted(serve: Serve) -> None:
    async def second_dies(exchange: Any) -> None:
        if exchange.number == 1:
            exchange.cut()
        await exchange.answer()

    server = await serve(second_dies)
    sender = HttpSender(transport=httpx.AsyncHTTPTransport(trust_env=False))
    await send(sender, "POST", server.url())
    with pytest.raises(AnswerLost):
        await send(sender, "POST", server.url())
    with pytest.raises(NotSent):
        await send(sender, "POST", f"http://127.0.0.1:{unused_port()}/")
    assert (sender.requests_sent, sender.connections_opened) == (2, 1)
    await sender.aclose()


# What is left behind


async def test_no_log_holds_a_secret_at_debug(
    sender: HttpSender, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    loop.slow_callback_duration = 0.0
    server, lost = await serve(plain), await serve(cut_at_once)
    for target in (server.url(), lost.url(), f"http://127.0.0.1:{unused_port()}"):
        for method in ("GET", "POST"):
            try:
                await send(
                    sender,
                    method,
                    f"{target}?code=fake-canary",
                    headers={"Authorization": "Bearer fake-canary"},
                    content=b"refresh_token=fake-canary" if method == "POST" else None,
                )
            except ConnectorError as error:
                logging.getLogger("test").exception("failed", exc_info=error)
    await sender.aclose()
    assert len(caplog.records) > 10
    assert "fake-canary" not in caplog.text


async def test_a_sender_closed_while_it_opens_sends_nothing_and_opens_nothing(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, opening, closed = await serve(plain), threading.Event(), threading.Event()
    opened = []
    default_transport = sender_module._default_transport

    def slow(*arguments: Any) -> httpx.AsyncBaseTransport:
        opening.set()
        assert closed.wait(5)
        opened.append(default_transport(*arguments))
        return opened[-1]

    monkeypatch.setattr(sender_module, "_default_transport", slow)
    sender = HttpSender(deadline=5)
    asking = [asyncio.ensure_future(send(sender, "POST", server.url())) for _ in range(2)]
    await asyncio.to_thread(opening.wait, 5)
    await sender.aclose()
    closed.set()
    for failure in await asyncio.gather(*asking, return_exceptions=True):
        assert isinstance(failure, NotSent)
    assert len(opened) == 1
    assert not server.connections


def test_importing_the_package_does_not_import_aiohttp() -> None:
    script = "import sys, connectors_core.http; sys.exit('aiohttp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
