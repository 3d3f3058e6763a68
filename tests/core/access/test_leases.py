"""Who may ask the provider: leases, holders that fall silent, and processes that wake up late."""

from __future__ import annotations

import asyncio

import pytest

from connectors_core.errors import (
    StorageError,
    TemporarilyUnavailable,
)
from connectors_core.grants import InactiveReason
from connectors_core.tokens import TokenSet


async def test_a_lease_is_not_won_in_the_moment_in_which_its_holder_falls_silent(
    world, new_access, held, keep, store, connector
):
    state = await keep(left=200)
    await store.acquire(
        "default", "identity-1", generation=state.generation, holder="paused", ttl=15, now=world.now
    )
    with pytest.raises(TemporarilyUnavailable):
        await world.run(new_access().token(held, min_ttl=300))
    assert connector.seen.asked == []


async def test_the_wait_for_a_silent_holder_ends_with_its_lease(
    world, new_access, held, keep, store, connector
):
    object.__setattr__(connector, "rotation", "grace:30")
    state = await keep(left=-1)
    await store.acquire(
        "default", "identity-1", generation=state.generation, holder="gone", ttl=15, now=world.now
    )
    started = world.now
    assert (await world.run(new_access().token(held))).access_token == "access-1"
    assert 15 <= world.now - started < 16


async def test_a_strict_provider_is_not_asked_while_a_silent_holder_may_come_back(
    world, new_access, held, keep, store, connector
):
    state = await keep(left=40)
    await store.acquire(
        "default", "identity-1", generation=state.generation, holder="paused", ttl=15, now=world.now
    )
    world.now += 16
    assert (await world.run(new_access().token(held))).access_token == "access-0"
    assert connector.seen.asked == []
    world.now += 25
    assert (await world.run(new_access().token(held))).access_token == "access-1"


async def test_a_paused_process_does_not_send_on_a_lease_that_may_be_gone(
    world, new_access, held, keep, store, connector
):
    object.__setattr__(connector, "rotation", "grace:30")
    state = await keep(left=-1)
    real, paused = store.acquire, []

    async def acquire(*arguments, **options):
        lease = await real(*arguments, **options)
        if lease is not None and not paused:
            paused.append(lease)
            world.now += 60
            other = await real("default", "identity-1", generation=state.generation, holder="other", ttl=15,
                               now=world.now)  # fmt: skip
            assert other is not None
        return lease

    store.acquire = acquire
    started = world.now
    assert (await world.run(new_access(patience=300).token(held))).access_token == "access-1"
    assert world.now - started >= 75
    assert len(connector.seen.asked) == 1


async def test_who_takes_over_does_not_send_what_its_former_holder_has_used_and_stored(
    world, new_access, held, keep, store, connector
):
    state = await keep(left=-1)
    slow = await store.acquire(
        "default", "identity-1", generation=state.generation, holder="slow", ttl=15, now=world.now
    )
    world.now += 20
    real = store.acquire

    async def acquire(*arguments, **options):
        lease = await real(*arguments, **options)
        # The commit of the slow one had waited for the database all the time.
        late = TokenSet(access_token="late", refresh_token="late-refresh", expires_at=world.now + 3600)
        assert await store.commit(slow, late, now=world.now)
        return lease

    store.acquire = acquire
    assert (await world.run(new_access().token(held))).access_token == "late"
    assert connector.seen.asked == []


async def test_a_lease_of_before_the_clock_was_set_back_keeps_nobody_out(
    world, new_access, held, keep, store, connector
):
    state = await keep(left=-1)
    tomorrow = world.now + 86400
    await store.acquire(
        "default", "identity-1", generation=state.generation, holder="gone", ttl=15, now=tomorrow
    )
    assert (await world.run(new_access().token(held))).access_token == "access-1"


async def test_a_lease_that_cannot_be_made_sure_of_is_given_back(
    world, access, held, keep, store, connector, monkeypatch
):
    await keep(left=-1)

    async def prepare_refresh():
        world.now += 6

    async def renew(*_, **__):
        raise StorageError("gone for a moment")

    object.__setattr__(connector, "prepare_refresh", prepare_refresh)
    monkeypatch.setattr(store, "renew", renew)
    with pytest.raises(StorageError):
        await world.run(access.token(held))
    state = await store.state("default", "identity-1")
    assert (state.lease_holder, state.uncertain, connector.seen.asked) == (None, False, [])


async def test_a_former_holders_success_is_kept(world, new_access, held, keep, store, connector):
    object.__setattr__(connector, "rotation", "grace:30")
    state = await keep(left=-1)
    lease = await store.acquire(
        "default", "identity-1", generation=state.generation, holder="slow", ttl=15, now=world.now
    )
    world.now += 20
    second = await store.acquire(
        "default", "identity-1", generation=state.generation, holder="next", ttl=15, now=world.now
    )
    late = TokenSet(access_token="late", refresh_token="late-refresh", expires_at=world.now + 3600)
    assert await store.commit(lease, late, now=world.now)
    assert not await store.fail(second, reason=InactiveReason.INVALID_GRANT, now=world.now)
    assert (await new_access().token(held)).access_token == "late"


async def test_a_lease_is_renewed_while_its_holder_waits_for_the_answer(
    world, new_access, held, keep, store, connector
):
    await keep(left=-1)
    connector.seen.takes = 50.0
    first, second = new_access(patience=100), new_access(patience=100)
    waiting = asyncio.ensure_future(second.token(held))
    assert await world.run(first.renew(held))
    assert (await world.run(waiting)).access_token == "access-1"
    assert connector.seen.most_in_flight == 1
    assert len(connector.seen.asked) == 1
