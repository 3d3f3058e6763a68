from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from connectors_core.errors import NotFound, VaultError
from connectors_core.storage.database import OpenDatabase
from connectors_core.storage.postgresql import PostgresDatabase
from connectors_core.testing.sealed_rows import Change, ref, row
from connectors_core.vault import Keyring
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


async def test_a_key_that_wraps_keys_is_not_destroyed(world: World) -> None:
    await world.changes.retire("k3")
    world.now += 61
    await world.database.fetch(
        "UPDATE connectors_vault_keys SET wrapped_by = 'k3', wrapped_key = check_value WHERE kid = 'k1'"
    )
    with pytest.raises(VaultError, match="it wraps the keys k1"):
        await world.changes.destroy("k3")


async def test_a_key_that_nobody_announced_is_not_found(world: World) -> None:
    for change in (world.changes.promote, world.changes.retire, world.changes.destroy):
        with pytest.raises(NotFound, match="connectors vault key add k9"):
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
