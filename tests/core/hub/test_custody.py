"""Tokens in another database than the identities: by region, as ``docs/vault.md`` shows it."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from connectors_core import ConnectorMetadata, Hub, Registry
from connectors_core.cli import main
from connectors_core.errors import ConfigurationError, ConnectorMisconfigured, NotLinked, StorageError
from connectors_core.grants import GrantStatus, InactiveReason, SealedRow
from connectors_core.hookspecs import DISCARD, VaultAt, hookimpl
from connectors_core.http import HttpSender
from connectors_core.oidc import OIDCConfig, OIDCConnector
from connectors_core.storage.database import OpenDatabase, open_database
from connectors_core.testing.provider import Client, Person, Provider
from connectors_core.testing.sealed_rows import Change, SealedRowStoreConformance, row
from connectors_core.vault import Keyring
from connectors_core.vault.detached import DetachedSealedRows
from connectors_core.vault.outbox import Outcome

ROOT = Path(__file__).parents[3]
OURS, THEIRS = b"obviously-fake-key-of-32-bytes-1", b"obviously-fake-key-of-32-bytes-2"
CONFIG = {"clientId": "client-1", "clientSecret": Client().secret}
REDIRECT_URI = "https://host.test/callback"


class Acme(OIDCConnector):
    id = "acme"
    metadata = ConnectorMetadata(name={"en": "Acme"})
    Config = OIDCConfig
    issuer = "https://provider.test"
    scopes = ("openid", "offline_access")


def regions() -> Any:
    """The plugin of the document, as it stands there."""
    text = (ROOT / "docs" / "vault.md").read_text(encoding="utf-8")
    (block,) = [each for each in re.findall(r"(?ms)^```python\n(.*?)^```", text) if "class Regions" in each]
    names: dict[str, Any] = {}
    exec(compile(block, "docs/vault.md", "exec"), names)
    return names["Regions"]()


def encoded(kid: str, key: bytes) -> str:
    return f"{kid}:{base64.b64encode(key).decode()}"


class World:
    """A hub with its database here and another in the EU, before a provider in memory."""

    def __init__(self, folder: Path, clock: Any) -> None:
        self.url, self.clock = f"sqlite:///{folder}/hub.db", clock
        self.provider = Provider(clock=clock)
        self.registry = Registry()
        self.registry.register(Acme)
        self.registry.plugins.register(regions())

    def hub(self, **options: Any) -> Hub:
        sender = HttpSender(transport=self.provider.transport())
        usual = {"database": self.url, "keys": Keyring({"k1": OURS}), "sender": sender, "clock": self.clock}
        hub = Hub(self.registry, **usual | options)
        hub.add("acme", config=CONFIG, token_storage=True)
        return hub

    async def granted(self, hub: Hub, owner: str) -> Any:
        started = await hub.begin("acme", redirect_uri=REDIRECT_URI)
        landing = await self.provider.visit(started.uri)
        return await hub.complete(landing.query, connector="acme", binding=started.binding)

    async def link(self, hub: Hub, owner: str) -> Any:
        return await hub.link(await self.granted(hub, owner), owner=owner)


@pytest.fixture(params=["sqlite", "postgresql"])
def eu_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/eu.db"
    url: str = request.getfixturevalue("postgres_schema")
    return url


@pytest.fixture
def world(tmp_path: Path, clock: Any, eu_url: str, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("EU_DATABASE", eu_url)
    monkeypatch.setenv("EU_KEYS", encoded("eu-1", THEIRS))
    return World(tmp_path, clock)


@pytest.fixture
async def eu(eu_url: str, world: World) -> AsyncIterator[OpenDatabase]:
    database = open_database(eu_url)
    yield database
    await database.aclose()


async def count(database: Any, table: str) -> int:
    return int((await database.fetch(f"SELECT COUNT(*) FROM connectors_{table}"))[0][0])


@pytest.mark.parametrize(
    ("owner", "here", "there"), [("us:1", 1, 0), ("eu:1", 0, 1), ("guest:1", 0, 0)], ids=["us", "eu", "guest"]
)
async def test_an_owner_s_region_decides_where_the_tokens_are(
    world: World, eu: OpenDatabase, owner: str, here: int, there: int
) -> None:
    async with world.hub() as hub:
        await world.link(hub, owner)
        assert (await count(hub.database, "secrets"), await count(eu, "secrets")) == (here, there)
        assert await count(eu, "identities") == there
        (status,) = await hub.token_states(owner)
        if owner == "guest:1":
            assert status.status is GrantStatus.NOT_APPLICABLE
            with pytest.raises(NotLinked):
                await hub.access_token("acme", owner=owner)
            return
        assert status.status is GrantStatus.ACTIVE
        first = await hub.access_token("acme", owner=owner)
        world.clock.advance(3600)
        second = await hub.access_token("acme", owner=owner)
        assert first.access_token != second.access_token
        assert status.state is not None
        assert status.state.kid == ("eu-1" if there else "k1")


async def test_what_is_due_in_any_region_is_renewed_ahead(world: World, eu: OpenDatabase) -> None:
    async with world.hub() as hub:
        await world.link(hub, "us:1")
        world.provider.people = {"bob-1": Person(sub="bob-1")}
        await world.link(hub, "eu:1")
        for owner in ("us:1", "eu:1"):
            await hub.access_token("acme", owner=owner)
        world.clock.advance(3590)
        assert await hub.refresher().round() == 2
        for database in (hub.database, eu):
            assert await database.fetch("SELECT generation FROM connectors_secrets") == [(2,)]


async def test_nothing_of_an_owner_elsewhere_is_in_the_hub_s_files(world: World, tmp_path: Path) -> None:
    async with world.hub() as hub:
        await world.link(hub, "eu:1")
        dump = await hub.database.call(lambda connection: "\n".join(connection.iterdump()))  # type: ignore[attr-defined]
    assert "eu-1" not in dump
    files = b"".join(path.read_bytes() for path in tmp_path.glob("hub.db*"))  # noqa: ASYNC240
    assert files
    for secret in world.provider.secrets():
        assert secret not in dump
        assert secret.encode() not in files


async def test_unlinking_takes_the_tokens_there_and_the_copy_along_and_tells_the_provider(
    world: World, eu: OpenDatabase
) -> None:
    async with world.hub() as hub:
        identity = await world.link(hub, "eu:1")
        assert await hub.unlink(identity.id, owner="eu:1")
        assert (await count(eu, "secrets"), await count(eu, "identities")) == (0, 0)
        assert await count(eu, "revocations") == 1
    async with world.hub() as hub:
        assert [told.outcome for told in await hub.drain_revocations()] == [Outcome.REVOKED]
        assert world.provider.ledger.grants[0].revoked == "revocation"
        assert (await count(eu, "revocations"), await count(hub.database, "revocations")) == (0, 0)
        again = await world.link(hub, "eu:1")
        assert again.id != identity.id
        assert await count(eu, "secrets") == 1


async def test_revoking_keeps_the_identity_and_a_later_grant_is_kept_again(
    world: World, eu: OpenDatabase
) -> None:
    async with world.hub() as hub:
        identity = await world.link(hub, "eu:1")
        assert await hub.revoke_tokens(identity.id, owner="eu:1")
        (status,) = await hub.token_states("eu:1")
        assert status.reason is InactiveReason.NOT_STORED
        await hub.save_tokens(await world.granted(hub, "eu:1"), identity)
        assert await count(eu, "secrets") == 1


async def test_a_removed_connector_takes_the_tokens_of_every_region_along(
    world: World, eu: OpenDatabase
) -> None:
    async with world.hub() as hub:
        await world.link(hub, "eu:1")
        assert await hub.remove("acme") == 1
        assert (await count(eu, "secrets"), await count(eu, "identities")) == (0, 0)
    assert world.provider.ledger.grants[0].revoked == "revocation"


async def test_what_is_kept_after_the_identity_went_is_forgotten_again(
    world: World, eu: OpenDatabase
) -> None:
    """No foreign key reaches from one database into the other."""
    async with world.hub() as hub:
        identity = await world.link(hub, "eu:1")
        completed = await world.granted(hub, "eu:1")
        await hub.unlink(identity.id, owner="eu:1")
        with pytest.raises(NotLinked):
            await hub.save_tokens(completed, identity)
        assert (await count(eu, "secrets"), await count(eu, "identities")) == (0, 0)


class Moved:
    """Owners whose region is another now."""

    def __init__(self, **regions: Any) -> None:
        self.regions = regions

    @hookimpl(tryfirst=True)
    def select_token_store(self, owner: str) -> Any:
        return self.regions.get(owner.replace(":", "_"))


async def test_what_was_granted_in_an_earlier_region_is_forgotten_too(world: World, eu: OpenDatabase) -> None:
    async with world.hub() as hub:
        identity = await world.link(hub, "us:1")
        moved = Moved(us_1="eu")
        world.registry.plugins.register(moved)
        await hub.save_tokens(await world.granted(hub, "us:1"), identity)
        assert (await count(hub.database, "secrets"), await count(eu, "secrets")) == (1, 1)
        assert await hub.revoke_tokens(identity.id, owner="us:1")
        assert (await count(hub.database, "secrets"), await count(eu, "secrets")) == (0, 0)
        await hub.save_tokens(await world.granted(hub, "us:1"), identity)
        moved.regions["us_1"] = DISCARD
        assert await hub.unlink(identity.id, owner="us:1")
        assert (await count(eu, "secrets"), await count(eu, "identities")) == (0, 0)
        assert {told.outcome for told in await hub.drain_revocations()} == {Outcome.REVOKED}
    assert [grant.revoked for grant in world.provider.ledger.grants] == ["revocation"] * 3


@pytest.mark.parametrize(
    ("owner", "queued", "here", "there"),
    [("us:1", True, 1, 0), ("eu:1", True, 0, 1), ("guest:1", False, 0, 0)],
    ids=["us", "eu", "guest"],
)
async def test_what_is_abandoned_waits_where_the_owner_s_tokens_are(
    world: World, eu: OpenDatabase, owner: str, queued: bool, here: int, there: int
) -> None:
    async with world.hub() as hub:
        identity = await world.link(hub, owner)
        completed = await world.granted(hub, owner)
        assert await hub.abandon(completed) is queued
        assert (await count(hub.database, "revocations"), await count(eu, "revocations")) == (here, there)
        await hub.revoke_tokens(identity.id, owner=owner)
        told = [each.outcome for each in await hub.drain_revocations()]
        assert told == [Outcome.REVOKED] * (2 * queued)


async def test_a_region_that_is_away_keeps_what_is_to_be_revoked_waiting_and_nothing_else(
    world: World, eu: OpenDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any, **__: Any) -> Any:
        raise StorageError("PostgreSQL cannot be reached")

    async with world.hub() as hub:
        identity = await world.link(hub, "us:1")
        await hub.access_token("acme", owner="us:1")
        keeping, access = hub._shared.keeping, hub._shared.access
        assert keeping is not None
        assert access is not None
        await asyncio.gather(*access._notes.values())
        rows = keeping._others["eu"].vault.rows
        with monkeypatch.context() as outage:
            for method in ("due", "same_grant", "state", "take_revocations", "expired_revocations"):
                outage.setattr(rows, method, away)
            world.clock.advance(3590)
            assert await hub.refresher().round() == 1
            with pytest.raises(StorageError):
                await hub.unlink(identity.id, owner="us:1")
            assert [each.id for each in await hub.identities("us:1")] == [identity.id]
            assert await count(hub.database, "revocations") == 1
            with pytest.raises(StorageError):
                await hub.drain_revocations()
            assert await count(hub.database, "revocations") == 1
        assert await hub.unlink(identity.id, owner="us:1")
        world.clock.advance(3600)
        assert [told.outcome for told in await hub.drain_revocations()] == [Outcome.REVOKED]


async def test_a_set_of_the_same_grant_in_another_region_keeps_the_provider_from_being_told(
    world: World,
) -> None:
    async with world.hub() as hub:
        acme = hub.tenant("acme")
        acme.add("acme", config=CONFIG, token_storage=True)
        await world.link(hub, "us:1")
        started = await acme.begin("acme", redirect_uri=REDIRECT_URI)
        landing = await world.provider.visit(started.uri)
        completed = await acme.complete(landing.query, connector="acme", binding=started.binding)
        there = await acme.link(completed, owner="eu:1")
        await acme.unlink(there.id, owner="eu:1")
        assert [told.outcome for told in await hub.drain_revocations()] == [Outcome.NEEDED]


async def test_a_wrong_key_of_a_region_is_found_at_the_start(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world.hub():
        pass
    monkeypatch.setenv("EU_KEYS", encoded("eu-1", OURS))
    with pytest.raises(ConfigurationError, match="eu-1 is not the one that this database knows"):
        await world.hub().__aenter__()


async def test_a_vault_that_nobody_names_is_an_error_and_nothing_is_kept_here(
    tmp_path: Path, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EU_DATABASE", f"sqlite:///{tmp_path}/eu.db")
    monkeypatch.setenv("EU_KEYS", encoded("eu-1", THEIRS))
    world = World(tmp_path, clock)

    class Typo:
        @hookimpl(tryfirst=True)
        def select_token_store(self, owner: str) -> Any:
            return "ue" if owner.startswith("eu:") else None

    world.registry.plugins.register(Typo())
    async with world.hub() as hub:
        with pytest.raises(ConnectorMisconfigured, match="named 'ue', which no plugin names"):
            await world.link(hub, "eu:1")
        assert await count(hub.database, "secrets") == 0
    async with world.hub(database=None, keys=None) as hub:
        with pytest.raises(ConnectorMisconfigured, match="it has no database or no key"):
            await world.link(hub, "eu:1")


@pytest.mark.parametrize("answer", [{"eu": "sqlite:///eu.db"}, {"e u": VaultAt(database="sqlite://")}])
async def test_a_plugin_that_names_no_vault_properly_is_told(
    tmp_path: Path, clock: Any, answer: dict[str, Any]
) -> None:
    class Wrong:
        @hookimpl
        def register_vaults(self) -> Any:
            return answer

    registry = Registry()
    registry.plugins.register(Wrong())
    with pytest.raises(ConnectorMisconfigured, match="register_vaults must answer"):
        await Hub(registry, database=f"sqlite:///{tmp_path}/h.db", keys=Keyring({"k1": OURS})).__aenter__()


class TestDetachedSealedRows(SealedRowStoreConformance):
    @pytest.fixture
    def rows(self, database: OpenDatabase) -> DetachedSealedRows:
        return DetachedSealedRows(database)

    @pytest.fixture
    def link(self) -> Change:
        async def link(ref: Any) -> None:
            """The identity is in another database."""

        return link

    @pytest.fixture
    def unlink(self, rows: DetachedSealedRows) -> Change:
        async def unlink(ref: Any) -> None:
            await rows.delete(ref.tenant, ref.identity, kind="tokens", now=self.now)

        return unlink

    async def test_a_row_without_an_identity_is_not_kept(self, rows: DetachedSealedRows) -> None:  # type: ignore[override]
        """It brings its own, which goes with it."""
        kept = row()
        assert await rows.add(kept)
        assert not await rows.add(row(kid="k2"))
        assert await count(rows._database, "identities") == 1
        assert await rows.delete("default", kept.state.ref.identity, kind=kept.kind, now=self.now)
        assert await count(rows._database, "identities") == 0

    async def test_an_identity_proper_is_never_taken_along(
        self, rows: DetachedSealedRows, database: OpenDatabase
    ) -> None:
        """Where somebody names the hub's own database for a region."""
        kept: SealedRow = row()
        assert await rows.add(kept)
        await database.fetch("UPDATE connectors_identities SET identity_group = 'acme'")
        assert await rows.delete("default", kept.state.ref.identity, kind=kept.kind, now=self.now)
        assert await count(database, "identities") == 1


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(
    tmp_path: Path,
    world: World,
    installation: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """The commands of a host where the plugin of the document is installed."""
    text = (ROOT / "docs" / "vault.md").read_text(encoding="utf-8")
    (block,) = [each for each in re.findall(r"(?ms)^```python\n(.*?)^```", text) if "class Regions" in each]
    entry_points = {"connectors_core.plugins": {"regions": "acme_regions:plugin"}}
    installation.add("acme-regions", entry_points, {"acme_regions": f"{block}\nplugin = Regions()\n"})
    config = f'[host]\ndatabase = "{world.url}"\nvault_keys = "env:OUR_KEYS"\n'
    (tmp_path / "connectors.toml").write_text(config)
    monkeypatch.setenv("OUR_KEYS", encoded("k1", OURS))
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str, str]:
        code = main(list(words))
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


async def test_the_commands_see_every_vault(world: World, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async with world.hub() as hub:
        await world.link(hub, "us:1")
    world.provider.people = {"bob-1": Person(sub="bob-1")}
    async with world.hub() as hub:
        await world.link(hub, "eu:2")

    async def ran(*words: str) -> tuple[int, str, str]:
        return await asyncio.to_thread(run, *words)

    code, said, _ = await ran("tokens", "list", "--json")
    assert code == 0
    assert [(told["owner"], told["vault"], told["key"]) for told in json.loads(said)["tokens"]] == [
        ("us:1", None, "k1"),
        ("eu:2", "eu", "eu-1"),
    ]
    _, said, _ = await ran("tokens", "list")
    assert [line.split()[-1] for line in said.splitlines()] == ["VAULT", "-", "eu"]
    assert "eu-1" in (await ran("tokens", "show", "eu:2", "acme"))[1]

    code, said, complaint = await ran("vault", "status")
    assert (code, "there are other vaults, with keys of their own: --vault eu" in complaint) == (0, True)
    assert "k1" in said
    assert "eu-1" not in said
    monkeypatch.setenv("EU_KEYS", f"{os.environ['EU_KEYS']},{encoded('eu-2', OURS)}")
    assert (await ran("vault", "--vault", "eu", "key", "add", "eu-2"))[0] == 0
    assert (await ran("vault", "--vault", "eu", "key", "promote", "eu-2"))[0] == 0
    code, said, _ = await ran("vault", "--vault", "eu", "rewrap", "--json")
    assert json.loads(said)["rewrapped"] == 1
    code, said, _ = await ran("vault", "--vault", "eu", "verify", "--json")
    assert (code, json.loads(said)["opened"]) == (0, 1)
    code, said, _ = await ran("vault", "--vault", "eu", "status", "--json")
    assert {key["kid"]: key["rows"] for key in json.loads(said)["keys"]} == {"eu-1": 0, "eu-2": 1}
    assert json.loads((await ran("vault", "status", "--json"))[1])["other_vaults"] == ["eu"]
    code, _, complaint = await ran("vault", "--vault", "us", "status")
    assert (code, "no plugin names a vault us; those that are named: eu" in complaint) == (1, True)

    code, said, complaint = await ran("tokens", "revoke", "eu:2", "acme")
    assert (code, "the provider was not told" in said) == (0, True), complaint
    assert [told["owner"] for told in json.loads((await ran("tokens", "list", "--json"))[1])["tokens"]] == [
        "us:1"
    ]


async def test_tokens_in_two_vaults_are_revoked_by_one_command(world: World, run: Run) -> None:
    async with world.hub() as hub:
        identity = await world.link(hub, "us:1")
        world.registry.plugins.register(Moved(us_1="eu"))
        await hub.save_tokens(await world.granted(hub, "us:1"), identity)
    code, said, complaint = await asyncio.to_thread(run, "tokens", "revoke", "us:1", "acme")
    assert (code, said[:9]) == (0, "forgotten"), complaint
    assert json.loads((await asyncio.to_thread(run, "tokens", "list", "--json"))[1]) == {"tokens": []}


async def test_the_schema_of_every_vault_is_brought_up_on_command(
    world: World, run: Run, new_postgres_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL, which several hosts share, is upgraded by nobody who only opens it."""
    monkeypatch.setenv("EU_DATABASE", new_postgres_database())
    needed = "the vault eu: the database has schema none of connectors, .* run: connectors db upgrade"
    with pytest.raises(StorageError, match=needed):
        await world.hub().__aenter__()
    code, _, complaint = await asyncio.to_thread(run, "tokens", "list")
    assert (code, bool(re.search(needed, complaint))) == (1, True)
    code, said, complaint = await asyncio.to_thread(run, "db", "upgrade")
    assert (code, said.splitlines()[-1]) == (0, "vault eu: up to date"), complaint
    async with world.hub() as hub:
        await world.link(hub, "eu:1")
