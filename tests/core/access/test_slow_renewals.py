"""What a caller gets where renewing takes long or cannot be done, and a living token is there or not."""

from __future__ import annotations

import asyncio
import math
import time

import pytest

from connectors_core.access import attempt
from connectors_core.access.access import Access
from connectors_core.access.timing import Timing
from connectors_core.errors import AddressRefused, ConnectorMisconfigured, NotSent, TemporarilyUnavailable


async def test_a_living_token_is_served_before_it_ends_in_an_outage(held, keep, connector, world):
    world.now = time.time()
    await keep(left=4)
    connector.seen.answers = [NotSent("refused")] * 999
    access = Access(observe=lambda _: None, timing=Timing(backoff=0.1, longest_backoff=0.1))
    token = await access.token(held)
    assert token.expires_at - time.time() > 1
    await access.drain(0)


async def test_a_living_token_is_served_where_the_provider_hangs(access, held, keep, connector):
    await keep(left=0.5)
    connector.seen.takes = 1e6
    async with asyncio.timeout(5):
        assert (await access.token(held)).access_token == "access-0"


async def test_the_cause_of_a_wrong_configuration_is_told(world, access, held, keep, connector):
    await keep(left=-1)
    connector.seen.answers = [
        AddressRefused("id.example.test: 10.0.0.1 is not public; private_hosts allows it")
    ]
    with pytest.raises(ConnectorMisconfigured) as caught:
        await world.run(access.token(held))
    assert "the token endpoint answered" not in str(caught.value)


async def test_a_preparation_that_does_not_end_gives_the_lease_back(
    new_access, held, keep, store, connector, events, monkeypatch
):
    monkeypatch.setattr(attempt, "SECOND_LOOK", 0.01)

    async def prepare_refresh():
        await asyncio.sleep(1e6)

    object.__setattr__(connector, "prepare_refresh", prepare_refresh)
    await keep(left=-1)
    waiting = asyncio.ensure_future(new_access(request=0.01).token(held))
    try:
        async with asyncio.timeout(3):
            while not events:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    finally:
        waiting.cancel()
    assert (await store.state("default", "identity-1")).lease_holder is None


async def test_a_lifetime_that_is_no_number_brings_about_no_refresh(world, access, held, keep, connector):
    await keep(left=3000)
    with pytest.raises((ValueError, TemporarilyUnavailable)):
        await world.run(access.token(held, min_ttl=math.nan))
    assert connector.seen.asked == []
