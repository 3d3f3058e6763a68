from __future__ import annotations

import asyncio
import base64
import datetime
import hashlib
import os
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from connectors_core.connector import NetworkPermission
from connectors_core.errors import AddressRefused, AnswerLost, NotSent
from connectors_core.http import HttpSender, transport
from connectors_core.http.addresses import AddressGuard
from connectors_core.http.transport import AiohttpTransport

Serve = Callable[..., Awaitable[Any]]

PUBLIC_ONLY = NetworkPermission()
EVERYTHING = NetworkPermission(private=True)


def listing(*hosts: str) -> NetworkPermission:
    return NetworkPermission(hosts=frozenset(hosts))


class Resolver(AbstractResolver):
    """Answers each question with the next of the given address lists, the last one for ever."""

    def __init__(self, *answers: Iterable[str]) -> None:
        self.answers = [list(answer) for answer in answers]
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        answer = self.answers[min(len(self.asked), len(self.answers) - 1)]
        self.asked.append(host)
        if not answer:
            raise OSError(None, "fake failure")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=0,
            )
            for address in answer
        ]

    async def close(self) -> None:
        pass


@asynccontextmanager
async def sending(**options: Any) -> AsyncIterator[HttpSender]:
    """A sender over a transport with test options; knows its progress, as the default one does."""
    sender = HttpSender(transport=AiohttpTransport(dns_cache=False, **options), deadline=5)
    try:
        yield sender
    finally:
        await sender.aclose()


async def send(
    sender: HttpSender, method: str, url: str, network: NetworkPermission = PUBLIC_ONLY
) -> httpx.Response:
    return await sender.send(httpx.Request(method, url), network=network)


async def plain(exchange: Any) -> None:
    await exchange.answer()


async def closing(exchange: Any) -> None:
    await exchange.answer(headers=("Connection: close",))


# The address guard

NOTATIONS = [
    "127.0.0.1",
    "127.0.0.2",
    "127.1",
    "2130706433",
    "017700000001",
    "0177.0.0.1",
    "0x7f000001",
    "0x7f.0x0.0x0.0x1",
    "0",
    "0.0.0.0",
    "127.0.0.1.",
    "127。0。0。1",
    "１２７.０.０.１",
    "①②⑦.0.0.1",
    "١٢٧.0.0.1",
    "localhost",
    "LocalHost",
    "localhost.",
    "localhost..",
    "ｌｏｃａｌｈｏｓｔ",
    "%6c%6fcalhost",
    "127.0.0.1%00.idp.example",
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[::127.0.0.1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:FFFF:7F00:0001]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]",
    "[2001:0:7f00:1::]",
    "[fe80::1]",
    "[fe80::1%25lo]",
    "[::1%25lo]",
    "[::1%lo]",
    "[fec0::1]",
    "[fd00:ec2::254]",
    "[ff02::1]",
    "[100::1]",
    "169.254.169.254",
    "168.63.129.16",
    "100.100.100.200",
    "192.0.0.192",
    "255.255.255.255",
]


@pytest.mark.parametrize("host", NOTATIONS)
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_no_notation_leads_past_the_guard(serve: Serve, scheme: str, host: str) -> None:
    server = await serve(plain)
    resolver = Resolver(["127.0.0.1", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"])
    async with sending(resolver=resolver) as sender:
        with pytest.raises((AddressRefused, httpx.InvalidURL)):
            await send(sender, "GET", f"{scheme}://{host}:{server.port}/")
        assert (sender.requests_sent, sender.connections_opened, server.connections) == (0, 0, 0)


async def test_a_name_that_leads_to_a_private_address_is_refused_without_naming_it() -> None:
    async with sending(resolver=Resolver(["10.11.12.13"])) as sender:
        with pytest.raises(AddressRefused) as failure:
            await send(sender, "GET", "https://idp.example/path?code=fake-code")
    assert str(failure.value) == (
        "idp.example is not public (private use, RFC 1918);"
        " name it in private_hosts of the connector, or set allow_private_network in development"
    )
    assert failure.value.__context__ is None


async def test_a_name_that_rebinds_is_judged_at_every_connection(serve: Serve) -> None:
    server = await serve(closing, host="0.0.0.0")
    resolver = Resolver(["127.0.0.2"], ["127.0.0.1"])
    url = server.url(host="rebind.localhost")
    async with sending(resolver=resolver) as sender:
        assert (await send(sender, "GET", url, listing("127.0.0.2"))).status_code == 200
        with pytest.raises(AddressRefused):
            await send(sender, "GET", url, listing("127.0.0.2"))
    assert resolver.asked == ["rebind.localhost"] * 2
    assert server.connections == 1


async def test_a_mixed_answer_leads_to_allowed_addresses_only(serve: Serve) -> None:
    server = await serve(plain, host="127.0.0.2")
    other = await asyncio.start_server(lambda r, w: pytest.fail("was reached"), "127.0.0.1", server.port)
    async with sending(resolver=Resolver(["127.0.0.1", "::1", "127.0.0.2"])) as sender:
        answer = await send(sender, "GET", server.url(host="mixed.localhost"), listing("127.0.0.2"))
        assert answer.status_code == 200
    other.close()


@pytest.mark.parametrize("permission", [EVERYTHING, listing("idp.localhost"), listing("IDP.localhost.")])
async def test_a_listed_name_is_reached_wherever_it_leads(
    serve: Serve, permission: NetworkPermission
) -> None:
    server = await serve(plain)
    async with sending(resolver=Resolver(["127.0.0.1"])) as sender:
        assert (await send(sender, "GET", server.url(host="idp.localhost"), permission)).status_code == 200


@pytest.mark.parametrize("entry", ["127.0.0.1", "127.0.0.0/8", "127.0.0.1/8"])
async def test_a_listed_address_is_reached_under_any_name(serve: Serve, entry: str) -> None:
    server = await serve(plain)
    async with sending(resolver=Resolver(["127.0.0.1"])) as sender:
        for host in ("127.0.0.1", "idp.localhost"):
            assert (await send(sender, "GET", server.url(host=host), listing(entry))).status_code == 200


async def test_a_listed_name_opens_no_other_name(serve: Serve) -> None:
    server = await serve(plain)
    async with sending(resolver=Resolver(["127.0.0.1"])) as sender:
        for host in ("evil.localhost", "127.0.0.1", "sub.idp.localhost"):
            with pytest.raises(AddressRefused):
                await send(sender, "GET", server.url(host=host), listing("idp.localhost"))


async def test_a_loopback_name_that_leads_elsewhere_gets_no_plain_http() -> None:
    async with sending(resolver=Resolver(["10.0.0.1"])) as sender:
        with pytest.raises(AddressRefused, match="http is for loopback only"):
            await send(sender, "GET", "http://idp.localhost/", EVERYTHING)


async def test_public_addresses_get_a_socket() -> None:
    connector = transport._Connector(AddressGuard.of(PUBLIC_ONLY))
    transport._attempt.set(transport._Attempt("idp.example", False, False, transport._unreported))
    connector._open_socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("8.8.8.8", 443))).close()
    await connector.close()


async def test_a_name_that_does_not_resolve_is_not_sent() -> None:
    async with sending(resolver=Resolver([])) as sender:
        with pytest.raises(NotSent) as failure:
            await send(sender, "GET", "https://idp.example/")
    assert type(failure.value) is NotSent


# Pools


async def test_connections_are_never_shared_between_permissions(serve: Serve) -> None:
    server = await serve(plain)
    async with sending() as sender:
        for permission in (EVERYTHING, listing("127.0.0.1"), EVERYTHING):
            await send(sender, "GET", server.url(), permission)
        with pytest.raises(AddressRefused):
            await send(sender, "GET", server.url(), PUBLIC_ONLY)
    assert server.connections == 2


async def test_pools_are_bounded_and_those_in_use_are_kept(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "MAX_POOLS", 2)
    release = asyncio.Event()

    async def first_waits(exchange: Any) -> None:
        if exchange.number == 0:
            await exchange.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsl")
            await release.wait()
            await exchange.write(b"ow")
        else:
            await exchange.answer()

    server = await serve(first_waits)
    over = AiohttpTransport()
    sender = HttpSender(transport=over, deadline=5)
    slow = asyncio.create_task(send(sender, "POST", server.url(), listing("127.0.0.1", "slow.example")))
    await server.arrived.wait()
    for number in range(5):
        await send(sender, "POST", server.url(), listing("127.0.0.1", f"{number}.example"))
    assert len(over._pools) == 2
    release.set()
    assert (await slow).text == "slow"
    assert not any(pool.in_use for pool in over._pools.values())
    await sender.aclose()


# TLS


def certificate(folder: Path, *names: str) -> tuple[str, ssl.SSLContext]:
    """Make a self-signed certificate; return its file and a server's context with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.IPAddress(ip_address(n)) if n[0].isdigit() else x509.DNSName(n) for n in names]
            ),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    certificate_file, key_file = folder / "certificate.pem", folder / "key.pem"
    certificate_file.write_bytes(built.public_bytes(pem))
    key_file.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_file, key_file)
    return str(certificate_file), context


async def test_an_unknown_certificate_is_not_sent_to(serve: Serve, tmp_path: Path) -> None:
    _, context = certificate(tmp_path, "idp.example")
    server = await serve(plain, tls=context)
    async with sending(resolver=Resolver(["127.0.0.1"])) as sender:
        with pytest.raises(NotSent, match=r"certificate is not accepted \(self-signed certificate\)"):
            await send(sender, "POST", server.url(scheme="https", host="idp.example"), EVERYTHING)
    assert not server.exchanges


async def test_a_certificate_of_the_ca_file_is_accepted_for_its_names(serve: Serve, tmp_path: Path) -> None:
    ca_file, context = certificate(tmp_path, "idp.example", "127.0.0.1")
    server = await serve(plain, tls=context)
    async with sending(resolver=Resolver(["127.0.0.1"]), ca_file=ca_file) as sender:
        for host in ("idp.example", "127.0.0.1", "idp.example."):
            url = server.url(scheme="https", host=host)
            assert (await send(sender, "POST", url, EVERYTHING)).status_code == 200
            assert (await send(sender, "POST", url, EVERYTHING)).status_code == 200
        assert sender.connections_opened == 3
        with pytest.raises(NotSent, match="certificate is not accepted"):
            await send(sender, "POST", server.url(scheme="https", host="other.example"), EVERYTHING)


NAMED_TEST = hashlib.sha1(bytes.fromhex("310d300b0603550403") + b"\x0c\x04test").digest()
"""Of a subject with the common name "test": OpenSSL looks in a folder for files named after this."""

ASK = """
import asyncio, sys, httpx
from connectors_core.connector import NetworkPermission
from connectors_core.http import HttpSender

async def ask(url, ca_file=None):
    sender = HttpSender(ca_file=ca_file)
    try:
        await sender.send(httpx.Request("GET", url), network=NetworkPermission(private=True))
    finally:
        await sender.aclose()

asyncio.run(ask(*sys.argv[1:]))
"""


async def test_the_environment_neither_adds_authorities_nor_learns_session_keys(
    serve: Serve, tmp_path: Path
) -> None:
    ca_file, context = certificate(tmp_path, "127.0.0.1")
    (tmp_path / f"{int.from_bytes(NAMED_TEST[:4], 'little'):08x}.0").symlink_to(ca_file)
    server = await serve(plain, tls=context)

    async def ask(*arguments: str, **environ: str) -> str:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", ASK, server.url(scheme="https"), *arguments),
            env={**os.environ, **environ},
            stderr=asyncio.subprocess.PIPE,
        )
        return (await process.communicate())[1].decode()

    key_log = tmp_path / "keys.log"
    assert await ask(ca_file, SSLKEYLOGFILE=str(key_log)) == ""
    # aiohttp opens it while it is imported, for a context of its own that is never used.
    assert not key_log.exists() or "SECRET" not in key_log.read_text()
    for name, value in {"SSL_CERT_FILE": ca_file, "SSL_CERT_DIR": str(tmp_path)}.items():
        assert "certificate is not accepted" in await ask(**{name: value})


async def test_a_server_without_tls_is_not_sent_to() -> None:
    async def no_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(no_tls, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with sending() as sender:
        with pytest.raises(NotSent, match="TLS failed"):
            await send(sender, "POST", f"https://127.0.0.1:{port}/", EVERYTHING)
    server.close()


async def test_a_tls_connection_cut_after_the_request_is_an_answer_lost(serve: Serve, tmp_path: Path) -> None:
    async def cut(exchange: Any) -> None:
        exchange.cut()

    ca_file, context = certificate(tmp_path, "127.0.0.1")
    server = await serve(cut, tls=context)
    async with sending(ca_file=ca_file) as sender:
        with pytest.raises(AnswerLost):
            await send(sender, "POST", server.url(scheme="https"), EVERYTHING)
    assert len(server.exchanges) == 1


# An egress proxy


class Proxy:
    """A CONNECT proxy that leads every tunnel to one port of this machine."""

    def __init__(self, target: int, status: str = "200 OK") -> None:
        self.target, self.status = target, status
        self.heads: list[str] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Proxy:
        self.server = await asyncio.start_server(self.connected, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *details: object) -> None:
        self.server.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for writer in self.writers:
            writer.transport.abort()
        await asyncio.sleep(0)

    def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tasks.append(asyncio.ensure_future(self.tunnel(reader, writer)))

    async def tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(f"HTTP/1.1 {self.status}\r\n\r\n".encode())
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        self.writers.append(far_writer)

        async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            try:
                while data := await source.read(65536):
                    sink.write(data)
            finally:
                sink.close()

        await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer))


async def test_a_proxy_connects_and_the_guard_judges_what_is_written(serve: Serve, tmp_path: Path) -> None:
    ca_file, context = certificate(tmp_path, "idp.example")
    server = await serve(plain, tls=context)
    async with Proxy(server.port) as proxy:
        url = f"http://fake-user:fake-pass@127.0.0.1:{proxy.port}"
        async with sending(ca_file=ca_file, proxy=url, resolver=Resolver(["127.0.0.1"])) as sender:
            assert (await send(sender, "POST", "https://idp.example/token")).status_code == 200
            for host in ("10.0.0.1", "[::ffff:10.0.0.1]", "2130706433", "127.0.0.1", "localhost"):
                with pytest.raises(AddressRefused):
                    await send(sender, "POST", f"https://{host}/token")
    assert len(proxy.heads) == 1
    assert proxy.heads[0].startswith("CONNECT idp.example:443 HTTP/1.1\r\n")
    credentials = base64.b64encode(b"fake-user:fake-pass").decode()
    assert f"Proxy-Authorization: Basic {credentials}" in proxy.heads[0]
    assert server.exchanges[0].header("Proxy-Authorization") == []


async def test_a_proxy_that_refuses_is_not_sent() -> None:
    async with (
        Proxy(0, "403 Forbidden") as proxy,
        sending(proxy=f"http://fake-user:fake-pass@127.0.0.1:{proxy.port}") as sender,
    ):
        with pytest.raises(NotSent) as failure:
            await send(sender, "POST", "https://idp.example/token")
    assert "fake" not in str(failure.value)


async def test_loopback_is_never_proxied(serve: Serve) -> None:
    server, proxy = await serve(plain), await serve(plain)
    async with sending(proxy=proxy.url()) as sender:
        assert (await send(sender, "GET", server.url(), EVERYTHING)).status_code == 200
    assert not proxy.connections
