"""The vaults that plugins name, as operators see them: at the start of a hub, and in its commands."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connectors_core import Hub, Registry
from connectors_core.cli import main
from connectors_core.errors import ConfigurationError, ConnectorMisconfigured, StorageError
from connectors_core.hookspecs import VaultAt, hookimpl
from connectors_core.testing.provider import Person
from connectors_core.vault import Keyring
from tests.core.hub.regions import OURS, THEIRS, Moved, World, count, encoded, source_of_the_plugin


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
    entry_points = {"connectors_core.plugins": {"regions": "acme_regions:plugin"}}
    source = f"{source_of_the_plugin()}\nplugin = Regions()\n"
    installation.add("acme-regions", entry_points, {"acme_regions": source})
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
