"""Who is signed in, for how long, and what a stolen table is worth."""

from __future__ import annotations

import pytest
from connectors_host.sessions import Session, Sessions, Upstream

from tests.host.conftest import Running

IDLE, ABSOLUTE = 3600.0, 7 * 3600.0
UPSTREAM = Upstream(issuer="https://provider.test", subject="alice-1", sid="sid-1")


@pytest.fixture
def sessions(running: Running) -> Sessions:
    return Sessions(running.host.hub.database, idle=IDLE, absolute=ABSOLUTE, clock=running.clock)


async def begin(sessions: Sessions) -> Session:
    return await sessions.start("user_1", connector="acme", upstream=UPSTREAM, id_token_hint="fake.id.token")


async def test_a_session_comes_back_whole_under_its_id(sessions: Sessions) -> None:
    session = await begin(sessions)
    assert await sessions.find(session.id) == session


async def test_an_unknown_id_is_nobody(sessions: Sessions) -> None:
    await begin(sessions)
    assert await sessions.find("unknown") is None


async def test_use_keeps_a_session_from_going_idle(sessions: Sessions, running: Running) -> None:
    session = await begin(sessions)
    for _ in range(3):
        running.clock.now += IDLE - 1
        assert await sessions.find(session.id)
    running.clock.now += IDLE + 1
    assert await sessions.find(session.id) is None


async def test_no_use_keeps_a_session_beyond_its_absolute_lifetime(
    sessions: Sessions, running: Running
) -> None:
    session = await begin(sessions)
    for _ in range(7):
        running.clock.now += IDLE - 1
        assert await sessions.find(session.id)
    running.clock.now += 8
    assert await sessions.find(session.id) is None


async def test_an_ended_session_is_gone(sessions: Sessions) -> None:
    session = await begin(sessions)
    await sessions.end(session.id)
    assert await sessions.find(session.id) is None


async def test_the_table_holds_neither_id_nor_id_token(sessions: Sessions, running: Running) -> None:
    session = await begin(sessions)
    rows = await running.host.hub.database.fetch("SELECT * FROM host_sessions")
    stored = b"".join(value if isinstance(value, bytes) else str(value).encode() for value in rows[0])
    for secret in (session.id, session.csrf_token, "fake.id.token", "sid-1"):
        assert secret.encode() not in stored
        assert secret not in repr(session)


async def test_a_row_that_was_tampered_with_is_nobody(sessions: Sessions, running: Running) -> None:
    session = await begin(sessions)
    await running.host.hub.database.run([("UPDATE host_sessions SET sealed = :x", {"x": b"x" * 64})])
    assert await sessions.find(session.id) is None


@pytest.mark.parametrize(
    "changed", ["owner = 'user_2'", "connector = 'posting'", "sealed = (SELECT sealed FROM other)"]
)
async def test_a_row_that_was_moved_or_edited_is_nobody(
    sessions: Sessions, running: Running, changed: str
) -> None:
    session = await begin(sessions)
    database = running.host.hub.database
    await database.run([("CREATE TABLE other AS SELECT sealed FROM host_sessions", {})])
    session = await begin(sessions)
    await database.run([(f"UPDATE host_sessions SET {changed}", {})])
    assert await sessions.find(session.id) is None


async def test_new_sessions_sweep_expired_ones(sessions: Sessions, running: Running) -> None:
    for _ in range(3):
        await begin(sessions)
    running.clock.now += ABSOLUTE + 1
    await begin(sessions)
    rows = await running.host.hub.database.fetch("SELECT COUNT(*) FROM host_sessions")
    assert rows == [(1,)]


async def test_tenants_see_their_own(sessions: Sessions, running: Running) -> None:
    session = await begin(sessions)
    database = running.host.hub.database
    other = Sessions(database, idle=IDLE, absolute=ABSOLUTE, clock=running.clock, tenant="other")
    assert await other.find(session.id) is None


async def test_csrf_tokens_belong_to_one_session(sessions: Sessions) -> None:
    one, two = await begin(sessions), await begin(sessions)
    assert one.owns_csrf_token(one.csrf_token)
    assert not two.owns_csrf_token(one.csrf_token)
    assert not one.owns_csrf_token("")
