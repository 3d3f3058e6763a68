"""What becomes of an answer: stored, kept for later, given up, or revoked."""

from __future__ import annotations

import asyncio

import pytest

from connectors_core.errors import (
    NotLinked,
    StorageError,
    TemporarilyUnavailable,
)
from connectors_core.tokens import TokenSet

from .conftest import names, refused


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


async def test_a_sign_in_during_a_refresh_wins_and_nothing_is_revoked(
    world, access, held, keep, store, connector, monkeypatch
):
    monkeypatch.delattr(type(store), "serves_elsewhere")  # as a plugin's: nothing else holds it back
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
