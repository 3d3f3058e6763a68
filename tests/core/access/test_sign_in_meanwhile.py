"""A sign-in while a refresh is under way: the pair that the refresh brings is the only good one."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from connectors_core.errors import NotLinked
from connectors_core.tokens import TokenSet

BROUGHT = {
    "no refresh token": {"refresh_token": None, "scopes": frozenset({"repo", "user"})},
    "fewer scopes": {"refresh_token": "refresh-narrow", "scopes": frozenset()},
}


@pytest.mark.parametrize("brought", BROUGHT.values(), ids=BROUGHT)
async def test_one_request_goes_out_and_its_answer_is_kept(
    world, access, new_access, held, keep, store, connector, brought
):
    state = await keep(left=-1)
    connector.seen.takes = 1.0
    waiting = asyncio.ensure_future(access.token(held))
    await world.settle()
    signed_in = TokenSet(access_token="signed-in", expires_at=world.now + 60, scopes_stated=True, **brought)
    await store.put(state.ref, signed_in, now=world.now)
    elsewhere = asyncio.ensure_future(new_access().token(held, min_ttl=300))
    tokens = await world.run(asyncio.gather(waiting, elsewhere))
    assert {token.access_token for token in tokens} == {"access-1"}
    assert [refresh_token for refresh_token, _ in connector.seen.asked] == ["refresh-0"]
    stored = await store.open("default", "identity-1")
    assert stored.tokens.refresh_token == "refresh-1"
    assert (stored.state.lease_holder, stored.state.uncertain) == (None, False)


async def test_a_late_pair_is_not_revoked_where_the_account_was_linked_again(
    world, access, held, keep, store, connector
):
    state = await keep(left=-1)
    connector.seen.takes = 1.0
    waiting = asyncio.ensure_future(access.token(held))
    await world.settle()
    await store.remove("default", "identity-1", now=world.now)
    again = TokenSet(access_token="again", refresh_token="refresh-again")
    await store.put(replace(state.ref, identity="identity-2"), again, now=world.now)
    with pytest.raises(NotLinked):
        await world.run(waiting)
    assert connector.seen.revoked == []
