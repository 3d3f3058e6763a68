"""What the caller of a hub sees of a provider that refuses, fails, takes its time or answers for another."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import traceback
from email.utils import formatdate

import pytest

from connectors_core import Hub, Registry
from connectors_core.access.access import Access
from connectors_core.access.timing import Timing
from connectors_core.errors import (
    ConnectorMisconfigured,
    ReauthorizationRequired,
    StorageError,
    TemporarilyUnavailable,
)
from connectors_core.grants import InactiveReason
from connectors_core.http import HttpSender
from connectors_core.storage.database import open_database
from connectors_core.storage.migrations import upgrade
from connectors_core.testing.provider import Fault, Provider, Response

from .test_access_tokens import CONFIG, KEYS, Acme, Events, sign_in

WHEN_IT_IS_DUE = 4000
NO_TIME = Timing(backoff=1000.0, longest_backoff=1000.0)
"""After a failure the next attempt is 500 s away: further than any call waits."""


@pytest.fixture
def provider(clock):
    return Provider(clock=clock, rotation="strict")


@pytest.fixture
def events():
    return Events()


@pytest.fixture(scope="module")
def schema(tmp_path_factory):
    """A database that has its schema: copying it is faster than making another."""
    path = tmp_path_factory.mktemp("schema") / "hub.db"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
def open_hub(provider, events, clock, tmp_path, schema):
    """Another host on the same database, as far as the store can tell."""

    shutil.copy(schema, tmp_path / "hub.db")

    def open_hub(url=f"sqlite:///{tmp_path}/hub.db"):
        registry = Registry()
        registry.register(Acme)
        registry.plugins.register(events)
        sender = HttpSender(transport=provider.transport())
        hub = Hub(registry, sender=sender, clock=clock, database=url, keys=KEYS)
        hub.add("acme", config=CONFIG, token_storage=True)
        hub._shared.access = Access(
            clock=clock, observe=hub._shared.observe, timing=NO_TIME, draw=lambda: 0.5
        )
        return hub

    return open_hub


def said(error, **more):
    status = more.pop("status", 400)
    return Response.json({"error": error, "error_description": "no"}, status=status, **more)


async def asked(provider):
    while not provider.requests.in_flight:  # noqa: ASYNC110
        await asyncio.sleep(0)


def at(clock, seconds):
    return formatdate(clock.now + WHEN_IT_IS_DUE + seconds, usegmt=True)


LATER = {
    "120": 120,
    "+120": 120,
    "+90000": 900,
    "86400": 900,
    "9" * 400: 900,
    "Fri, 31 Dec 9999 23:59:59 GMT": 900,
}


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("wish", LATER)
async def test_a_provider_that_says_when_is_asked_by_no_host_before(open_hub, provider, clock, wish, status):
    seconds = LATER[wish]
    wish = at(clock, int(wish[1:])) if wish.startswith("+") else wish
    async with open_hub() as first, open_hub() as second:
        await sign_in(first, provider)
        clock.advance(WHEN_IT_IS_DUE)
        provider.answer_next("token", said("slow_down", status=status, retry_after=wish))
        for hub in (first, second):
            with pytest.raises(TemporarilyUnavailable) as caught:
                await hub.access_token("acme-sso", owner="user-1")
            assert seconds <= caught.value.retry_after <= seconds + 1
        assert provider.requests.count("token") == 2, "the sign-in and one refresh"
        clock.advance(seconds + 1)
        assert (await second.access_token("acme-sso", owner="user-1")).generation == 2
        assert (await first.access_token("acme-sso", owner="user-1")).generation == 2
    assert provider.families_revoked == 0


@pytest.mark.parametrize("wish", ["-5", "soon", "1.5", "Fri, 99 Foo 0000 99:99:99 GMT", ""])
async def test_a_wish_that_makes_no_sense_is_none(open_hub, provider, clock, wish):
    async with open_hub() as hub:
        await sign_in(hub, provider)
        clock.advance(WHEN_IT_IS_DUE)
        provider.answer_next("token", said("slow_down", status=429, retry_after=wish))
        with pytest.raises(TemporarilyUnavailable) as caught:
            await hub.access_token("acme-sso", owner="user-1")
        assert caught.value.retry_after == 500
        clock.advance(500)
        assert (await hub.access_token("acme-sso", owner="user-1")).generation == 2


REFUSALS = {
    "invalid_grant": (said("invalid_grant"), ReauthorizationRequired, InactiveReason.INVALID_GRANT, False),
    "interaction": (
        said("interaction_required"),
        ReauthorizationRequired,
        InactiveReason.INTERACTION_REQUIRED,
        False,
    ),
    "invalid_client": (said("invalid_client", status=401), ConnectorMisconfigured, None, False),
    "invalid_request": (said("invalid_request"), ConnectorMisconfigured, None, False),
    "503": (said("x", status=503), TemporarilyUnavailable, None, False),
    "500": (Response.html("<h1>oops", status=500), TemporarilyUnavailable, None, True),
    "own code": (said("what now"), TemporarilyUnavailable, None, True),
    "a page": (Response.html("<h1>Sign in"), TemporarilyUnavailable, None, True),
    "no token": (Response.json({"expires_in": 3600}), TemporarilyUnavailable, None, True),
    "elsewhere": (Response.redirect("https://elsewhere.test/"), TemporarilyUnavailable, None, True),
    "refused": (Fault.REFUSE, TemporarilyUnavailable, None, False),
    "reset": (Fault.RESET, TemporarilyUnavailable, None, True),
    "cut": (Fault.CUT, TemporarilyUnavailable, None, True),
    "no HTTP": (Fault.GARBAGE, TemporarilyUnavailable, None, True),
}


@pytest.mark.parametrize("refusal", REFUSALS)
async def test_the_caller_gets_the_one_error_that_says_what_helps(open_hub, provider, clock, refusal):
    answer, expected, reason, uncertain = REFUSALS[refusal]
    async with open_hub() as hub:
        await sign_in(hub, provider)
        clock.advance(WHEN_IT_IS_DUE)
        provider.answer_next("token", answer, times=99)
        with pytest.raises(expected) as caught:
            await hub.access_token("acme-sso", owner="user-1")
        asked = provider.requests.count("token")
        (status,) = await hub.token_states("user-1")
        assert (status.reason, status.state.uncertain, status.state.generation) == (reason, uncertain, 1)
        assert status.state.lease_holder is None
        with pytest.raises((expected, TemporarilyUnavailable)):
            await hub.access_token("acme-sso", owner="user-1")
        assert provider.requests.count("token") == asked, "nobody asks again before it is time"
    shown = "".join(traceback.format_exception(caught.value))
    assert not [secret for secret in provider.secrets() if secret in shown]


async def test_what_a_provider_echoes_of_a_refresh_is_shown_nowhere(
    open_hub, provider, clock, events, caplog
):
    async with open_hub() as hub:
        await sign_in(hub, provider)
        clock.advance(WHEN_IT_IS_DUE)
        echo = " ".join(provider.secrets())
        body = {"error": echo, "error_description": echo, "message": echo}
        provider.answer_next("token", Response.json(body, status=400), times=99)
        with pytest.raises(TemporarilyUnavailable) as caught:
            await hub.access_token("acme-sso", owner="user-1")
    refresh_token = next(secret for secret in provider.secrets() if secret.startswith("refresh-"))
    shown = "".join(traceback.format_exception(caught.value)) + repr(events.seen) + caplog.text
    assert "token.refresh_failed" in shown
    assert refresh_token not in shown
    assert CONFIG["clientSecret"] not in shown


@pytest.mark.parametrize("claim", ["sub", "iss", "aud"])
async def test_a_pair_for_another_account_is_thrown_away(open_hub, provider, clock, claim):
    async with open_hub() as hub:
        identity = await sign_in(hub, provider)
        store = hub._shared.keeping.default
        before = await store.open("default", identity.id)
        clock.advance(WHEN_IT_IS_DUE)
        with provider.deviate(f"refresh.{claim}-other"), pytest.raises(ReauthorizationRequired) as caught:
            await hub.access_token("acme-sso", owner="user-1")
        assert caught.value.reason == "identity_changed"
        after = await store.open("default", identity.id)
        assert (after.tokens, after.state.generation) == (before.tokens, before.state.generation)


async def test_a_caller_that_goes_away_leaves_the_refresh_to_its_end(open_hub, provider, clock):
    async with open_hub() as hub:
        await sign_in(hub, provider)
        clock.advance(WHEN_IT_IS_DUE)
        answered = provider.hold("token")
        caller = asyncio.ensure_future(hub.access_token("acme-sso", owner="user-1"))
        await asked(provider)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        answered.set()
    async with open_hub() as hub:
        assert (await hub.access_token("acme-sso", owner="user-1")).generation == 2
    assert provider.requests.count("token") == 2
    assert provider.families_revoked == 0


async def test_a_hub_that_closes_waits_for_the_answer(open_hub, provider, clock):
    async with open_hub() as hub:
        await sign_in(hub, provider)
        clock.advance(WHEN_IT_IS_DUE)
        answered = provider.hold("token")
        caller = asyncio.ensure_future(hub.access_token("acme-sso", owner="user-1"))
        await asked(provider)
        asyncio.get_running_loop().call_later(0.02, answered.set)
    await asyncio.wait([caller])
    async with open_hub() as hub:
        assert (await hub.access_token("acme-sso", owner="user-1")).generation == 2
    assert provider.requests.count("token") == 2


@pytest.mark.parametrize("store", ["sqlite", "postgresql"])
async def test_nothing_of_the_database_is_held_while_the_provider_is_asked(
    open_hub, provider, clock, tmp_path, store, request
):
    url = f"sqlite:///{tmp_path}/hub.db"
    if store == "postgresql":
        url = request.getfixturevalue("postgres_schema")
        await asyncio.to_thread(upgrade, url)
    async with open_hub(url) as hub:
        await sign_in(hub, provider)
        clock.advance(WHEN_IT_IS_DUE)
        answered = provider.hold("token")
        caller = asyncio.ensure_future(hub.access_token("acme-sso", owner="user-1"))
        await asked(provider)
        if store == "sqlite":
            writer = sqlite3.connect(tmp_path / "hub.db", timeout=0, isolation_level=None)
            writer.execute("BEGIN IMMEDIATE")
            writer.execute("ROLLBACK")
            writer.close()
        else:
            other = open_database(url)
            held = "SELECT COUNT(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"
            assert await other.fetch(held) == [(0,)]
            await other.aclose()
        answered.set()
        assert (await caller).generation == 2


async def test_a_hub_that_was_closed_serves_nothing_and_asks_nobody(open_hub, provider, clock):
    async with open_hub() as hub:
        await sign_in(hub, provider)
        api = hub.client("acme-sso", owner="user-1")
        refresher = hub.refresher()
        clock.advance(WHEN_IT_IS_DUE)
    for call in (
        lambda: hub.access_token("acme-sso", owner="user-1"),
        lambda: api.get(provider.url("userinfo")),
        refresher.round,
        hub.__aenter__,
    ):
        with pytest.raises(StorageError):
            await call()
    with pytest.raises(StorageError):
        hub.refresher()
    assert provider.requests.count("token") == 1
