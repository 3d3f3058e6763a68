"""What a call gets: a fresh token, or the one error that says what helps."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from connectors_core.access import attempt
from connectors_core.access.access import ROUNDS, Access
from connectors_core.connector import Connector
from connectors_core.errors import (
    AnswerLost,
    ConnectorFault,
    ConnectorMisconfigured,
    IdTokenRejected,
    InvalidGrant,
    NotLinked,
    NotSent,
    ReauthorizationRequired,
    ScopeRequired,
    StorageError,
    TemporarilyUnavailable,
    TokenEndpointError,
    TokenLivesTooShort,
)
from connectors_core.grants import InactiveReason
from connectors_core.tokens import TokenSet

from .conftest import Scripted


def refused(error, status=400, **more):
    return TokenEndpointError(error, status=status, **more)


def dead():
    return InvalidGrant("invalid_grant", status=400)


def names(events):
    return [event.name for event in events]


async def test_a_fresh_token_is_served_without_a_request(world, access, held, keep, connector):
    await keep(left=3000)
    token = await access.token(held, scopes={"repo"}, min_ttl=60)
    assert (token.access_token, token.generation, token.target) == ("access-0", 1, "acme-sso")
    assert "access-0" not in repr(token)
    assert connector.seen.asked == []


async def test_an_expired_token_is_renewed_once_for_all_who_wait(
    world, access, held, keep, connector, events
):
    await keep(left=-1)
    connector.seen.takes = 0.2
    tokens = await world.run(asyncio.gather(*(access.token(held) for _ in range(50))))
    assert {token.access_token for token in tokens} == {"access-1"}
    assert connector.seen.asked == [("refresh-0", None)]
    assert names(events) == ["token.refreshed"]


async def test_several_processes_send_one_request(world, new_access, held, keep, connector, events):
    await keep(left=-1)
    connector.seen.takes = 1.0
    processes = [new_access() for _ in range(4)]
    tokens = await world.run(asyncio.gather(*(p.token(held) for p in processes for _ in range(10))))
    assert {token.access_token for token in tokens} == {"access-1"}
    assert (len(connector.seen.asked), connector.seen.most_in_flight) == (1, 1)
    assert names(events) == ["token.refreshed"]


async def test_callers_of_all_processes_wait_for_a_holder_that_lives(
    world, new_access, held, keep, connector
):
    await keep(left=200)
    connector.seen.takes = 1.0
    processes = [new_access() for _ in range(4)]
    tokens = await world.run(
        asyncio.gather(*(p.token(held, min_ttl=300) for p in processes for _ in range(10)))
    )
    assert {token.access_token for token in tokens} == {"access-1"}
    assert len(connector.seen.asked) == 1


async def test_a_refused_token_is_renewed_once_by_all_processes(world, new_access, held, keep, connector):
    await keep(left=3000)
    connector.seen.takes = 1.0
    processes = [new_access() for _ in range(4)]
    refused = await processes[0].token(held)
    tokens = await world.run(asyncio.gather(*(p.renewed(held, refused) for p in processes)))
    assert {token.access_token for token in tokens} == {"access-1"}
    assert len(connector.seen.asked) == 1


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


async def test_a_token_of_unknown_lifetime_is_served_as_long_as_nobody_refuses_it(
    access, held, keep, connector
):
    await keep(left=None)
    assert (await access.token(held, min_ttl=86400)).access_token == "access-0"
    assert connector.seen.asked == []


async def test_nothing_kept_is_not_linked(access, held):
    with pytest.raises(NotLinked):
        await access.token(held)


async def test_missing_scopes_are_named_and_nobody_is_asked(access, held, keep, connector):
    await keep()
    with pytest.raises(ScopeRequired) as caught:
        await access.token(held, scopes={"repo", "admin"})
    assert (caught.value.missing, caught.value.granted) == ({"admin"}, {"repo", "user"})
    assert connector.seen.asked == []


async def test_without_a_refresh_token_an_expired_grant_needs_the_person(access, held, keep):
    await keep(left=-1, refresh_token=None)
    with pytest.raises(ReauthorizationRequired) as caught:
        await access.token(held)
    assert caught.value.reason == "expired"


async def test_without_a_refresh_token_a_living_one_is_served_to_its_end(access, held, keep):
    await keep(left=2, refresh_token=None)
    assert (await access.token(held, min_ttl=1)).access_token == "access-0"
    with pytest.raises(ReauthorizationRequired):
        await access.token(held, min_ttl=3)


async def test_a_token_due_soon_is_served_and_renewed_meanwhile(world, access, held, keep, connector, store):
    await keep(left=200)
    assert (await access.token(held)).access_token == "access-0"
    await world.settle()
    assert len(connector.seen.asked) == 1
    assert (await access.token(held)).access_token == "access-1"


async def test_who_needs_longer_than_is_left_waits_for_the_new_one(world, access, held, keep):
    await keep(left=200)
    assert (await world.run(access.token(held, min_ttl=600))).access_token == "access-1"


async def test_no_token_lives_as_long_as_asked(world, access, held, keep, connector):
    await keep(left=200)
    for _ in range(3):
        with pytest.raises(TokenLivesTooShort) as caught:
            await world.run(access.token(held, min_ttl=7200))
    assert caught.value.lifetime == 3600
    assert len(connector.seen.asked) == 1


async def test_a_provider_whose_tokens_have_ended_when_they_come_is_not_asked_for_ever(
    world, access, held, keep, connector
):
    await keep(left=-1)
    connector.seen.lifetime = 0.0
    with pytest.raises(TemporarilyUnavailable):
        await world.run(access.token(held))
    assert len(connector.seen.asked) == ROUNDS


async def test_how_long_a_grant_of_another_lives_says_nothing_of_this_one(
    world, access, held, keep, connector
):
    await keep(left=-1)
    connector.seen.lifetime = 7200
    await world.run(access.token(held))
    await keep(left=-1, identity="identity-2")
    connector.seen.lifetime = 900
    for _ in range(3):
        with pytest.raises(TokenLivesTooShort) as caught:
            await world.run(access.token(replace(held, identity="identity-2"), min_ttl=1800))
    assert caught.value.lifetime == 900
    assert len(connector.seen.asked) == 2
    assert (await access.token(held, min_ttl=1800)).access_token == "access-1"


async def test_a_renewed_token_that_carries_less_is_not_renewed_again(world, access, held, keep, connector):
    await keep(left=-1)
    connector.seen.answers = [
        TokenSet(
            access_token="narrow",
            refresh_token="r",
            expires_at=world.now + 3600,
            requested=frozenset({"user"}),
            scopes=frozenset({"user"}),
            scopes_stated=True,
        )
    ]
    with pytest.raises(ScopeRequired) as caught:
        await world.run(access.token(held, scopes={"repo"}))
    assert caught.value.missing == {"repo"}
    assert len(connector.seen.asked) == 1


async def test_nobody_waits_longer_than_patience_and_the_answer_is_kept(
    world, new_access, held, keep, connector, store
):
    await keep(left=-1)
    connector.seen.takes = 100.0
    access = new_access(patience=0.05)
    async with asyncio.timeout(5):
        with pytest.raises(TemporarilyUnavailable):
            await access.token(held)
    await world.until(lambda: not access._flights)
    assert (await access.token(held)).access_token == "access-1"


async def test_a_cancelled_caller_does_not_cancel_the_exchange(world, access, held, keep, connector):
    await keep(left=-1)
    connector.seen.takes = 1.0
    callers = [asyncio.ensure_future(access.token(held)) for _ in range(50)]
    await world.settle()
    for caller in callers:
        caller.cancel()
    await asyncio.gather(*callers, return_exceptions=True)
    await world.until(lambda: not access._flights)
    assert (await access.token(held)).access_token == "access-1"
    assert len(connector.seen.asked) == 1


async def test_a_dead_grant_is_asked_about_once(world, access, held, keep, connector, events):
    await keep(left=-1)
    connector.seen.answers = [dead()]
    for _ in range(3):
        with pytest.raises(ReauthorizationRequired) as caught:
            await world.run(access.token(held))
        assert caught.value.reason == "invalid_grant"
    assert len(connector.seen.asked) == 1
    assert names(events) == ["token.needs_reauthorization"]


async def test_who_waits_for_another_process_hears_that_the_grant_is_dead(
    world, new_access, held, keep, connector
):
    await keep(left=-1)
    connector.seen.takes = 1.0
    connector.seen.answers = [InvalidGrant("invalid_grant", status=400)]
    calls = [new_access().token(held) for _ in range(3)]
    for ended in await world.run(asyncio.gather(*calls, return_exceptions=True)):
        assert isinstance(ended, ReauthorizationRequired)
        assert ended.reason == "invalid_grant"
    assert len(connector.seen.asked) == 1


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


async def test_a_token_that_is_served_was_alive_when_the_clock_was_last_read(world, held, keep, connector):
    """However soon it ends, and however fast time passes: nothing can be renewed, so the old one serves."""
    readings, served = [], 0

    def clock():
        world.now += 0.001
        readings.append(world.now)
        return world.now

    access = Access(clock=clock, observe=lambda _: None, sleep=world.sleep, draw=world.draw)
    for left in range(1, 40):
        connector.seen.answers = [refused("invalid_client", 401)]
        await keep(left=left / 1000)
        try:
            token = await world.run(access.token(held))
        except ConnectorMisconfigured:
            continue
        assert token.expires_at > readings[-2], "the reading by which it was judged"
        served += 1
    assert served > 20


async def test_a_lease_of_before_the_clock_was_set_back_keeps_nobody_out(
    world, new_access, held, keep, store, connector
):
    state = await keep(left=-1)
    tomorrow = world.now + 86400
    await store.acquire(
        "default", "identity-1", generation=state.generation, holder="gone", ttl=15, now=tomorrow
    )
    assert (await world.run(new_access().token(held))).access_token == "access-1"


async def test_a_fresh_token_of_another_connector_is_not_served(world, access, held, keep):
    await keep()
    other = replace(held, connector=Scripted(world, connector_id="other"))
    with pytest.raises(ReauthorizationRequired) as caught:
        await access.token(other)
    assert caught.value.reason == "connector_changed"


async def test_no_connector_is_shown_the_refresh_token_of_another(
    world, access, held, keep, store, connector
):
    state = await keep(left=-1)
    object.__setattr__(connector, "connector_id", "other")
    assert not await access.renew(held)
    with pytest.raises(ReauthorizationRequired) as caught:
        await world.run(access.token(held))
    assert caught.value.reason == "connector_changed"
    flight = access._flights.join(held, state, world.now + 20)
    with pytest.raises(ReauthorizationRequired):
        await world.run(asyncio.shield(flight.answer))
    assert connector.seen.asked == []
    assert (await store.state("default", "identity-1")).lease_holder is None


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


async def test_a_pair_that_cannot_be_stored_is_served_and_kept_for_later(
    world, new_access, held, keep, store, connector, events, caplog
):
    await keep(left=-1)
    real, broken = store.commit, [True]

    async def commit(*arguments, **options):
        if broken:
            raise StorageError("disk full")
        return await real(*arguments, **options)

    store.commit = commit
    access, other = new_access(), new_access()
    assert (await world.run(access.token(held))).access_token == "access-1"
    assert (await world.run(access.token(held))).access_token == "access-1"
    with pytest.raises(TemporarilyUnavailable):
        await world.run(other.token(held))
    broken.clear()
    await world.until(lambda: not access._flights)
    assert (await other.token(held)).access_token == "access-1"
    assert len(connector.seen.asked) == 1
    assert names(events) == ["token.unsaved", "token.refreshed"]
    assert "access-1" not in caplog.text


@pytest.mark.parametrize(("error", "most"), [(StorageError("disk full"), 60), (TypeError("bug"), 5)])
async def test_a_pair_that_can_never_be_stored_is_given_up(
    world, access, held, keep, store, events, caplog, error, most
):
    await keep(left=-1)
    tried = []

    async def commit(*_, **__):
        tried.append(world.now)
        raise error

    store.commit = commit
    object.__setattr__(access.timing, "commit_patience", 60.0)
    assert (await world.run(access.token(held))).access_token == "access-1"
    await world.until(lambda: not access._flights)
    assert 5 <= len(tried) <= most
    assert tried[-1] - tried[0] <= 63
    state = await store.state("default", "identity-1")
    assert (state.lease_holder, state.uncertain) == (None, True)
    assert names(events) == ["token.unsaved"]
    assert "given up" in caplog.text


async def test_what_cannot_be_stored_of_an_answer_is_left_out(world, access, held, keep, store, connector):
    await keep(left=-1)
    connector.seen.answers = [
        TokenSet(
            access_token="new",
            refresh_token="next",
            expires_at=world.now + 3600,
            token_type="Bear\0er",
            extra={"at": object(), "team": "blue"},
            claims={"sub": "42", "odd": float("nan")},
        )
    ]
    assert (await world.run(access.token(held))).access_token == "new"
    stored = await store.open("default", "identity-1")
    assert (stored.tokens.token_type, dict(stored.tokens.extra)) == ("Bearer", {"team": "blue"})
    assert dict(stored.tokens.claims) == {"sub": "42"}


async def test_a_commit_that_was_done_after_all_is_told_once(world, access, held, keep, store, events):
    await keep(left=-1)
    real, failed = store.commit, []

    async def commit(*arguments, **options):
        state = await real(*arguments, **options)
        if not failed:
            failed.append(True)
            raise StorageError("connection lost after the statement")
        return state

    store.commit = commit
    assert (await world.run(access.token(held))).access_token == "access-1"
    await world.until(lambda: not access._flights)
    assert names(events) == ["token.unsaved", "token.refreshed"]


async def test_a_pair_for_an_unlinked_identity_is_revoked(world, access, held, keep, store, connector):
    await keep(left=-1)
    connector.seen.takes = 1.0
    waiting = asyncio.ensure_future(access.token(held))
    await world.settle()
    await store.remove("default", "identity-1", now=world.now)
    with pytest.raises(NotLinked):
        await world.run(waiting)
    assert connector.seen.revoked == ["refresh-1"]
    assert await store.state("default", "identity-1") is None


async def test_who_waits_for_a_grant_that_is_unlinked_hears_of_it(
    world, access, held, keep, store, connector
):
    await keep(left=-1)
    connector.seen.answers = [refused("slow_down", 429, retry_after=10.0)]
    waiting = asyncio.ensure_future(access.token(held))
    await world.until(lambda: bool(connector.seen.asked))
    await store.remove("default", "identity-1", now=world.now)
    with pytest.raises(NotLinked):
        await world.run(waiting)
    assert len(connector.seen.asked) == 1


async def test_a_connector_that_cannot_refresh_is_not_asked_to(world, access, held, keep, store, connector):
    """Its refresh token is of a time in which it could."""

    class Unable(Connector):
        id, metadata, Config = Scripted.id, Scripted.metadata, Scripted.Config
        authorization_uri, exchange, profile = Scripted.authorization_uri, Scripted.exchange, Scripted.profile

    await keep(left=-1)
    unable = Unable(connector.config, connector_id="acme", runtime=connector.runtime)
    with pytest.raises(ReauthorizationRequired, match="expired"):
        await world.run(access.token(replace(held, connector=unable)))
    state = await store.state("default", "identity-1")
    assert (state.lease_holder, state.reason) == (None, None)


async def test_a_sign_in_during_a_refresh_wins_and_nothing_is_revoked(
    world, access, held, keep, store, connector
):
    state = await keep(left=-1)
    connector.seen.takes = 1.0
    waiting = asyncio.ensure_future(access.token(held))
    await world.settle()
    newer = TokenSet(
        access_token="signed-in", refresh_token="r", expires_at=world.now + 3600, scopes=state.scopes
    )
    await store.put(state.ref, newer, now=world.now)
    assert (await world.run(waiting)).access_token == "signed-in"
    assert connector.seen.revoked == []


async def test_a_refused_token_is_renewed_only_while_it_is_the_stored_one(
    world, access, held, keep, connector
):
    await keep(left=3000)
    token = await access.token(held)
    renewed = await world.run(access.renewed(held, token))
    assert renewed.access_token == "access-1"
    assert (await world.run(access.renewed(held, token))).access_token == "access-1"
    assert len(connector.seen.asked) == 1
    assert (await access.renewed(held, renewed)) is renewed


async def test_a_refused_token_that_nothing_renews_stays(access, held, keep):
    await keep(left=3000, refresh_token=None)
    token = await access.token(held)
    assert await access.renewed(held, token) is token


async def test_drain_waits_for_the_answer_and_begins_nothing(world, access, held, keep, connector, store):
    await keep(left=-1)
    connector.seen.takes = 2.0
    waiting = asyncio.ensure_future(access.token(held))
    await world.settle()
    assert await world.run(access.drain(5))
    assert (await waiting).access_token == "access-1"
    await keep(left=-1, identity="identity-2")
    with pytest.raises(TemporarilyUnavailable):
        await access.token(replace(held, identity="identity-2"))
    assert len(connector.seen.asked) == 1


async def test_drain_ends_what_does_not_end(access, held, keep, connector, world):
    await keep(left=-1)
    connector.seen.takes = 1e6
    waiting = asyncio.ensure_future(access.token(held))
    await world.settle()
    assert not await access.drain(0.01)
    with pytest.raises(TemporarilyUnavailable):
        await waiting


async def test_a_refresh_that_nobody_waits_for_fails_in_silence(world, access, held, keep, connector, caplog):
    await keep(left=200)
    connector.seen.answers = [dead()]
    assert (await access.token(held)).access_token == "access-0"
    await world.until(lambda: not access._flights)
    with pytest.raises(ReauthorizationRequired):
        await access.token(held)
    assert caplog.text == ""
