"""``connectors tokens revoke`` as a process of its own, before a provider behind a socket. RFC 7009."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from connectors_core import Hub
from connectors_core.storage.database import open_database
from connectors_core.testing.provider import Client, Provider
from connectors_core.testing.provider.messages import Response
from connectors_core.vault.outbox import Outcome

MAIN = "import sys; from connectors_core.cli import main; sys.exit(main())"
KEY = "k1:" + "A" * 43
REDIRECT_URI = "http://127.0.0.1:8000/callback/acme"


@dataclass
class Host:
    """A host with one person's tokens, and the provider that granted them."""

    provider: Provider
    config: Path
    url: str
    identity: str = ""

    async def start(self, *words: str) -> Process:
        environ = {**os.environ, "KEYS": KEY, "SECRET": Client().secret}
        words = ("-c", MAIN, "--config", str(self.config), "tokens", *words)
        return await asyncio.create_subprocess_exec(
            sys.executable, *words, stdout=PIPE, stderr=PIPE, env=environ
        )

    async def revoke(self) -> tuple[int | None, str, str]:
        process = await self.start("revoke", "user-1", "acme")
        said, complained = await process.communicate()
        return process.returncode, said.decode(), complained.decode()

    def hub(self, *, later: float = 0.0) -> Hub:
        return Hub.from_config(self.config, clock=lambda: time.time() + later)

    async def left(self) -> tuple[int, int]:
        """How many token sets are kept, and how many revocations wait."""
        database = open_database(self.url)
        [(kept, waiting)] = await database.fetch(
            "SELECT (SELECT COUNT(*) FROM connectors_secrets), (SELECT COUNT(*) FROM connectors_revocations)"
        )
        await database.aclose()
        return kept, waiting

    def sent(self) -> list[str]:
        return [request.parameters["token_type_hint"] for request in self.provider.requests.of("revoke")]


@pytest.fixture(params=["sqlite", "postgresql"])
async def host(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Host]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/connectors.db"
    else:
        url = request.getfixturevalue("postgres_schema")
    provider = Provider(rotation="strict")
    monkeypatch.setenv("KEYS", KEY)
    monkeypatch.setenv("SECRET", Client().secret)
    async with provider.serving():
        provider.register("client-1", secret=Client().secret, redirect_uris=(REDIRECT_URI,))
        config = tmp_path / "connectors.toml"
        config.write_text(f"""
[host]
database = "{url}"
vault_keys = "env:KEYS"
allow_private_network = true
[connectors.acme]
type = "oidc"
token_storage = true
[connectors.acme.config]
issuer = "{provider.issuer}"
clientId = "client-1"
clientSecret = "env:SECRET"
scope = "openid offline_access"
""")
        config.chmod(0o600)
        host = Host(provider, config, url)
        async with host.hub() as hub:
            started = await hub.begin("acme", redirect_uri=REDIRECT_URI)
            landing = await provider.visit(started.uri)
            completed = await hub.complete(landing.query, connector="acme", binding=started.binding)
            host.identity = (await hub.link(completed, owner="user-1")).id
        yield host


async def test_it_tells_the_provider_the_refresh_token_first(host: Host) -> None:
    refresh, access = (
        next(iter(host.provider.ledger.refresh_tokens)),
        next(iter(host.provider.ledger.access_tokens)),
    )
    code, said, complained = await host.revoke()
    assert (code, said, complained) == (0, "forgotten; providers told: revoked\n", "")
    sent = [
        (request.parameters["token_type_hint"], request.parameters["token"])
        for request in host.provider.requests.of("revoke")
    ]
    assert sent == [("refresh_token", refresh), ("access_token", access)]
    assert host.provider.ledger.grants[0].revoked == "revocation"
    assert await host.left() == (0, 0)
    for secret in (refresh, access):
        assert secret not in said


async def test_an_outage_is_outlived(host: Host) -> None:
    host.provider.answer_next("revoke", Response(status=503))
    code, said, _ = await host.revoke()
    assert (code, said) == (0, "forgotten; providers told: later\n")
    assert await host.left() == (0, 1)
    await told_later(host)


async def test_a_process_that_is_killed_while_it_tells_leaves_it_to_the_next(host: Host) -> None:
    release = host.provider.hold("revoke")
    process = await host.start("revoke", "user-1", "acme")
    async with asyncio.timeout(20):
        while not host.sent():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert await process.wait() == -signal.SIGKILL
    await process.communicate()
    assert await host.left() == (0, 1)
    release.set()
    await told_later(host)
    assert host.sent() == ["refresh_token", "refresh_token", "access_token"]


async def told_later(host: Host) -> None:
    async with host.hub() as hub:
        assert await hub.drain_revocations() == [], "it is too early"
    if host.url.startswith("postgresql"):
        database = open_database(host.url)
        await database.fetch("UPDATE connectors_revocations SET next_at = next_at - 31")
        await database.aclose()
    async with host.hub(later=31) as hub:
        assert [told.outcome for told in await hub.drain_revocations()] == [Outcome.REVOKED]
    assert host.provider.ledger.grants[0].revoked == "revocation"
    assert await host.left() == (0, 0)
