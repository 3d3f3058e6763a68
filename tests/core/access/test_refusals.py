"""What a provider that fails or refuses does to a grant, and to those who wait for it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from connectors_core.access import attempt
from connectors_core.errors import (
    AnswerLost,
    ConnectorFault,
    ConnectorMisconfigured,
    IdTokenRejected,
    NotSent,
    ReauthorizationRequired,
    TemporarilyUnavailable,
)
from connectors_core.grants import InactiveReason

from .conftest import dead, names, refused


async def test_a_dead_grant_is_asked_about_once(world, access, held, keep, connector, events):
    await keep(left=-1)
    connector.seen.answers = [dead()]
    for _ in range(3):
        with pytest.raises(ReauthorizationRequired) as caught:
            await world.run(access.token(held))
        assert caught.value.reason == "invalid_grant"
    assert len(connector.seen.asked) == 1
    assert names(events) == ["token.needs_reauthorization"]


async def test_a_dead_grant_after_a_lost_answer_is_a_lost_rotation(
    world, access, held, keep, connector, events
):
    await keep(left=-1)
    connector.seen.answers = [AnswerLost("cut"), dead()]
    with pytest.raises(ReauthorizationRequired) as caught:
        await world.run(access.token(held))
    assert caught.value.reason == "rotation_lost"
    assert names(events) == ["token.refresh_failed", "token.needs_reauthorization"]


async def test_without_rotation_nothing_can_be_lost(world, access, held, keep, connector):
    await keep(left=-1)
    object.__setattr__(connector, "rotation", "none")
    connector.seen.answers = [AnswerLost("cut"), dead()]
    with pytest.raises(ReauthorizationRequired) as caught:
        await world.run(access.token(held))
    assert caught.value.reason == "invalid_grant"


async def test_the_provider_may_ask_for_the_person(world, access, held, keep, connector, store):
    await keep(left=-1)
    connector.seen.answers = [refused("interaction_required")]
    with pytest.raises(ReauthorizationRequired) as caught:
        await world.run(access.token(held))
    assert caught.value.reason == "interaction_required"


async def test_a_refresh_that_does_not_end_counts_as_an_answer_that_was_lost(
    new_access, held, keep, store, connector, events, monkeypatch
):
    monkeypatch.setattr(attempt, "SECOND_LOOK", 0.01)
    await keep(left=-1)
    connector.seen.takes = 1e6
    waiting = asyncio.ensure_future(new_access(request=0.01).token(held))
    async with asyncio.timeout(10):
        while not events:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    waiting.cancel()
    assert [(event.name, event.detail["kind"]) for event in events] == [("token.refresh_failed", "unknown")]
    state = await store.state("default", "identity-1")
    assert (state.lease_holder, state.uncertain) == (None, True)


async def test_an_outage_is_waited_out(world, access, held, keep, connector, events):
    await keep(left=-1)
    connector.seen.answers = [NotSent("refused")] * 3
    assert (await world.run(access.token(held))).access_token == "access-1"
    assert names(events) == ["token.refresh_failed"] * 3 + ["token.refreshed"]


async def test_a_provider_that_refuses_a_dozen_times_is_waited_out(world, access, held, keep, connector):
    """With waits of mean length: half of what may be drawn."""
    await keep(left=-1)
    connector.seen.answers = [refused("temporarily_unavailable", 503)] * 12
    assert (await world.run(access.token(held))).access_token == "access-1"


async def test_an_outage_under_many_grants_is_over_when_it_is_over(world, access, held, keep, connector):
    """One asks for all, and its answer sets all free: nobody is told to come back later."""
    grants = [replace(held, identity=f"identity-{number}") for number in range(30)]
    for grant in grants:
        await keep(left=-1, identity=grant.identity)
    seen, began = connector.seen, world.now

    def answer():
        return NotSent("refused") if world.now < began + 3 else None

    seen.takes, seen.answers = 0.1, [answer] * 200
    waiting = asyncio.ensure_future(asyncio.gather(*(access.token(grant) for grant in grants)))
    await world.until(lambda: world.now >= began + 0.1)
    seen.most_in_flight = 0
    await world.until(lambda: world.now >= began + 2.9)
    assert (len(seen.asked) <= 40, seen.most_in_flight) == (True, 1)
    await world.run(waiting)
    assert world.now < began + 8


async def test_retry_after_is_obeyed_by_every_process(world, new_access, held, keep, connector):
    await keep(left=-1)
    connector.seen.answers = [refused("slow_down", 429, retry_after=120.0)]
    for process in (new_access(), new_access()):
        with pytest.raises(TemporarilyUnavailable) as caught:
            await world.run(process.token(held))
        assert 100 < caught.value.retry_after < 130
    assert len(connector.seen.asked) == 1
    world.now += 130
    assert (await world.run(new_access().token(held))).access_token == "access-1"


async def test_a_host_whose_clock_is_ahead_keeps_no_other_from_asking(
    world, new_access, held, keep, store, connector
):
    state = await keep(left=-1)
    ahead = await store.acquire(
        "default", "identity-1", generation=state.generation, holder="ahead", ttl=15, now=world.now
    )
    await store.fail(ahead, retry_at=world.now + 3600.5, now=world.now + 3600)
    assert (await world.run(new_access().token(held))).access_token == "access-1"


async def test_no_answer_makes_anybody_wait_longer_than_the_longest_wait(
    world, access, held, keep, store, connector
):
    await keep(left=-1)
    connector.seen.answers = [refused("slow_down", 429, retry_after=86400.0)]
    with pytest.raises(TemporarilyUnavailable):
        await world.run(access.token(held))
    retry_at = (await store.state("default", "identity-1")).retry_at
    assert retry_at <= world.now + access.timing.longest_wait


async def test_an_outage_does_not_take_away_a_living_token(world, access, held, keep, connector):
    await keep(left=20)
    connector.seen.answers = [refused("slow_down", 429, retry_after=600.0)]
    started = world.now
    assert (await world.run(access.token(held))).access_token == "access-0"
    assert (await world.run(access.token(held))).access_token == "access-0"
    assert world.now == started
    assert len(connector.seen.asked) == 1


async def test_a_wrong_client_is_the_operators_matter(world, access, held, keep, connector, events, store):
    await keep(left=-1)
    connector.seen.answers = [refused("invalid_client", 401)]
    for _ in range(2):
        with pytest.raises(ConnectorMisconfigured, match="invalid_client"):
            await world.run(access.token(held))
    assert len(connector.seen.asked) == 1
    assert (await store.state("default", "identity-1")).reason is None
    assert names(events) == ["token.refresh_failed"]
    world.now += 60
    assert (await world.run(access.token(held))).access_token == "access-1"


async def test_a_wrong_client_spares_all_other_grants_the_question(world, access, held, keep, connector):
    await keep(left=-1)
    await keep(left=-1, identity="identity-2")
    connector.seen.answers = [refused("invalid_client", 401)]
    for identity in ("identity-1", "identity-2"):
        with pytest.raises(ConnectorMisconfigured):
            await world.run(access.token(replace(held, identity=identity)))
    assert len(connector.seen.asked) == 1


async def test_a_request_that_is_refused_is_the_operators_matter_too(
    world, access, held, keep, connector, store
):
    await keep(left=-1)
    connector.seen.answers = [refused("invalid_request")]
    with pytest.raises(ConnectorMisconfigured, match="invalid_request"):
        await world.run(access.token(held))
    state = await store.state("default", "identity-1")
    assert (state.reason, state.retry_at) == (None, world.now + 30)


async def test_an_invalid_scope_is_asked_without_scope_once(world, access, held, keep, connector):
    await keep(left=-1)
    object.__setattr__(connector, "scope_on_refresh", True)
    connector.seen.answers = [refused("invalid_scope")]
    assert (await world.run(access.token(held))).access_token == "access-1"
    assert connector.seen.asked == [("refresh-0", ("repo", "user")), ("refresh-0", None)]


async def test_no_other_refusal_is_answered_with_the_same_refresh_token(world, access, held, keep, connector):
    await keep(left=-1)
    object.__setattr__(connector, "scope_on_refresh", True)
    connector.seen.answers = [dead()]
    with pytest.raises(ReauthorizationRequired):
        await world.run(access.token(held))
    assert len(connector.seen.asked) == 1


async def test_another_person_in_the_id_token_ends_the_grant(
    world, access, held, keep, connector, events, store
):
    await keep(left=-1)
    connector.seen.answers = [IdTokenRejected("sub", expected="that of the sign-in", actual="another")]
    with pytest.raises(ReauthorizationRequired) as caught:
        await world.run(access.token(held))
    assert caught.value.reason == "identity_changed"
    assert (await store.state("default", "identity-1")).reason is InactiveReason.IDENTITY_CHANGED
    assert names(events) == ["token.needs_reauthorization"]


async def test_what_a_connector_raises_by_mistake_says_nothing_of_the_grant(
    world, access, held, keep, connector
):
    await keep(left=-1)
    connector.seen.answers = [KeyError("bug")]
    assert (await world.run(access.token(held))).access_token == "access-1"


async def test_a_broken_connector_raises_ours(world, access, held, keep, connector, monkeypatch):
    await keep(left=-1)

    async def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(held.store, "acquire", broken)
    with pytest.raises(ConnectorFault):
        await world.run(access.token(held))


async def test_who_looked_before_another_was_refused_waits_like_that_one(
    world, new_access, held, keep, store, connector
):
    state = await keep(left=-1)
    real, refusals = store.acquire, []

    async def acquire(*arguments, **options):
        if not refusals:
            refusals.append(world.now)
            first = await real("default", "identity-1", generation=state.generation, holder="first", ttl=15,
                               now=world.now)  # fmt: skip
            assert await store.fail(first, retry_at=world.now + 5, now=world.now)
        return await real(*arguments, **options)

    store.acquire = acquire
    assert (await world.run(new_access().token(held))).access_token == "access-1"
    assert world.now >= refusals[0] + 5
