"""What is used regularly is renewed before anybody asks."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from connectors_core.access.refresher import DAY, FindsDue, Refresher
from connectors_core.errors import InvalidGrant, StorageError
from connectors_core.storage.memory_tokens import MemoryTokenStore


class Store(MemoryTokenStore):
    """Finds what is due by looking at everything."""

    asked = ()

    async def due(self, *, before, used_since, now, most):
        self.asked = (before - now, now - used_since, most)
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
    assert store.asked == (360, 7 * DAY, 100)


async def test_a_failure_does_not_end_the_round(world, refresher, keep, connector):
    for number in range(6):
        await keep(left=-5, identity=f"identity-{number}")
    connector.seen.answers = [InvalidGrant("invalid_grant", status=400)]
    assert await world.run(refresher.round()) == 5


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
