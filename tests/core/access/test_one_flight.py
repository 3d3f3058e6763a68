"""One refresh serves everybody, in however many processes, whoever goes away meanwhile."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from connectors_core.errors import (
    InvalidGrant,
    ReauthorizationRequired,
    TemporarilyUnavailable,
)

from .conftest import dead, names


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
