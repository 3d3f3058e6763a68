"""What is used regularly is renewed before anybody asks."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from connectors_core.access.refresher import DAY, FindsDue, Refresher
from connectors_core.errors import InvalidGrant, StorageError, TokenEndpointError
from connectors_core.storage.memory_tokens import MemoryTokenStore

from .conftest import Scripted


class Store(MemoryTokenStore):
    """Finds what is due by looking at everything."""

    asked = ()

    async def due(self, *, before, used_since, now, longest_wait, longest_lease, most):
        self.asked = (before - now, now - used_since, longest_wait, longest_lease, most)
        states = await self.states("default", "user-1")
        return [state for state in states if state.expires_at < before and state.reason is None][:most]


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def refresher(access, store, held, world):
    async def held_of(state):
        return None if state.ref.identity == "gone" else replace(held, identity=state.ref.identity)

    return Refresher(access, store, held_of, clock=world.clock, sleep=world.sleep)


async def test_a_round_renews_what_is_due(world, refresher, store, keep, connector):
    assert isinstance(store, FindsDue)
    await keep(left=200, identity="soon")
    await keep(left=-5, identity="late")
    await keep(left=3000, identity="fresh")
    await keep(left=-5, identity="gone")
    await keep(left=-5, identity="never", refresh_token=None)
    assert await world.run(refresher.round()) == 2
    assert len(connector.seen.asked) == 2
    assert store.asked == (360, 7 * DAY, 960, 75, 100)


async def test_a_failure_does_not_end_the_round(world, refresher, keep, connector):
    for number in range(6):
        await keep(left=-5, identity=f"identity-{number}")
    connector.seen.answers = [InvalidGrant("invalid_grant", status=400)]
    assert await world.run(refresher.round()) == 5


async def test_grants_of_a_connector_that_cannot_be_asked_keep_no_others_waiting(
    world, access, store, held, keep
):
    bad, good = Scripted(world, connector_id="bad"), Scripted(world, connector_id="acme")
    bad.seen.answers = [TokenEndpointError("invalid_client", status=401)] * 999

    async def held_of(state):
        connector = bad if state.ref.identity.startswith("bad") else good
        return replace(held, identity=state.ref.identity, connector=connector)

    for number in range(250):
        await keep(left=-1000, identity=f"bad-{number}")
        kept = store._kept["default", f"bad-{number}"]
        kept.state = replace(kept.state, ref=replace(kept.state.ref, connector="bad"))
    await keep(left=-5, identity="good")
    refresher = Refresher(access, store, held_of, clock=world.clock, sleep=world.sleep)
    assert await world.run(refresher.round()) == 1
    assert good.seen.asked == [("refresh-0", None)]
    assert len(bad.seen.asked) <= 4


async def test_it_goes_on_after_an_outage_of_the_database(world, refresher, store, keep, connector, caplog):
    await keep(left=-5)
    real, failures = store.due, [StorageError("gone"), StorageError("gone")]

    async def due(**options):
        if failures:
            raise failures.pop()
        return await real(**options)

    store.due = due
    running = asyncio.ensure_future(refresher.run())
    await world.until(lambda: connector.seen.given == 1)
    running.cancel()
    assert caplog.text.count("the refresher waits") == 2


@pytest.mark.parametrize(
    ("retry_at", "lease_until", "renewed"),
    [(None, None, 1), (900, None, 0), (961, None, 1), (None, 70, 0), (None, 76, 1), (-1, -1, 1)],
)
async def test_a_clock_that_was_wrong_holds_no_grant_back(
    world, access, held, keep, retry_at, lease_until, renewed
):
    store = MemoryTokenStore()

    async def held_of(_):
        return replace(held, store=store)

    state = await keep(left=-5)
    state = replace(
        state,
        used_at=world.now,
        retry_at=None if retry_at is None else world.now + retry_at,
        lease_until=None if lease_until is None else world.now + lease_until,
        lease_holder=None if lease_until is None else "somebody",
    )
    kept = held.store._kept["default", "identity-1"]
    store._kept["default", "identity-1"] = replace(kept, state=state)
    refresher = Refresher(access, store, held_of, clock=world.clock, sleep=world.sleep)
    assert await world.run(refresher.round()) == renewed
