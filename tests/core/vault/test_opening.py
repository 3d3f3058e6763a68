from __future__ import annotations

import base64
import json
import re
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from connectors_core.errors import ConfigurationError, KeyUnavailable, SealBroken, UnknownKey, VaultError
from connectors_core.storage.database import OpenDatabase
from connectors_core.vault import Keyring, record
from connectors_core.vault.hosts import Heartbeat, Hosts
from connectors_core.vault.key_changes import KeyChanges
from connectors_core.vault.key_states import KeyState, KeyStates
from connectors_core.vault.opening import HostKeys, load_keys, new_kid, open_keys
from connectors_core.vault.providers.stored import HOLD, StoredKeys
from connectors_core.vault.rows import SqlSealedRows
from connectors_core.vault.sources import KeySource, read_source

NOW = 1_700_000_000.0
DEK, ROW = b"obviously-fake-data-key-32-bytes", b"the context of a row"


def pair(kid: str, key: bytes) -> str:
    return f"{kid}:{base64.b64encode(key).decode()}"


def key_set(**keys: bytes) -> str:
    return json.dumps(
        {
            "keys": [
                {"kty": "oct", "kid": kid, "k": base64.b64encode(key).decode()} for kid, key in keys.items()
            ]
        }
    )


def write_keys(path: Path, **keys: bytes) -> None:
    path.write_text(key_set(**keys))
    path.chmod(0o600)


ONE, TWO = b"obviously-fake-key-of-32-bytes-1", b"obviously-fake-key-of-32-bytes-2"


class Service(Keyring):
    """A key service: counts what it is asked and can be taken away."""

    def __init__(self, *kids: str) -> None:
        super().__init__({kid: kid.encode().ljust(32, b"-") for kid in kids})
        self.asked = 0
        self.down = False

    async def unwrap(self, wrapped: bytes, *, kid: str, context: bytes) -> bytes:
        self.asked += 1
        if self.down:
            raise KeyUnavailable("the service is away")
        return await super().unwrap(wrapped, kid=kid, context=context)


def stored(service: Service) -> KeySource:
    return KeySource(reference="aws-kms:fake", kind="stored", load=lambda: service)


@pytest.fixture
def states(database: OpenDatabase) -> KeyStates:
    return KeyStates(database)


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/connectors.db"


async def test_a_source_is_read_from_the_environment_a_file_or_a_plugin(tmp_path: Path) -> None:
    write_keys(tmp_path / "keys.json", k1=ONE)
    environ = {"K": pair("k1", ONE)}
    assert read_source("env:K", environ=environ).load().kids() == ("k1",)
    assert read_source("file:keys.json", folder=tmp_path).load().kids() == ("k1",)
    plugins = {"hsm": lambda slot: Service(slot)}
    assert read_source("hsm:slot-1", plugins=plugins).load().kids() == ("slot-1",)


@pytest.mark.parametrize(
    "reference", ["", "env:", "vault:x", "aws-kms:", "aws-kms:alias/x", "vault-transit:a b"]
)
def test_a_source_that_is_none_is_refused(reference: str) -> None:
    with pytest.raises(ConfigurationError, match="vault_keys"):
        read_source(reference).load()


def test_a_plugin_that_brings_no_key_provider_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="lacks methods"):
        read_source("hsm:1", plugins={"hsm": lambda slot: "a key"}).load()


async def test_a_wrong_key_under_a_right_name_is_found_at_start(states: KeyStates) -> None:
    await open_keys(read_source("env:K", environ={"K": pair("k1", ONE)}), states, now=NOW)
    with pytest.raises(ConfigurationError, match="k1 is not the one that this database knows"):
        await open_keys(read_source("env:K", environ={"K": pair("k1", TWO)}), states, now=NOW)


async def test_a_missing_active_key_is_found_at_start(states: KeyStates) -> None:
    await open_keys(read_source("env:K", environ={"K": pair("k1", ONE)}), states, now=NOW)
    with pytest.raises(ConfigurationError, match="the active key k1 is not among the keys"):
        await open_keys(read_source("env:K", environ={"K": pair("k2", TWO)}), states, now=NOW)


async def test_a_key_that_is_added_to_the_file_is_taken_up_without_a_restart(
    tmp_path: Path, states: KeyStates, database: OpenDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    path, hosts = tmp_path / "keys.json", Hosts(database, clock=lambda: NOW)
    write_keys(path, k1=ONE)
    keys = await open_keys(read_source("file:keys.json", folder=tmp_path), states, now=NOW)
    heartbeat = Heartbeat(keys, hosts, host="a")
    write_keys(path, k1=ONE, k2=TWO)
    await heartbeat.beat()
    assert keys.kids() == ("k1", "k2")
    path.write_text("half a fi")
    await heartbeat.beat()
    assert "cannot be read again" in caplog.text
    assert [host.kids for host in await hosts.all()] == [frozenset({"k1", "k2"})]


async def test_keys_in_the_database_are_made_at_first_and_unwrapped_at_start(states: KeyStates) -> None:
    service = Service("root")
    first = await open_keys(stored(service), states, now=NOW)
    (row,) = (await states.read(NOW)).values()
    assert (row.state, row.wrapped_by, first.kids()) == (KeyState.ACTIVE, "root", (row.kid,))
    wrapped = await first.wrap(DEK, kid=row.kid, context=ROW)

    again = await open_keys(stored(Service("root")), states, now=NOW)
    assert again.kids() == (row.kid,)
    assert await again.unwrap(wrapped, kid=row.kid, context=ROW) == DEK
    with pytest.raises(SealBroken):
        await again.unwrap(wrapped, kid=row.kid, context=b"another row")


async def test_the_service_is_not_asked_for_each_opening(states: KeyStates) -> None:
    service = Service("root")
    keys = await open_keys(stored(service), states, now=NOW)
    (kid,) = keys.kids()
    wrapped = await keys.wrap(DEK, kid=kid, context=ROW)
    before = service.asked
    for _ in range(10):
        assert await keys.unwrap(wrapped, kid=kid, context=ROW) == DEK
    assert service.asked == before


async def test_a_service_that_is_away_at_start_is_unavailable(states: KeyStates) -> None:
    service = Service("root")
    await open_keys(stored(service), states, now=NOW)
    service.down = True
    with pytest.raises(KeyUnavailable):
        await open_keys(stored(service), states, now=NOW)


async def test_an_unwrapped_key_outlives_a_short_outage_and_not_a_long_one(states: KeyStates) -> None:
    service, clock = Service("root"), [0.0]
    keys = StoredKeys(service, states, clock=lambda: clock[0])
    await keys.create("k1", now=NOW)
    await keys.follow()
    wrapped = await keys.wrap(DEK, kid="k1", context=ROW)
    service.down = True
    clock[0] = HOLD / 2 + 1
    await keys.follow()
    assert await keys.unwrap(wrapped, kid="k1", context=ROW) == DEK
    clock[0] = HOLD + 1
    await keys.follow()
    assert keys.kids() == ()
    with pytest.raises(KeyUnavailable):
        await keys.unwrap(wrapped, kid="k1", context=ROW)
    service.down = False
    assert await keys.unwrap(wrapped, kid="k1", context=ROW) == DEK


async def test_a_key_made_by_one_host_is_used_by_another_before_it_has_followed(states: KeyStates) -> None:
    service = Service("root")
    one, other = [await open_keys(stored(service), states, now=NOW) for _ in range(2)]
    assert isinstance(one.provider, StoredKeys)
    await one.provider.create("k2", now=NOW)
    wrapped = await one.wrap(DEK, kid="k2", context=ROW)
    assert "k2" not in other.kids()
    assert await other.unwrap(wrapped, kid="k2", context=ROW) == DEK


async def test_a_wrapped_key_that_was_swapped_or_edited_opens_nothing(
    states: KeyStates, database: OpenDatabase
) -> None:
    service = Service("root")
    keys = await open_keys(stored(service), states, now=NOW)
    assert isinstance(keys.provider, StoredKeys)
    await keys.provider.create("k2", now=NOW)
    (first, _) = (await states.read(NOW)).values()
    await database.fetch(
        "UPDATE connectors_vault_keys SET wrapped_key = :key WHERE kid = 'k2'", {"key": first.wrapped_key}
    )
    with pytest.raises(SealBroken):
        await open_keys(stored(service), states, now=NOW)


async def test_another_root_key_takes_over_by_rewrapping_a_row_for_each_key(
    states: KeyStates, database: OpenDatabase
) -> None:
    keys = await open_keys(stored(Service("root")), states, now=NOW)
    (kid,) = keys.kids()
    wrapped = await keys.wrap(DEK, kid=kid, context=ROW)
    with pytest.raises(UnknownKey, match="name that in vault_keys after the first"):
        await open_keys(stored(Service("new-root")), states, now=NOW)

    both = await open_keys(stored(Service("new-root", "root")), states, now=NOW)
    assert isinstance(both.provider, StoredKeys)
    changes = KeyChanges(database, SqlSealedRows(database), states, Hosts(database))
    (row,) = (await states.read(NOW)).values()
    again = await both.provider.rewrapped(row)
    assert again is not None
    assert await changes.replace_wrapped(row, *again)
    assert not await changes.replace_wrapped(row, *again), "it is another by now"
    (row,) = (await states.read(NOW)).values()
    assert await both.provider.rewrapped(row) is None

    alone = await open_keys(stored(Service("new-root")), states, now=NOW)
    assert await alone.unwrap(wrapped, kid=kid, context=ROW) == DEK


async def test_what_the_root_key_itself_wrapped_still_opens(states: KeyStates) -> None:
    service = Service("root")
    wrapped = await service.wrap(DEK, kid="root", context=ROW)
    keys = await open_keys(stored(service), states, now=NOW)
    assert await keys.unwrap(wrapped, kid="root", context=ROW) == DEK
    (kid,) = keys.kids()
    again = await keys.rewrap(wrapped, kid="root", to=kid, context=ROW)
    assert await keys.unwrap(again, kid=kid, context=ROW) == DEK
    assert isinstance(keys.provider, StoredKeys)
    with pytest.raises(VaultError, match="the service itself"):
        await keys.provider.create("root", now=NOW)


async def test_a_key_that_does_not_lie_in_the_database_is_to_be_brought_in_first(states: KeyStates) -> None:
    await open_keys(read_source("env:K", environ={"K": pair("k1", ONE)}), states, now=NOW)
    with pytest.raises(ConfigurationError, match="connectors vault key add k1 --from"):
        await open_keys(stored(Service("root")), states, now=NOW)


async def test_health_tells_of_the_service_and_of_each_key(states: KeyStates) -> None:
    service = Service("root")
    keys = await open_keys(stored(service), states, now=NOW)
    (kid,) = keys.kids()
    service.down = True
    health = {found.kid: found.usable for found in await keys.health()}
    assert health == {"root": True, kid: False}


async def test_a_destroyed_key_is_dropped(states: KeyStates, database: OpenDatabase) -> None:
    keys = await open_keys(stored(Service("root")), states, now=NOW)
    assert isinstance(keys.provider, StoredKeys)
    await keys.provider.create("k2", now=NOW)
    await keys.follow()
    changes = KeyChanges(database, SqlSealedRows(database), states, Hosts(database), clock=lambda: NOW + 1000)
    await database.fetch("UPDATE connectors_vault_keys SET state = 'retired' WHERE kid = 'k2'")
    await changes.destroy("k2")
    await keys.follow()
    assert "k2" not in keys.kids()
    assert (await states.read(NOW))["k2"].wrapped_key is None
    with pytest.raises(UnknownKey):
        await keys.wrap(DEK, kid="k2", context=ROW)


@pytest.mark.parametrize(
    ("found", "why"), [({"k1": TWO}, "k1 is not the one"), ({"k2": TWO}, "the active key k1 is not among")]
)
async def test_a_key_file_that_lost_or_exchanged_a_key_is_not_taken_up(
    tmp_path: Path,
    states: KeyStates,
    caplog: pytest.LogCaptureFixture,
    found: dict[str, bytes],
    why: str,
) -> None:
    path = tmp_path / "keys.json"
    write_keys(path, k1=ONE)
    keys = await open_keys(read_source("file:keys.json", folder=tmp_path), states, now=NOW)
    wrapped = await keys.wrap(DEK, kid="k1", context=ROW)
    write_keys(path, **found)
    await keys.follow()
    assert keys.kids() == ("k1",)
    assert await keys.unwrap(wrapped, kid="k1", context=ROW) == DEK
    assert why in caplog.text


def test_two_hosts_of_one_name_and_process_id_are_two(database: OpenDatabase) -> None:
    """Containers share both, and each has keys of its own."""
    hosts, keys = Hosts(database), Keyring({"k1": ONE})
    assert Heartbeat(keys, hosts).host != Heartbeat(keys, hosts).host


def test_a_record_under_a_key_of_our_own_naming_has_a_hundred_bytes_besides_its_secret() -> None:
    kid = new_kid(NOW)
    assert re.fullmatch(r"231114-[0-9a-f]{4}", kid)
    sealed = record.seal(b"x" * 356, AESGCM(ONE), kid=kid, context=ROW)
    assert len(kid) + len(sealed.wrapped_dek) + len(sealed.payload) - 356 <= 100


def test_a_source_loads_nothing_before_it_is_asked() -> None:
    read_source("file:/nowhere/keys.json")
    read_source("keyring:vault")
    read_source("env:NOT_SET")


async def test_loading_follows_what_is_there_without_checking_it(states: KeyStates) -> None:
    keys = await load_keys(stored(Service("root")), states)
    assert isinstance(keys, HostKeys)
    assert keys.kids() == ()
    assert list((await states.read(time.time())).values()) == []
