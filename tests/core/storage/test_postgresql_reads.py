from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from connectors_core.errors import StorageError
from tests.postgres_server import driver

psycopg = driver()

from connectors_core.storage import postgresql  # noqa: E402
from connectors_core.storage.postgresql import PostgresDatabase  # noqa: E402
from connectors_core.storage.postgresql_reads import ReadFailed, Reads  # noqa: E402

PID = "SELECT pg_backend_pid()"
ECHO = "SELECT :text::text, pg_backend_pid()"


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[PostgresDatabase]:
    database = PostgresDatabase(postgres_url, most_connections=2)
    yield database
    await database.aclose()


async def opened(database: PostgresDatabase) -> Reads:
    """The connection that reads share, when it is there."""
    pool = await database._pool()
    pool.reads()
    if pool._opening is not None:
        await pool._opening
    reads = pool.reads()
    assert reads is not None
    return reads


@pytest.fixture
async def reads(database: PostgresDatabase) -> Reads:
    return await opened(database)


async def pid_of(reads: Reads) -> int:
    ((pid,),) = await reads.read(PID, {})
    return int(pid)


async def ended(pid: int, postgres_url: str) -> None:
    """End a connection at the server, and return when this end knows of it."""
    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


async def test_reads_at_once_share_a_connection_and_each_has_its_own_answer(
    database: PostgresDatabase, reads: Reads
) -> None:
    pid = await pid_of(reads)
    answers = await asyncio.gather(*(database.read(ECHO, {"text": str(n)}) for n in range(100)))
    assert answers == [[(str(n), pid)] for n in range(100)]


async def test_nobody_waits_until_that_connection_is_open(database: PostgresDatabase) -> None:
    ((pid,),) = await database.read(PID)
    assert pid != await pid_of(await opened(database))


async def test_values_are_what_they_are_in_a_statement_of_its_own(database: PostgresDatabase) -> None:
    sql = "SELECT 1, 2.5::float8, 'é😀'::text, '\\x0001'::bytea, NULL::text, TRUE, :text::text, ':a' LIKE '%'"
    alone = await database.read(sql, {"text": "ü"})
    await opened(database)
    assert await database.read(sql, {"text": "ü"}) == alone
    assert alone == [(1, 2.5, "é😀", b"\x00\x01", None, True, "ü", True)]


async def test_no_row_and_several_rows(database: PostgresDatabase, reads: Reads) -> None:
    sql = "SELECT x FROM generate_series(1, CAST(:most AS INTEGER)) x"
    assert await reads.read(sql, {"most": "0"}) == []
    assert await reads.read(sql, {"most": "3"}) == [(1,), (2,), (3,)]


@pytest.mark.parametrize("value", [7, None, 1.5])
async def test_what_is_no_text_is_read_on_another_connection(
    database: PostgresDatabase, reads: Reads, value: Any
) -> None:
    sql = "SELECT CAST(:value AS FLOAT8)"
    assert await database.read(sql, {"value": value}) == [(value,)]
    assert not reads.closed


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
async def test_what_no_text_can_be_is_refused_and_not_cut_off(
    database: PostgresDatabase, reads: Reads, text: str
) -> None:
    with pytest.raises(StorageError):
        await database.read(ECHO, {"text": text})
    assert not reads.closed


async def test_a_statement_that_fails_says_why_and_the_others_are_answered(
    database: PostgresDatabase, reads: Reads
) -> None:
    sql = "SELECT 1 / CAST(:by AS INTEGER)"
    answers = await asyncio.gather(*(database.read(sql, {"by": by}) for by in "1101"), return_exceptions=True)
    assert [answers[0], answers[1], answers[3]] == [[(1,)]] * 3
    assert isinstance(answers[2], StorageError)
    assert "22012" in str(answers[2])


async def test_a_statement_that_cannot_be_prepared_says_why(database: PostgresDatabase, reads: Reads) -> None:
    with pytest.raises(StorageError, match="42601"):
        await database.read("SELEC :text", {"text": "x"})
    assert await database.read("SELECT :text::text", {"text": "x"}) == [("x",)]


async def test_whoever_is_cancelled_takes_nothing_from_the_others(
    database: PostgresDatabase, reads: Reads
) -> None:
    tasks = [asyncio.create_task(database.read(ECHO, {"text": str(n)})) for n in range(20)]
    await asyncio.sleep(0)
    for task in tasks[::3]:
        task.cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    for number, answer in enumerate(answers):
        if number % 3:
            assert not isinstance(answer, BaseException)
            assert answer[0][0] == str(number)
        else:
            assert isinstance(answer, asyncio.CancelledError)
    assert not reads.closed


async def test_what_does_not_fit_into_a_packet_is_sent_and_read_in_parts(
    database: PostgresDatabase, reads: Reads
) -> None:
    texts = [f"{number}" * 400_000 for number in range(8)]
    answers = await asyncio.gather(*(reads.read("SELECT :text::text", {"text": text}) for text in texts))
    assert answers == [[(text,)] for text in texts]


async def test_one_that_the_server_ended_is_noticed_and_opened_anew_after_a_while(
    database: PostgresDatabase, reads: Reads, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ended(await pid_of(reads), postgres_url)
    assert await database.read("SELECT :text::text", {"text": "x"}) == [("x",)]
    assert reads.closed
    pool = await database._pool()
    assert pool.reads() is None
    monkeypatch.setattr(postgresql, "REST", 0.0)
    pool._open_reads_at = 0.0
    another = await opened(database)
    assert another is not reads
    assert await another.read(PID, {})


async def test_who_waits_when_the_connection_ends_is_answered_on_another(
    database: PostgresDatabase, reads: Reads, postgres_url: str
) -> None:
    pid = await pid_of(reads)
    slow = f"SELECT :text::text FROM pg_sleep(CASE pg_backend_pid() WHEN {pid} THEN 30 ELSE 0 END)"
    waiting = [asyncio.create_task(database.read(slow, {"text": str(n)})) for n in range(3)]
    await asyncio.sleep(0)
    assert len(reads._asked) == 3
    await asyncio.to_thread(asyncio.run, ended(pid, postgres_url))
    assert await asyncio.gather(*waiting) == [[("0",)], [("1",)], [("2",)]]


async def test_closing_leaves_nobody_waiting(database: PostgresDatabase, reads: Reads) -> None:
    waiting = asyncio.create_task(reads.read("SELECT pg_sleep(30)", {}))
    await asyncio.sleep(0)
    await database.aclose()
    with pytest.raises(ReadFailed):
        await waiting
    with pytest.raises(StorageError, match="closed"):
        await database.read(PID)


async def test_closing_does_not_wait_for_one_that_is_being_opened(database: PostgresDatabase) -> None:
    pool = await database._pool()
    assert pool.reads() is None
    await database.aclose()
    assert pool._reads is None


async def test_where_none_can_be_opened_reads_go_on(
    database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    await database.read(PID)  # has a connection of the pool
    pool = await database._pool()

    async def refused() -> Any:
        raise StorageError("too many connections")

    pool._open_reads_at = 0.0
    monkeypatch.setattr(pool, "_connect", refused)
    before = pool._reads
    if before is not None:
        before.close()
    assert await database.read("SELECT 1") == [(1,)]
    assert pool._opening is not None
    await pool._opening
    assert await database.read("SELECT 1") == [(1,)]


def test_a_database_that_reads_outlives_an_event_loop(postgres_url: str) -> None:
    database = PostgresDatabase(postgres_url)

    async def ask() -> None:
        await opened(database)
        assert await database.read("SELECT 1") == [(1,)]

    async def ask_and_close() -> None:
        await ask()
        assert len(database._pools) == 1
        await database.aclose()

    asyncio.run(ask())
    asyncio.run(ask_and_close())
