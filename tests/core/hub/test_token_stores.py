"""Where tokens are kept: with the hub, where a plugin says for their owner, or in rows elsewhere."""

from __future__ import annotations

import pytest

from connectors_core import ConfigurationError, Hub
from connectors_core.errors import ConnectorMisconfigured, NotLinked
from connectors_core.grants import GrantStatus, TokenStore
from connectors_core.hookspecs import hookimpl
from connectors_core.storage.database import open_database
from connectors_core.storage.migrations import prepare
from connectors_core.vault.detached import DetachedSealedRows
from connectors_core.vault.rows import SqlSealedRows
from tests.core.hub.acme import KEYS, Plugin, grant, opened


async def test_tokens_go_where_the_plugin_says(registry, tmp_path, clock):
    plugin = Plugin()
    registry.plugins.register(plugin)
    async with Hub(registry, database=f"sqlite:///{tmp_path}/hub.db", keys=KEYS, clock=clock) as hub:
        hub.add("acme", token_storage=True)
        here = await hub.link(await grant(hub, "1 a"), owner="west:1")
        there = await hub.link(await grant(hub, "2 a"), owner="east:2")
        nowhere = await hub.link(await grant(hub, "3 a"), owner="nobody:3")
        assert await opened(hub, here)
        assert await opened(hub, there) is None
        assert (await plugin.east.open("default", there.id)).tokens.access_token == "access-2 a"
        assert await opened(hub, nowhere) is None
        assert [s.status for s in await hub.token_states("east:2")] == [GrantStatus.ACTIVE]
        assert [s.status for s in await hub.token_states("nobody:3")] == [GrantStatus.NOT_APPLICABLE]
        await hub.unlink(there.id, owner=there.owner)
        assert await plugin.east.state("default", there.id) is None
        with pytest.raises(ConnectorMisconfigured, match="not a token store"):
            await hub.link(await grant(hub, "4 a"), owner="wrong:4")


class RowStores:
    """A plugin's sealed rows: here in the same file, by a connection of its own."""

    def __init__(self, file):
        self.file, self.opened = file, []

    @hookimpl
    def register_token_stores(self):
        return {"elsewhere": self.open, "broken": lambda url: object()}

    def open(self, url):
        self.opened.append((url, SqlSealedRows(open_database(f"sqlite:///{self.file}"))))
        return self.opened[-1][1]


async def test_sealed_rows_are_kept_where_a_plugin_keeps_them(registry, tmp_path, clock):
    file = tmp_path / "hub.db"
    plugin = RowStores(file)
    registry.plugins.register(plugin)
    where = {"database": f"sqlite:///{file}", "keys": KEYS, "clock": clock}
    async with Hub(registry, **where, sealed_rows="elsewhere://there") as hub:
        hub.add("acme", token_storage=True)
        identity = await hub.link(await grant(hub), owner="user:42")
        [(url, rows)] = plugin.opened
        assert url == "elsewhere://there"
        assert await rows.find("default", identity.id, kind="tokens") is not None
        assert await opened(hub, identity)
        await rows._database.aclose()


async def test_a_store_that_is_not_beside_the_identities_keeps_nothing_of_one_that_is_gone(
    registry, tmp_path, clock, monkeypatch
):
    away = open_database(f"sqlite:///{tmp_path}/away.db")
    await prepare(away)
    plugin = RowStores(tmp_path / "hub.db")
    plugin.open = lambda url: DetachedSealedRows(away)
    registry.plugins.register(plugin)
    where = {"database": f"sqlite:///{tmp_path}/hub.db", "keys": KEYS, "clock": clock}
    async with Hub(registry, **where, sealed_rows="elsewhere://there") as hub:
        hub.add("acme", token_storage=True)
        identity = await hub.link(await grant(hub), owner="user:42")
        late = await grant(hub)
        remove = hub._shared.stores.identities.remove

        async def removed(*args, **options):
            """A sign-in that was on its way is saved just before the identity goes."""
            await hub.save_tokens(late, identity)
            return await remove(*args, **options)

        monkeypatch.setattr(hub._shared.stores.identities, "remove", removed)
        assert await hub.unlink(identity.id, owner="user:42")
        assert await away.fetch("SELECT id FROM connectors_secrets") == []
        with pytest.raises(NotLinked):
            await hub.save_tokens(late, identity)
        assert await away.fetch("SELECT id FROM connectors_secrets") == []
    await away.aclose()


@pytest.mark.parametrize(
    ("url", "error"), [("nobody://there", ConfigurationError), ("broken://there", ConnectorMisconfigured)]
)
async def test_a_sealed_row_store_that_is_none_is_told_when_the_hub_opens(
    registry, tmp_path, clock, url, error
):
    registry.plugins.register(RowStores(tmp_path / "hub.db"))
    with pytest.raises(error):
        async with Hub(
            registry, database=f"sqlite:///{tmp_path}/hub.db", keys=KEYS, clock=clock, sealed_rows=url
        ):
            pass


async def test_a_hub_in_memory_keeps_tokens_while_it_lives(registry, clock):
    async with Hub(registry, clock=clock) as hub:
        hub.add("acme", token_storage=True)
        identity = await hub.link(await grant(hub), owner="user:42")
        store = hub._shared.keeping.store_of(identity)
        assert isinstance(store, TokenStore)
        assert (await store.open("default", identity.id)).tokens.access_token == "access-42 openid"
        assert await hub.unlink(identity.id, owner=identity.owner)
        assert await hub.drain_revocations() == []
