"""What the sender's tests send, and to whom."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from connectors_core.connector import NetworkPermission
from connectors_core.http import HttpSender

LOOPBACK = NetworkPermission(hosts=frozenset({"127.0.0.1", "localhost"}))
PUBLIC_ONLY = NetworkPermission()

Serve = Callable[..., Awaitable[Any]]


async def send(sender: HttpSender, method: str, url: str, **options: Any) -> httpx.Response:
    network = options.pop("network", LOOPBACK)
    deadline = options.pop("deadline", None)
    return await sender.send(httpx.Request(method, url, **options), network=network, deadline=deadline)


def unused_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


async def plain(exchange: Any) -> None:
    await exchange.answer()
