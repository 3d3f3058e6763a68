from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from connectors_core.errors import NotFound, UnknownKey, VaultError
from connectors_core.grants import GrantRef
from connectors_core.storage.database import OpenDatabase, open_database
from connectors_core.storage.postgresql import PostgresDatabase
from connectors_core.testing.sealed_rows import Change, ref, row
from connectors_core.tokens import TokenSet
from connectors_core.vault import Keyring, Vault
from connectors_core.vault.connector_secrets import ConnectorSecrets
from connectors_core.vault.hosts import FORGET, Heartbeat, Hosts
from connectors_core.vault.key_changes import KeyChanges
from connectors_core.vault.key_states import KeyState, KeyStates
from connectors_core.vault.rows import SqlSealedRows

KEYS = {kid: bytes([number]) * 32 for number, kid in enumerate(("k1", "k2", "k3"), start=1)}


@dataclass
class World:
    """A vault whose time is told."""

    database: OpenDatabase
    now: float = 1_700_000_000.0
    keys: Keyring = field(default_factory=lambda: Keyring(KEYS))

    def __post_init__(self) -> None:
        self.rows, self.states = SqlSealedRows(self.database), KeyStates(self.database)
        self.hosts = Hosts(self.database, clock=lambda: self.now)
        self.changes = KeyChanges(self.database, self.rows, self.states, self.hosts, clock=lambda: self.now)

    async def state_of(self, kid: str) -> KeyState:
        return (await self.states.read(self.now))[kid].state


@pytest.fixture
async def world(database: OpenDatabase) -> World:
    world = World(database)
    await world.states.begin(world.keys, now=world.now)
    return world


async def test_promoting_makes_one_key_active_and_the_one_before_stand_by(world: World) -> None:
    await world.changes.promote("k2")
    assert [await world.state_of(kid) for kid in KEYS] == [
        KeyState.STANDBY,
        KeyState.ACTIVE,
        KeyState.STANDBY,
    ]
    await world.changes.promote("k2")
    assert await world.state_of("k2") is KeyState.ACTIVE


async def test_a_promotion_waits_for_every_live_host(world: World) -> None:
    await world.hosts.beat("behind", ["k1"])
    await world.hosts.beat("ahead", ["k1", "k2"])
    with pytest.raises(VaultError, match="behind cannot use it"):
        await world.changes.promote("k2")
    assert await world.state_of("k1") is KeyState.ACTIVE
    await world.hosts.beat("behind", ["k1", "k2"])
    await world.changes.promote("k2")


async def test_a_host_that_is_long_silent_or_left_is_not_waited_for(world: World) -> None:
    await world.hosts.beat("crashed", ["k1"])
    await world.hosts.beat("stopped", ["k1"])
    await world.hosts.leave("stopped")
    world.now += 91
    await world.changes.promote("k2")


async def test_every_host_follows_within_the_time_that_states_stay_fresh(world: World) -> None:
    other = KeyStates(world.database)
    assert await other.active(world.now) == "k1"
    await world.changes.promote("k2")
    assert await other.active(world.now + 29) == "k1"
    assert await other.active(world.now + 30) == "k2"


async def test_the_active_key_cannot_be_retired_and_no_other_while_rows_need_it(
    world: World, link: Change
) -> None:
    with pytest.raises(VaultError, match="k1 is active"):
        await world.changes.retire("k1")
    await link(ref())
    await world.rows.add(row())
    await world.changes.promote("k2")
    with pytest.raises(VaultError, match="1 rows need it"):
        await world.changes.retire("k1")
    await world.rows.delete("default", ref().identity, kind=row().kind, now=world.now)
    await world.changes.retire("k1")
    assert await world.state_of("k1") is KeyState.RETIRED
    with pytest.raises(VaultError, match="only one that stands by"):
        await world.changes.promote("k1")


async def test_a_retired_key_can_be_taken_back(world: World) -> None:
    assert not await world.changes.stand_by("k3")
    await world.changes.retire("k3")
    assert await world.changes.stand_by("k3")
    assert await world.state_of("k3") is KeyState.STANDBY


async def test_a_key_is_destroyed_only_when_retired_settled_and_needed_by_nothing(
    world: World, link: Change
) -> None:
    await world.changes.promote("k2")
    with pytest.raises(VaultError, match="only a retired one"):
        await world.changes.destroy("k1")
    await world.changes.retire("k1")
    with pytest.raises(VaultError, match="try again in 60 s"):
        await world.changes.destroy("k1")
    world.now += 61
    await link(ref())
    await world.rows.add(row())
    with pytest.raises(VaultError, match="1 rows need it"):
        await world.changes.destroy("k1")
    await world.rows.delete("default", ref().identity, kind=row().kind, now=world.now)
    await world.hosts.beat("behind", ["k1"])
    with pytest.raises(VaultError, match="behind cannot use it"):
        await world.changes.destroy("k1")
    await world.hosts.beat("behind", ["k1", "k2"])
    await world.changes.destroy("k1")
    assert await world.state_of("k1") is KeyState.DESTROYED
    await world.changes.destroy("k1")


async def test_a_destroyed_key_stays_destroyed_where_a_host_still_has_it(world: World) -> None:
    await world.changes.retire("k3")
    world.now += 61
    await world.changes.destroy("k3")
    await world.states.begin(world.keys, now=world.now)
    assert await world.state_of("k3") is KeyState.DESTROYED
    with pytest.raises(VaultError, match="only one that stands by"):
        await world.changes.promote("k3")


@pytest.mark.parametrize("root", ["k3", "a key of the service alone"])
async def test_a_key_that_wraps_keys_is_neither_retired_nor_destroyed_nor_given_up(
    world: World, root: str
) -> None:
    await world.database.fetch(
        "UPDATE connectors_vault_keys SET wrapped_by = :root, wrapped_key = check_value WHERE kid = 'k1'",
        {"root": root},
    )
    for change in (world.changes.retire, world.changes.give_up):
        with pytest.raises(VaultError, match="it wraps the keys k1; name another root key"):
            await change(root)
    await world.database.fetch("UPDATE connectors_vault_keys SET state = 'retired' WHERE kid = 'k3'")
    world.now += 61
    with pytest.raises(VaultError, match="it wraps the keys k1"):
        await world.changes.destroy(root)


@dataclass
class Race:
    """A database of several connections, k2 active, k1 retired and settled."""

    world: World
    url: str
    other: OpenDatabase

    async def destroy(self) -> bool:
        try:
            await self.world.changes.destroy("k1")
        except VaultError:
            return False
        return True


class TestRaces:
    """A writer that has wrapped by a key, and has not stored that yet, when the key is destroyed."""

    @pytest.fixture(params=["sqlite", "postgresql"])
    def database_url(self, request: pytest.FixtureRequest, tmp_path: Path) -> str:
        if request.param == "sqlite":
            return f"sqlite:///{tmp_path}/connectors.db"
        url: str = request.getfixturevalue("postgres_schema")
        return url

    @pytest.fixture
    async def race(self, world: World, database_url: str) -> AsyncIterator[Race]:
        shared = isinstance(world.database, PostgresDatabase)
        world.changes = KeyChanges(
            world.database, world.rows, world.states, world.hosts, shared=shared, clock=lambda: world.now
        )
        await world.changes.promote("k2")
        await world.changes.retire("k1")
        world.now += 61
        other = open_database(database_url)
        yield Race(world, database_url, other)
        await other.aclose()

    async def test_a_key_is_not_destroyed_under_a_transaction_that_stores_by_it(
        self, race: Race, link: Change
    ) -> None:
        """The row is written and not committed yet when the key's end is decided."""
        await link(ref())
        begun, go = threading.Event(), threading.Event()

        def write() -> None:
            with uncommitted(race.url) as execute:
                execute(INSERT_UNDER_K1)
                begun.set()
                assert go.wait(10)

        writing = asyncio.ensure_future(asyncio.to_thread(write))
        assert await asyncio.to_thread(begun.wait, 10)
        destroying = asyncio.ensure_future(race.destroy())
        assert not (await asyncio.wait({destroying}, timeout=0.2))[0], "it decided without the writer"
        go.set()
        await writing
        assert not await destroying
        assert await race.world.rows.kids() == {"k1": 1}
        assert await race.world.state_of("k1") is KeyState.RETIRED

    async def test_what_comes_after_the_end_of_its_key_is_sealed_by_the_active_one(
        self, race: Race, link: Change
    ) -> None:
        class Behind(KeyStates):
            """A host that was stopped between looking for the key and storing by it."""

            slept = False

            async def active(self, now: float) -> str:
                if not self.slept:
                    self.slept = True
                    return "k1"
                return await super().active(now)

        late = Vault(SqlSealedRows(race.other), race.world.keys, Behind(race.other))
        assert await race.destroy()
        await link(ref())
        state = await late.put(ref(), TokenSet(access_token="fake"), now=race.world.now)
        assert state.kid == "k2"
        again = Vault(SqlSealedRows(race.other), race.world.keys, Behind(race.other))
        elsewhere = replace(ref(), urls=bytes(range(32)))
        state = await again.put(elsewhere, TokenSet(access_token="fake-2"), now=race.world.now)
        assert (state.kid, state.generation) == ("k2", 2)
        secrets = ConnectorSecrets(
            race.other, Vault(SqlSealedRows(race.other), race.world.keys, Behind(race.other))
        )
        for attempt in (1, 2):
            try:
                await secrets.put("default", "acme", {"a": "fake"}, urls=bytes(32), now=race.world.now)
            except UnknownKey:
                assert attempt == 1
        assert await race.world.rows.kids() == {"k2": 2}

    async def test_however_they_meet_no_row_is_left_under_a_destroyed_key(
        self, race: Race, link: Change
    ) -> None:
        ends = set()
        for number in range(12):
            await race.world.database.run(
                [
                    ("DELETE FROM connectors_secrets", {}),
                    (
                        "UPDATE connectors_vault_keys SET state = 'retired', updated_at = 0 WHERE kid = 'k1'",
                        {},
                    ),
                ]
            )
            whose = ref(f"identity_{number}", subject=str(number))
            await link(whose)
            rows = SqlSealedRows(race.other)

            async def store(rows: SqlSealedRows = rows, whose: GrantRef = whose) -> bool:
                return await rows.add(row(whose, kid="k1"))

            both = (race.destroy(), store()) if number % 2 else (store(), race.destroy())
            one, other = await asyncio.gather(*both)
            assert one != other
            ends.add(one)
            assert (await race.world.rows.kids() == {}) == (
                await race.world.state_of("k1") is KeyState.DESTROYED
            )
        assert ends


INSERT_UNDER_K1 = """
    INSERT INTO connectors_secrets (tenant, id, identity, kind, connector, target, issuer, client, urls,
           grant_hash, requested, scopes, scopes_stated, token_type, has_refresh_token, generation,
           created_at, updated_at, failures, uncertain, fence, kid, wrapped_dek, payload)
    SELECT tenant, 'secret', id, 'tokens', connector, target, issuer, 'client', '', '', '[]', '[]', 0,
           'Bearer', 0, 1, 0, 0, 0, 0, 0, 'k1', '', '' FROM connectors_identities
"""


@contextmanager
def uncommitted(url: str) -> Iterator[Callable[[str], object]]:
    """A transaction of a connection of its own, committed at the end."""
    if url.startswith("sqlite"):
        connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        yield connection.execute
        connection.execute("COMMIT")
        connection.close()
        return
    import psycopg

    with psycopg.connect(url) as postgres:
        yield lambda statement: postgres.execute(statement.encode())


async def test_a_key_that_nobody_announced_is_not_found_and_those_that_are_known_are_named(
    world: World,
) -> None:
    for change in (world.changes.promote, world.changes.retire, world.changes.destroy):
        with pytest.raises(NotFound, match="no key k9, but k1, k2, k3; look: connectors vault status"):
            await change("k9")


async def test_hosts_say_which_keys_they_have_and_are_forgotten_when_long_gone(world: World) -> None:
    await Heartbeat(world.keys, world.hosts, host="a").beat()
    world.now += 60
    await Heartbeat(Keyring({"k1": KEYS["k1"]}), world.hosts, host="b").beat()
    assert [(host.name, host.kids, host.age, host.live) for host in await world.hosts.all()] == [
        ("a", frozenset(KEYS), 60.0, True),
        ("b", frozenset({"k1"}), 0.0, True),
    ]
    world.now += 60
    assert [host.live for host in await world.hosts.all()] == [False, True]
    world.now += FORGET
    await world.hosts.beat("c", [])
    assert [host.name for host in await world.hosts.all()] == ["c"]


class TestSharedHosts:
    @pytest.fixture
    def database_url(self, postgres_schema: str) -> str:
        return postgres_schema

    async def test_a_host_whose_clock_is_wrong_lives_by_the_clock_of_the_database(
        self, database: OpenDatabase
    ) -> None:
        assert isinstance(database, PostgresDatabase)
        await Hosts(database, shared=True, clock=lambda: 5.0).beat("a", ["k1"])
        (host,) = await Hosts(database, shared=True, clock=lambda: 9e9).all()
        assert host.live
