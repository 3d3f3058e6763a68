"""What a call gets: a fresh token, or the one error that says what helps."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from connectors_core.access.access import ROUNDS, Access
from connectors_core.connector import Connector
from connectors_core.errors import (
    ConnectorMisconfigured,
    NotLinked,
    ReauthorizationRequired,
    ScopeRequired,
    TemporarilyUnavailable,
    TokenLivesTooShort,
)
from connectors_core.tokens import TokenSet

from .conftest import Scripted, refused


async def test_a_fresh_token_is_served_without_a_request(world, access, held, keep, connector):
    await keep(left=3000)
    token = await access.token(held, scopes={"repo"}, min_ttl=60)
    assert (token.access_token, token.generation, token.target) == ("access-0", 1, "acme-sso")
    assert "access-0" not in repr(token)
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
