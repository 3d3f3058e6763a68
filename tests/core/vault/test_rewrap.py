from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.many_rows import TENANT, fill, ref_of, tokens_of
from connectors_core.errors import KeyUnavailable, VaultError
from connectors_core.grants import KeyProvider, Occasion, Rewrapped
from connectors_core.storage.database import OpenDatabase
from connectors_core.tokens import TokenSet
from connectors_core.vault import Keyring, Vault
from connectors_core.vault.hosts import Hosts
from connectors_core.vault.key_changes import KeyChanges
from connectors_core.vault.key_states import KeyStates
from connectors_core.vault.rewrap import rewrap, verify
from connectors_core.vault.rows import SqlSealedRows

OLD, NEW = b"obviously-fake-key-of-32-bytes-1", b"obviously-fake-key-of-32-bytes-2"
BOTH = {"k1": OLD, "k2": NEW}
NOW = 1_700_000_000.0
FEW = 40


@dataclass(frozen=True)
class Setting:
    """A database with rows under k1, and k2 the active key."""

    database: OpenDatabase
    url: str
    rows: SqlSealedRows
    states: KeyStates
    keys: Keyring

    def vault(self, keys: KeyProvider | None = None, states: KeyStates | None = None) -> Vault:
        return Vault(self.rows, keys or self.keys, states or self.states)

    async def left(self) -> int:
        return (await self.rows.kids()).get("k1", 0)


async def set_up(database: OpenDatabase, url: str, count: int) -> Setting:
    rows, states, keys = SqlSealedRows(database), KeyStates(database), Keyring(BOTH)
    await states.begin(keys, now=NOW)
    if count:
        fill(url, count, OLD, "k1")
    await KeyChanges(database, rows, states, Hosts(database)).promote("k2")
    return Setting(database, url, rows, states, keys)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/connectors.db"
    url: str = request.getfixturevalue("postgres_schema")
    return url


@pytest.fixture
async def setting(database: OpenDatabase, database_url: str) -> Setting:
    return await set_up(database, database_url, FEW)


class Overtaken(SqlSealedRows):
    """Lets somebody else write between reading a page and writing it back."""

    def __init__(self, database: OpenDatabase, meanwhile: Callable[[], object]) -> None:
        super().__init__(database)
        self._meanwhile = meanwhile

    async def rewrap(self, rewrapped: Sequence[Rewrapped]) -> Sequence[bool]:
        await self._meanwhile()  # type: ignore[misc]
        return await super().rewrap(rewrapped)


async def test_every_row_moves_and_the_payloads_stay(setting: Setting) -> None:
    before = {row.place: row.payload for row in await setting.rows.page(most=FEW)}
    progress = await rewrap(setting.rows, setting.keys, to="k2", page=7)
    assert (progress.done, progress.overtaken, progress.unreadable) == (FEW, 0, 0)
    assert await setting.rows.kids() == {"k2": FEW}
    assert {row.place: row.payload for row in await setting.rows.page(most=FEW)} == before


async def test_verify_opens_every_row_with_the_new_key_alone(setting: Setting) -> None:
    await rewrap(setting.rows, setting.keys, to="k2", page=7)
    progress = await verify(setting.rows, Keyring({"k2": NEW}), kid="k2", page=7)
    assert (progress.done, progress.elsewhere, progress.unreadable) == (FEW, 0, 0)


async def test_verify_tells_what_was_not_moved_and_opens_none_of_it(setting: Setting) -> None:
    progress = await verify(setting.rows, Keyring({"k2": NEW}), kid="k2", page=7)
    assert (progress.done, progress.elsewhere, progress.unreadable) == (0, FEW, 0)


async def test_a_refresh_and_a_new_grant_meanwhile_win(setting: Setting) -> None:
    vault = setting.vault()
    once = []

    async def meanwhile() -> None:
        if once:
            return
        once.append(True)
        lease = await vault.acquire(TENANT, ref_of(1).identity, generation=1, holder="h", ttl=9, now=NOW)
        assert lease is not None
        assert await vault.commit(lease, TokenSet(access_token="fake-refreshed", expires_at=5e9), now=NOW)
        await vault.remove(TENANT, ref_of(2).identity, now=NOW)
        await vault.remove(TENANT, ref_of(3).identity, now=NOW)
        await vault.put(
            ref_of(3), TokenSet(access_token="fake-granted-anew"), occasion=Occasion.FIRST, now=NOW
        )

    progress = await rewrap(Overtaken(setting.database, meanwhile), setting.keys, to="k2")
    assert progress.overtaken == 2, "the row that is gone, and the one that was put in its place"
    assert await setting.rows.kids() == {"k2": FEW - 1}
    only_new = setting.vault(Keyring({"k2": NEW}))
    for number, access_token in ((1, "fake-refreshed"), (3, "fake-granted-anew")):
        stored = await only_new.open(TENANT, ref_of(number).identity)
        assert stored is not None
        assert stored.tokens.access_token == access_token
    assert await only_new.open(TENANT, ref_of(2).identity) is None


async def test_a_lease_taken_before_commits_after(setting: Setting) -> None:
    vault = setting.vault()
    lease = await vault.acquire(TENANT, ref_of(1).identity, generation=1, holder="h", ttl=9, now=NOW)
    assert lease is not None
    await rewrap(setting.rows, setting.keys, to="k2")
    assert await vault.commit(lease, TokenSet(access_token="fake-refreshed", expires_at=5e9), now=NOW)
    stored = await setting.vault(Keyring({"k2": NEW})).open(TENANT, ref_of(1).identity)
    assert stored is not None
    assert stored.tokens.access_token == "fake-refreshed"


async def test_it_repeats_until_nothing_is_left_of_a_host_that_still_wraps_by_the_old_key(
    setting: Setting,
) -> None:
    class Behind(KeyStates):
        async def active(self, now: float) -> str:
            return "k1"

    behind = setting.vault(states=Behind(setting.database))
    writes: list[int] = []

    async def meanwhile() -> None:
        if len(writes) < 5:
            number = len(writes)
            writes.append(number)
            await behind.remove(TENANT, ref_of(number).identity, now=NOW)
            await behind.put(ref_of(number), tokens_of(number), now=NOW)

    progress = await rewrap(Overtaken(setting.database, meanwhile), setting.keys, to="k2", page=10)
    assert len(writes) == 5
    assert await setting.rows.kids() == {"k2": FEW}
    assert progress.done == FEW + 4, "the first was overtaken before it had moved"


async def test_one_more_look_is_taken_once_hosts_have_settled(setting: Setting) -> None:
    class Behind(KeyStates):
        async def active(self, now: float) -> str:
            return "k1"

    async def settle() -> None:
        assert await setting.left() == 0
        behind = setting.vault(states=Behind(setting.database))
        await behind.remove(TENANT, ref_of(5).identity, now=NOW)
        await behind.put(ref_of(5), tokens_of(5), now=NOW)
        assert await setting.left() == 1

    await rewrap(setting.rows, setting.keys, to="k2", settle=settle)
    assert await setting.left() == 0


async def test_a_run_that_slept_through_the_end_of_its_key_leaves_no_row_under_it(setting: Setting) -> None:
    now = NOW

    def clock() -> float:
        return now

    hosts = Hosts(setting.database, clock=clock)
    changes = KeyChanges(setting.database, setting.rows, setting.states, hosts, clock=clock)
    slept: list[bool] = []

    async def meanwhile() -> None:
        nonlocal now
        if not slept:
            slept.append(True)
            await changes.promote("k1")
            await changes.retire("k2")
            now += 61
            await changes.destroy("k2")

    async def still() -> None:
        if slept:
            raise VaultError("another key is active")

    rows = Overtaken(setting.database, meanwhile)
    with pytest.raises(VaultError, match="another key is active"):
        await rewrap(rows, setting.keys, to="k2", still=still)
    assert await setting.rows.kids() == {"k1": FEW}


async def test_rows_that_do_not_open_are_told_and_left_and_stop_nothing(setting: Setting) -> None:
    await setting.database.fetch(
        "UPDATE connectors_secrets SET target = 'elsewhere' WHERE identity = :identity",
        {"identity": ref_of(7).identity},
    )
    await setting.database.fetch(
        "UPDATE connectors_secrets SET kid = 'k0' WHERE identity = :identity",
        {"identity": ref_of(8).identity},
    )
    progress = await rewrap(setting.rows, setting.keys, to="k2", page=7)
    assert (progress.done, progress.unreadable, progress.unknown) == (FEW - 2, 2, {"k0": 1})
    assert [place.id for place in progress.places] == [f"secret_{7:032x}"]
    assert await setting.rows.kids() == {"k0": 1, "k1": 1, "k2": FEW - 2}


async def test_a_broken_payload_is_found_by_verify(setting: Setting) -> None:
    await rewrap(setting.rows, setting.keys, to="k2")
    row = (await setting.rows.page(most=1))[0]
    await setting.database.fetch(
        "UPDATE connectors_secrets SET payload = :payload WHERE id = :id",
        {"payload": row.payload[:-1], "id": row.place.id},
    )
    progress = await verify(setting.rows, setting.keys, kid="k2", page=7)
    assert (progress.done, progress.unreadable, progress.places) == (FEW - 1, 1, [row.place])


async def test_a_service_that_goes_away_ends_the_run_and_the_next_finds_the_rest(setting: Setting) -> None:
    class Fading(Keyring):
        calls = 0

        async def rewrap(self, wrapped: bytes, *, kid: str, to: str, context: bytes) -> bytes:
            self.calls += 1
            if self.calls > 15:
                raise KeyUnavailable("gone")
            return await super().rewrap(wrapped, kid=kid, to=to, context=context)

    with pytest.raises(KeyUnavailable):
        await rewrap(setting.rows, Fading(BOTH), to="k2", page=10)
    assert await setting.left() == FEW - 10
    progress = await rewrap(setting.rows, setting.keys, to="k2")
    assert progress.done == FEW - 10


async def test_several_workers_do_each_row_once(setting: Setting) -> None:
    class Counting(Keyring):
        seen: list[bytes] = []

        async def rewrap(self, wrapped: bytes, *, kid: str, to: str, context: bytes) -> bytes:
            self.seen.append(wrapped)
            await asyncio.sleep(0)
            return await super().rewrap(wrapped, kid=kid, to=to, context=context)

    keys = Counting(BOTH)
    progress = await rewrap(setting.rows, keys, to="k2", workers=4, page=10)
    assert progress.done == len(keys.seen) == len(set(keys.seen)) == FEW


async def test_revocations_and_connector_secrets_move_too(database: OpenDatabase, database_url: str) -> None:
    from connectors_core.vault.connector_secrets import ConnectorSecrets

    setting = await set_up(database, database_url, 3)

    class Behind(KeyStates):
        async def active(self, now: float) -> str:
            return "k1"

    behind = Vault(setting.rows, setting.keys, Behind(database), revokes=lambda ref: True)
    assert await behind.remove(TENANT, ref_of(0).identity, now=NOW)
    await ConnectorSecrets(database, behind).put(
        TENANT, "acme", {"client_secret": "obviously-fake"}, urls=bytes(32), now=NOW
    )
    assert await setting.rows.kids() == {"k1": 4}
    await rewrap(setting.rows, setting.keys, to="k2", page=2)
    assert await setting.rows.kids() == {"k2": 4}
    only_new = setting.vault(Keyring({"k2": NEW}))
    opened = await ConnectorSecrets(database, only_new).open(TENANT, "acme", urls=bytes(32), now=NOW)
    assert opened == {"client_secret": "obviously-fake"}
    assert (await verify(setting.rows, Keyring({"k2": NEW}), kid="k2")).done == 4


async def test_killed_before_and_after_each_statement_it_loses_nothing(setting: Setting) -> None:
    program = Path(__file__).with_name("dying.py")
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(program), setting.url, stdout=subprocess.PIPE
    )
    said, _ = await process.communicate()
    ends = json.loads(said)
    assert [end["killed"] for end in ends] == [True] * (len(ends) - 1) + [False]
    assert {end["left"] for end in ends} == {0, FEW // 2, FEW}, "whole pages, whatever the point"
    assert {end["opened"] for end in ends} == {FEW}
    assert len({end["payloads"] for end in ends}) == 1


MANY = 20_000
MAIN = "import sys; from connectors_core.cli import main; sys.exit(main())"
KILL_AFTER = (2_000, 9_000, 15_000)


@pytest.fixture
async def large(database: OpenDatabase, database_url: str) -> Setting:
    return await set_up(database, database_url, MANY)


def command(setting: Setting, folder: Path, *words: str) -> subprocess.Popen[str]:
    def base64_of(key: bytes) -> str:
        return base64.b64encode(key).decode()

    config = folder / "connectors.toml"
    config.write_text(f'[host]\ndatabase = "{setting.url}"\nvault_keys = "env:CONNECTORS_KEYS"\n')
    config.chmod(0o600)
    environ = {
        **os.environ,
        "CONNECTORS_KEYS": f"k1:{base64_of(OLD)},k2:{base64_of(NEW)}",
    }
    return subprocess.Popen(
        [sys.executable, "-c", MAIN, "--config", str(config), "vault", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environ,
    )


async def write_until(setting: Setting, done: asyncio.Event) -> dict[int, str]:
    """What two hosts do meanwhile, one of which has not noticed that another key is active."""

    class Behind(KeyStates):
        async def active(self, now: float) -> str:
            return "k1"

    vaults = [setting.vault(), setting.vault(states=Behind(setting.database))]
    latest: dict[int, str] = {}
    turn = 0
    while not done.is_set():
        number, vault = (turn * 7919) % MANY, vaults[turn % 2]
        token, identity = f"fake-{turn}", ref_of(number).identity
        if turn % 3 == 0:
            await vault.remove(TENANT, identity, now=NOW)
            await vault.put(ref_of(number), TokenSet(access_token=token), now=NOW)
        else:
            state = await vault.state(TENANT, identity)
            assert state is not None
            lease = await vault.acquire(
                TENANT, identity, generation=state.generation, holder="h", ttl=60, now=NOW
            )
            assert lease is not None
            assert await vault.commit(lease, TokenSet(access_token=token), now=NOW)
        latest[number] = token
        turn += 1
    return latest


async def test_killed_again_and_again_beside_writers_it_loses_nothing(large: Setting, tmp_path: Path) -> None:
    done = asyncio.Event()
    writer = asyncio.create_task(write_until(large, done))
    for moved in KILL_AFTER:
        process = command(large, tmp_path, "rewrap")
        ended = asyncio.ensure_future(asyncio.to_thread(process.wait))
        while MANY - await large.left() < moved and not (await asyncio.wait({ended}, timeout=0.03))[0]:
            pass
        process.send_signal(signal.SIGKILL)
        assert await ended == -signal.SIGKILL, process.communicate()
        process.communicate()
    killed_at = await large.left()
    done.set()
    latest = await writer
    assert killed_at > 0, "the kills came too late to prove anything"
    assert latest

    finishing = command(large, tmp_path, "rewrap", "--json")
    said, complained = finishing.communicate(timeout=60)
    assert finishing.returncode == 0, complained
    assert '"unreadable": 0' in said
    assert await large.rows.kids() == {"k2": MANY}

    only_new = Keyring({"k2": NEW})
    assert (await verify(large.rows, only_new, kid="k2")).done == MANY
    vault = large.vault(only_new)
    for number, token in latest.items():
        stored = await vault.open(TENANT, ref_of(number).identity)
        assert stored is not None
        assert stored.tokens.access_token == token
