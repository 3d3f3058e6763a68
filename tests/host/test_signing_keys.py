"""The keys that sign: sealed where they can be, and one following upon another, on both databases."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from connectors_host import signing_key
from connectors_host.app import own_migrations
from connectors_host.signing_key import KNOWN, LEAVES, State, verified
from connectors_host.signing_keys import AHEAD, CACHED, SigningKeys
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from connectors_core import ConfigurationError, Hub, Registry
from connectors_core.errors import SealBroken, UnknownKey
from connectors_core.storage.database import open_database
from connectors_core.storage.migrations import upgrade
from connectors_core.vault import Keyring
from connectors_core.vault.rewrap import rewrap
from tests.canary import Canary
from tests.host.conftest import Clock, Start
from tests.host.oidc.conftest import APPS

ONE, TWO = {"k1": os.urandom(32)}, {"k2": os.urandom(32)}
TYPE = "JWT"
ROWS = "SELECT kid, private_key, sealed FROM host_signing_keys ORDER BY number"

_made: list[RSAKey] = []


@pytest.fixture(autouse=True)
def few_keys(monkeypatch: pytest.MonkeyPatch, canary: Canary) -> None:
    """Making an RSA key takes longer than the tests: those of one test differ, the next one has the same."""
    making, turn = signing_key.new_signing_key, iter(range(6))

    def one() -> RSAKey:
        number = next(turn)
        while len(_made) <= number:
            _made.append(making())
            secret = _made[-1].as_dict(private=True)
            for name in ("d", "p", "q"):
                canary.watch(str(secret[name]), "a private key")
        return _made[number]

    monkeypatch.setattr(signing_key, "new_signing_key", one)


@pytest.fixture(scope="module")
def empty_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with both schemas: making one takes longer than the tests."""
    file = tmp_path_factory.mktemp("empty") / "host.db"
    upgrade(f"sqlite:///{file}")
    upgrade(f"sqlite:///{file}", own_migrations())
    return file


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("empty_file"), tmp_path)
        return f"sqlite:///{tmp_path}/host.db"
    url: str = request.getfixturevalue("postgresql")
    database = open_database(url)
    for table in ("host_signing_keys", "connectors_connector_secrets", "connectors_vault_keys"):
        await database.fetch(f"DELETE FROM {table}")
    await database.aclose()
    return url


@pytest.fixture
def clock() -> Clock:
    return Clock()


Open = Callable[..., Awaitable[SigningKeys]]


@pytest.fixture
async def opened(url: str, clock: Clock) -> AsyncIterator[Open]:
    """``await opened()``: the keys as one more host has them; ``keys`` are those of its vault."""
    async with AsyncExitStack() as stack:

        async def one_more(keys: dict[str, bytes] | None = ONE, *, needed: bool = True) -> SigningKeys:
            keyring = None if keys is None else Keyring(keys)
            hub = await stack.enter_async_context(Hub(Registry(), database=url, keys=keyring, clock=clock))
            opened = SigningKeys(hub, clock=clock)
            await opened.begin(needed=needed)
            return opened

        yield one_more


async def signed(keys: SigningKeys) -> str:
    key = await keys.current()
    return jwt.encode({"alg": "RS256", "typ": TYPE, "kid": key.kid}, {"sub": "owner-1"}, key)


async def accepts(keys: SigningKeys, token: str) -> bool:
    """Whether an application that fetches the key set now takes the token."""
    return accepted(await key_set(keys), token)


def accepted(keys: KeySet, token: str) -> bool:
    try:
        return verified(token, keys, type=TYPE) is not None
    except signing_key.UnknownSigner:
        return False


async def key_set(keys: SigningKeys) -> KeySet:
    return KeySet.import_key_set({"keys": [key.published() for key in await keys.published()]})


async def states(keys: SigningKeys) -> list[State]:
    return [key.state(keys._clock()) for key in await keys.all()]


async def rows(keys: SigningKeys) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await keys._database.fetch(ROWS)]


class TestSealing:
    async def test_a_key_that_is_made_lies_sealed_and_all_hosts_sign_by_it(
        self, opened: Open, tmp_path: Path
    ) -> None:
        hosts = [await opened() for _ in range(3)]
        tokens = await asyncio.gather(*map(signed, hosts))
        [(kid, private_key, sealed)] = await rows(hosts[0])
        assert (private_key, sealed) == (None, 1)
        assert await hosts[0]._database.fetch("SELECT COUNT(*) FROM connectors_connector_secrets") == [(1,)]
        for host in hosts:
            assert (await host.current()).kid == kid
            assert all([await accepts(host, token) for token in tokens])
        assert clear_texts(tmp_path) == []

    async def test_one_of_before_is_sealed_at_the_start_and_stays_the_same(
        self, opened: Open, url: str, tmp_path: Path, canary: Canary
    ) -> None:
        before = await _as_the_version_before_left_it(url)
        old = jwt.encode({"alg": "RS256", "typ": TYPE, "kid": before.kid}, {"sub": "owner-1"}, before)
        bare = await opened(None)
        assert await accepts(bare, old)
        assert "sqlite" not in url or clear_texts(tmp_path) != []
        one, two = await asyncio.gather(opened(), opened())
        assert [row[1:] for row in await rows(one)] == [(None, 1)]
        for host in (one, two):
            assert (await host.current()).kid == before.kid
            assert await accepts(host, old)
            assert await accepts(host, await signed(host))
        # A host that opened the key before goes on with it.
        assert await accepts(one, await signed(bare))
        assert clear_texts(tmp_path) == []
        canary.check(*await one._database.fetch("SELECT * FROM connectors_connector_secrets"))

    async def test_what_was_sealed_by_half_is_sealed_at_the_next_start(
        self, opened: Open, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = await _as_the_version_before_left_it(url)
        with monkeypatch.context() as patched:

            async def cut_off(*_: object) -> None:
                raise asyncio.CancelledError

            patched.setattr(Hub, "secret", cut_off)
            with pytest.raises(asyncio.CancelledError):
                await opened()
        host = await opened()
        assert await rows(host) == [(before.kid, None, 1)]
        assert (await host.current()).kid == before.kid

    async def test_without_keys_of_a_vault_it_lies_in_the_clear_and_signs(self, opened: Open) -> None:
        host = await opened(None)
        assert await accepts(host, await signed(host))
        [(_, private_key, sealed)] = await rows(host)
        assert json.loads(private_key)["d"]
        assert sealed == 0

    async def test_a_host_that_lost_its_keys_of_the_vault_does_not_start_for_applications(
        self, opened: Open
    ) -> None:
        host = await opened()
        await signed(host)
        with pytest.raises(ConfigurationError, match="connectors oidc key rotate --now") as caught:
            await opened(None)
        assert caught.value.problems[0].path == ("host", "vault_keys")

    async def test_a_host_without_keys_beside_others_signs_nothing_and_replaces_nothing(
        self, opened: Open
    ) -> None:
        host = await opened()
        await signed(host)
        bare = await opened(None, needed=False)
        with pytest.raises(UnknownKey, match="no keys"):
            await bare.current()
        assert [key.kid for key in await bare.published()] == [(await host.current()).kid]
        assert len(await host.all()) == 1

    async def test_it_opens_nowhere_else(self, opened: Open) -> None:
        host = await opened()
        kid = (await host.current()).kid
        await host.rotate()
        database = host._database
        for there in ("host/signing-key/other", f"host/signing-key/{kid}"):
            other = (await host.all())[-1].kid if there.endswith(kid) else kid
            await database.run(
                [
                    (
                        "UPDATE connectors_connector_secrets SET connector = :there WHERE connector = :here",
                        {"there": there, "here": f"host/signing-key/{other}"},
                    )
                ]
            )
        with pytest.raises(SealBroken):
            await (await opened()).current()


class TestKeysOfTheVault:
    async def test_a_rewrap_takes_it_along(self, opened: Open) -> None:
        host = await opened()
        token = await signed(host)
        both = Keyring({**ONE, **TWO})
        await opened({**ONE, **TWO})
        vault = host._hub._shared.keeping.vault  # type: ignore[union-attr]
        assert vault is not None
        assert (await rewrap(vault.rows, both, to="k2")).done == 1
        for kid, state in (("k1", "standby"), ("k2", "active"), ("k1", "destroyed")):
            change = f"UPDATE connectors_vault_keys SET state = '{state}' WHERE kid = '{kid}'"
            await host._database.fetch(change)
        later = await opened(TWO)
        assert await accepts(later, await signed(later))
        assert await accepts(later, token)

    async def test_one_that_only_lags_behind_refuses_and_replaces_nothing(self, opened: Open) -> None:
        await signed(await opened({**ONE, **TWO}))
        lagging = await opened({**ONE, **TWO})
        await lagging._database.fetch("UPDATE connectors_vault_keys SET state = 'standby' WHERE kid = 'k1'")
        await lagging._database.fetch("UPDATE connectors_vault_keys SET state = 'active' WHERE kid = 'k2'")
        lagging = await opened(TWO)
        with pytest.raises(UnknownKey):
            await lagging.current()
        assert len(await rows(lagging)) == 1
        assert len(await lagging.published()) == 1

    async def test_one_that_went_with_a_destroyed_key_is_replaced_once(
        self, opened: Open, clock: Clock, caplog: pytest.LogCaptureFixture
    ) -> None:
        host = await opened({**ONE, **TWO})
        token = await signed(host)
        for kid, state in (("k1", "destroyed"), ("k2", "active")):
            change = f"UPDATE connectors_vault_keys SET state = '{state}' WHERE kid = '{kid}'"
            await host._database.fetch(change)
        hosts = [await opened(TWO) for _ in range(2)]
        with caplog.at_level(logging.WARNING, "connectors_host"):
            fresh = await asyncio.gather(*map(signed, hosts))
        assert [record.message.endswith("another signs from now on") for record in caplog.records] == [True]
        assert await states(hosts[0]) == [State.LEAVING, State.SIGNING]
        for host in hosts:
            assert await accepts(host, token)
            assert all([await accepts(host, each) for each in fresh])


class TestRotation:
    async def test_at_every_moment_what_is_signed_is_known_to_caches_and_to_all_hosts(
        self, opened: Open, clock: Clock
    ) -> None:
        """An application fetches the key set once a day, and ID tokens live an hour."""
        hosts = [await opened() for _ in range(2)]
        old = (await hosts[0].current()).kid
        await hosts[1].current()
        begun = clock.now
        made, here = await hosts[0].rotate()
        assert here
        assert made.signs_from == begun + AHEAD
        cached, fetched_at = await key_set(hosts[1]), clock.now
        living: list[tuple[float, str]] = []
        signers = set()
        moments = {begun + seconds for seconds in range(0, int(AHEAD + LEAVES) + 7200, 1500)}
        moments |= {
            begun + turn + beside for turn in (CACHED, AHEAD, AHEAD + LEAVES) for beside in (-1, 0, 1)
        }
        for clock.now in sorted(moments):
            if clock.now - fetched_at > CACHED:
                cached, fetched_at = await key_set(hosts[1]), clock.now
            for host in hosts:
                token = await signed(host)
                signers.add((await host.current()).kid)
                living.append((clock.now + signing_key.LIFETIME, token))
                assert accepted(cached, token)
            living = [each for each in living if each[0] > clock.now]
            for _, token in living[:: max(1, len(living) // 4)]:
                assert all([await accepts(host, token) for host in hosts])
                assert all([await host.verified(token, type=TYPE) for host in hosts])
        assert signers == {old, made.kid}
        assert [key.kid for key in await hosts[0].published()] == [made.kid]

    async def test_the_old_one_is_unpublished_then_forgotten(self, opened: Open, clock: Clock) -> None:
        host, other = await opened(), await opened()
        token = await signed(host)
        assert (await host.rotate())[0].number == 2
        assert await states(host) == [State.SIGNING, State.WAITING]
        assert [key.number for key in await host.published()] == [1, 2]
        clock.now += AHEAD
        assert await states(host) == [State.LEAVING, State.SIGNING]
        assert [key.number for key in await other.published()] == [2, 1]
        assert (await other.current()).kid == (await host.all())[1].kid
        clock.now += LEAVES
        await asyncio.gather(host.all(), other.all())
        assert await states(host) == [State.PAST, State.SIGNING]
        assert not await accepts(host, token)
        # Whoever signs out with it as a hint is still understood.
        assert await host.verified(token, type=TYPE) == {"sub": "owner-1"}
        assert [row[1:] for row in await rows(host)] == [(None, 0), (None, 1)]
        assert await host._database.fetch("SELECT COUNT(*) FROM connectors_connector_secrets") == [(1,)]
        clock.now += KNOWN - LEAVES
        assert await other.verified(token, type=TYPE) is None
        assert await states(host) == [State.SIGNING]
        assert len(await rows(host)) == 1

    async def test_of_many_at_once_one_key_comes(self, opened: Open, clock: Clock) -> None:
        hosts = [await opened() for _ in range(4)]
        await hosts[0].current()
        done = await asyncio.gather(*(host.rotate() for host in hosts))
        assert sorted(here for _, here in done) == [False, False, False, True]
        assert len({key.kid for key, _ in done}) == 1
        assert await states(hosts[0]) == [State.SIGNING, State.WAITING]
        assert await hosts[0]._database.fetch("SELECT COUNT(*) FROM connectors_connector_secrets") == [(2,)]
        clock.now += AHEAD
        again, here = await hosts[0].rotate()
        assert here
        assert again.number == 3

    async def test_after_a_leak_the_new_one_signs_and_the_others_are_gone_at_once(
        self, opened: Open, clock: Clock
    ) -> None:
        host, other = await opened(), await opened()
        leaked = await signed(host)
        assert await other.verified(leaked, type=TYPE)
        await host.rotate()
        clock.now += 5
        made, here = await host.rotate(at_once=True)
        assert here
        assert await states(host) == [State.SIGNING]
        token = await signed(host)
        assert await other.verified(token, type=TYPE)
        assert await other.verified(leaked, type=TYPE) is None
        assert await host.verified(leaked, type=TYPE) is None
        assert (await other.current()).kid == made.kid
        assert await host._database.fetch("SELECT COUNT(*) FROM connectors_connector_secrets") == [(1,)]

    async def test_a_host_that_hears_nothing_follows_within_half_a_minute(
        self, opened: Open, clock: Clock
    ) -> None:
        host, other = await opened(), await opened()
        await signed(other)
        made, _ = await host.rotate(at_once=True)
        clock.now += 30
        assert (await other.current()).kid == made.kid
        assert [key.kid for key in await other.published()] == [made.kid]

    async def test_at_once_helps_where_the_keys_of_the_vault_are_lost(
        self, opened: Open, url: str, clock: Clock
    ) -> None:
        await signed(await opened())
        async with Hub(Registry(), database=url, clock=clock) as bare:
            await SigningKeys(bare, clock=clock).rotate(at_once=True)
        host = await opened(None)
        assert await accepts(host, await signed(host))

    async def test_a_host_whose_clock_lags_signs_by_what_was_made_at_once(
        self, opened: Open, clock: Clock
    ) -> None:
        host = await opened()
        await signed(host)
        made, _ = await host.rotate(at_once=True)
        clock.now -= 20
        lagging = await opened()
        assert await states(lagging) == [State.WAITING]
        assert (await lagging.current()).kid == made.kid
        assert await accepts(host, await signed(lagging))
        assert len(await rows(host)) == 1

    async def test_after_a_clock_was_days_ahead_the_one_that_waits_signs(
        self, opened: Open, clock: Clock
    ) -> None:
        host = await opened()
        token = await signed(host)
        made, _ = await host.rotate()
        cached = await key_set(host)
        clock.now += 2 * AHEAD
        assert await states(await opened()) == [State.PAST, State.SIGNING]
        clock.now -= 2 * AHEAD
        again = await opened()
        assert (await again.current()).kid == made.kid
        assert accepted(cached, await signed(again))
        assert await accepts(again, token)
        assert len(await rows(again)) == 2

    async def test_a_stranger_makes_nobody_read_the_keys_again_and_again(
        self, opened: Open, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        host = await opened()
        await signed(host)
        reads = []
        read = host.all
        monkeypatch.setattr(host, "all", lambda: reads.append(1) or read())
        stranger = RSAKey.import_key({**_made[0].as_dict(private=True), "kid": "stranger"})
        clock.now += 5
        for _ in range(20):
            token = jwt.encode({"alg": "RS256", "typ": TYPE, "kid": "stranger"}, {"sub": "x"}, stranger)
            assert await host.verified(token, type=TYPE) is None
        assert len(reads) == 1


async def test_a_host_for_applications_seals_the_key_of_before_and_its_hints_outlive_it(
    start: Start, canary: Canary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path}/host.db"
    before = await _as_the_version_before_left_it(url)
    monkeypatch.setenv("HOST_TEST_KEYS", "k1:" + base64.b64encode(ONE["k1"]).decode())
    more = APPS.format(secret=canary.secret("app-secret"))
    running = await start(host='vault_keys = "env:HOST_TEST_KEYS"', more=more)
    assert clear_texts(tmp_path) == []
    browser = running.browser()
    published = (await browser.get("/oidc/jwks")).json()["keys"]
    assert [key["kid"] for key in published] == [before.kid]
    assert not {"d", "p", "q", "dp", "dq", "qi"} & published[0].keys()
    claims = {"iss": f"{running.base}/oidc", "aud": "shop", "sub": "owner-1"}
    hint = jwt.encode({"alg": "RS256", "typ": TYPE, "kid": before.kid}, claims, before)
    await running.host.signing_keys.rotate()
    running.clock.now += AHEAD + LEAVES
    (key,) = (await browser.get("/oidc/jwks")).json()["keys"]
    assert key["kid"] != before.kid
    query = {"id_token_hint": hint, "post_logout_redirect_uri": "https://shop.test/bye"}
    answer = await browser.get("/oidc/session/end", query=query)
    assert answer.headers["location"] == "https://shop.test/bye"


def clear_texts(folder: Path) -> list[str]:
    """The files of ``folder`` that hold a part of some private key."""
    secrets = [str(key.as_dict(private=True)[name]).encode() for key in _made for name in ("d", "p", "q")]
    files = [file for file in folder.iterdir() if file.is_file() and file.name.startswith("host.db")]
    return [file.name for file in files if any(secret in file.read_bytes() for secret in secrets)]


async def _as_the_version_before_left_it(url: str) -> RSAKey:
    """A database of schema 0006 with its one key in the clear, upgraded."""
    upgrade(url)
    upgrade(url, own_migrations())
    key = signing_key.new_signing_key()
    database = open_database(url)
    await database.run(
        [
            ("DROP TABLE host_signing_keys", {}),
            (
                "CREATE TABLE host_signing_keys (tenant TEXT, purpose TEXT, kid TEXT NOT NULL,"
                " private_key TEXT NOT NULL, created_at DOUBLE PRECISION NOT NULL,"
                " PRIMARY KEY (tenant, purpose))",
                {},
            ),
            (
                "INSERT INTO host_signing_keys VALUES ('default', 'bearer', :kid, :private_key, 1.0)",
                {"kid": key.kid, "private_key": json.dumps(key.as_dict(private=True))},
            ),
            ("UPDATE connectors_host_alembic_version SET version_num = '0006'", {}),
        ]
    )
    await database.aclose()
    upgrade(url, own_migrations())
    return key
