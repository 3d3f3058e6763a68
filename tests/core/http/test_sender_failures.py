from __future__ import annotations

import asyncio
import socket
import threading
import time
from typing import Any

import pytest

from connectors_core.errors import (
    AddressRefused,
    AnswerLost,
    ConnectorMisconfigured,
    NotSent,
)
from connectors_core.http import HttpSender
from tests.core.http.sending import PUBLIC_ONLY, Serve, plain, send, unused_port


async def test_a_refused_connection_is_not_sent(sender: HttpSender) -> None:
    with pytest.raises(NotSent) as failure:
        await send(sender, "POST", f"http://127.0.0.1:{unused_port()}/token?code=fake-code")
    assert str(failure.value) == "127.0.0.1 could not be asked: Connection refused"
    assert (sender.requests_sent, sender.connections_opened) == (0, 0)


async def cut_at_once(exchange: Any) -> None:
    exchange.cut()


async def close_at_once(exchange: Any) -> None:
    exchange.writer.close()


async def cut_in_head(exchange: Any) -> None:
    await exchange.write(b"HTTP/1.1 200 OK\r\nContent-Le")
    exchange.cut()


async def close_in_body(exchange: Any) -> None:
    await exchange.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"access_token":')
    exchange.writer.close()


async def close_in_chunk(exchange: Any) -> None:
    await exchange.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab")
    exchange.writer.close()


async def garbage(exchange: Any) -> None:
    await exchange.write(b"\x16\x03\x01 what is this\r\n\r\n")


async def bad_status(exchange: Any) -> None:
    await exchange.write(b"HTTP/1.1 abc OK\r\n\r\n")


async def bad_chunk(exchange: Any) -> None:
    await exchange.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n")


async def two_lengths(exchange: Any) -> None:
    await exchange.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab")


async def huge_header(exchange: Any) -> None:
    await exchange.answer(headers=("X-Big: " + "x" * 1_000_000,))


async def many_headers(exchange: Any) -> None:
    await exchange.answer(headers=tuple(f"X-{i}: x" for i in range(10_000)))


async def upgrade(exchange: Any) -> None:
    await exchange.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\nxx")


@pytest.mark.parametrize(
    "misbehave",
    [
        cut_at_once,
        close_at_once,
        cut_in_head,
        close_in_body,
        close_in_chunk,
        garbage,
        bad_status,
        bad_chunk,
        two_lengths,
        huge_header,
        many_headers,
        upgrade,
    ],
)
async def test_an_answer_lost_after_a_post_left_is_told_and_never_resent(
    sender: HttpSender, serve: Serve, misbehave: Any
) -> None:
    server = await serve(misbehave)
    with pytest.raises(AnswerLost) as failure:
        await send(sender, "POST", server.url("/token?code=fake-code"), content=b"fake-secret", deadline=1)
    assert len(server.exchanges) == 1
    assert sender.requests_sent == 1
    assert "fake" not in str(failure.value)
    assert "127.0.0.1" in str(failure.value)
    assert failure.value.__cause__ is None
    assert failure.value.__context__ is None


async def test_a_get_on_a_connection_that_died_is_repeated_once(sender: HttpSender, serve: Serve) -> None:
    async def second_dies(exchange: Any) -> None:
        if exchange.number == 1:
            exchange.cut()
        else:
            await exchange.answer()

    server = await serve(second_dies)
    await send(sender, "GET", server.url())
    assert (await send(sender, "GET", server.url())).status_code == 200
    assert len(server.exchanges) == 3
    assert sender.connections_opened == 2


async def test_a_post_on_a_connection_that_died_is_lost(sender: HttpSender, serve: Serve) -> None:
    async def second_dies(exchange: Any) -> None:
        if exchange.number == 1:
            exchange.cut()
        else:
            await exchange.answer()

    server = await serve(second_dies)
    await send(sender, "POST", server.url())
    with pytest.raises(AnswerLost):
        await send(sender, "POST", server.url())
    assert len(server.exchanges) == 2


class ThreadedServer:
    """Answers in a thread of its own, so that it goes on while the event loop is held up."""

    def __init__(self, body: bytes = b"ok", *, close_after_first: bool = False) -> None:
        self.body = body
        self.close_after_first = close_after_first
        self.closed = threading.Event()
        self.release = threading.Event()
        self.answered = threading.Event()
        self.requests = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self) -> None:
        for _ in range(2):
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            with peer:
                while data := peer.recv(65536):
                    self.requests += b"HTTP/1.1" in data
                    if not self.close_after_first:
                        self.release.wait(5)
                    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(self.body))
                    self.answered.set()
                    peer.sendall(self.body)
                    if self.close_after_first and not self.closed.is_set():
                        break
            self.closed.set()

    def stop(self) -> None:
        self.listener.close()


async def test_a_post_does_not_take_a_connection_that_was_closed_while_the_process_was_paused(
    sender: HttpSender,
) -> None:
    server = ThreadedServer(close_after_first=True)
    url = f"http://127.0.0.1:{server.port}/"
    await send(sender, "POST", url)
    assert server.closed.wait(5)  # the event loop stands still, and has not seen the end of the connection
    assert (await send(sender, "POST", url)).text == "ok"
    assert (sender.connections_opened, sender.requests_sent, server.requests) == (2, 2, 2)
    await sender.aclose()
    server.stop()


@pytest.mark.parametrize("size", [2, 900_000])
async def test_an_answer_that_arrived_during_a_pause_is_not_thrown_away(
    sender: HttpSender, size: int
) -> None:
    server = ThreadedServer(b"x" * size)
    loop = asyncio.get_running_loop()

    def pause() -> None:
        server.release.set()
        assert server.answered.wait(5)
        # The event loop stands still as under SIGSTOP, until the deadline is long over.
        time.sleep(max(0.0, started + 0.4 - loop.time()))

    started = loop.time()
    loop.call_later(0.1, pause)
    answer = await send(sender, "POST", f"http://127.0.0.1:{server.port}/", deadline=0.2)
    assert len(answer.content) == size
    await sender.aclose()
    server.stop()


async def test_the_deadline_covers_the_whole_exchange(sender: HttpSender, serve: Serve) -> None:
    async def trickle(exchange: Any) -> None:
        await exchange.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while True:
            await exchange.write(b"x")
            await asyncio.sleep(0)

    server = await serve(trickle)
    with pytest.raises(AnswerLost, match="the deadline passed"):
        await send(sender, "POST", server.url(), deadline=0.1)


async def test_endless_interim_answers_end_with_the_deadline(sender: HttpSender, serve: Serve) -> None:
    async def interim(exchange: Any) -> None:
        while True:
            await exchange.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            await asyncio.sleep(0)

    server = await serve(interim)
    with pytest.raises(AnswerLost):
        await send(sender, "POST", server.url(), deadline=0.1)


async def test_a_deadline_before_the_connection_stands_is_not_sent(sender: HttpSender) -> None:
    listener = socket.create_server(("127.0.0.1", 0))  # accepts in the kernel, never speaks TLS
    with pytest.raises(NotSent, match="the deadline passed"):
        await send(sender, "POST", f"https://127.0.0.1:{listener.getsockname()[1]}/", deadline=0.1)
    assert (sender.requests_sent, sender.connections_opened) == (0, 0)
    listener.close()


async def test_a_cancelled_caller_is_cancelled_and_the_sender_lives_on(
    sender: HttpSender, serve: Serve
) -> None:
    async def first_hangs(exchange: Any) -> None:
        if exchange.number == 0:
            await asyncio.Event().wait()
        await exchange.answer()

    server = await serve(first_hangs)
    task = asyncio.create_task(send(sender, "POST", server.url()))
    await server.arrived.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await send(sender, "POST", server.url())).status_code == 200


async def test_a_closed_sender_sends_nothing(serve: Serve) -> None:
    server = await serve(plain)
    sender = HttpSender()
    await send(sender, "GET", server.url())
    await sender.aclose()
    await sender.aclose()
    with pytest.raises(NotSent):
        await send(sender, "GET", server.url())
    assert len(server.exchanges) == 1


async def test_an_unreadable_ca_file_or_proxy_is_a_matter_of_configuration(tmp_path: Any) -> None:
    (tmp_path / "empty.pem").write_text("nothing")
    for options in (
        {"ca_file": str(tmp_path / "missing.pem")},
        {"ca_file": str(tmp_path / "empty.pem")},
        {"proxy": "socks5://127.0.0.1"},
        {"proxy": "127.0.0.1:3128"},
    ):
        with pytest.raises(ConnectorMisconfigured):
            await send(HttpSender(**options), "GET", "https://127.0.0.1/")


def test_one_sender_serves_one_event_loop() -> None:
    sender = HttpSender()

    async def ask() -> None:
        await send(sender, "GET", "https://127.0.0.1/", network=PUBLIC_ONLY)

    first = asyncio.new_event_loop()
    with pytest.raises(AddressRefused):
        first.run_until_complete(ask())
    with pytest.raises(NotSent, match="another event loop"):
        asyncio.run(ask())
    first.run_until_complete(sender.aclose())
    first.run_until_complete(first.shutdown_default_executor())
    first.close()
