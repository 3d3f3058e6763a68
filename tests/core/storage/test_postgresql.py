from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connectors_core.errors import StorageError
from connectors_core.storage.migrations import upgrade
from tests.postgres_server import driver

psycopg = driver()

from connectors_core.storage import postgresql  # noqa: E402
from connectors_core.storage.postgresql import PostgresDatabase  # noqa: E402


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[PostgresDatabase]:
    database = PostgresDatabase(postgres_url, most_connections=4)
    yield database
    await database.aclose()


async def test_translated_statements_mean_the_same(database: PostgresDatabase) -> None:
    sql = "SELECT :a::text, ':a %s', 7 % 4, $$:a$$, 'a%' LIKE 'a%%' -- :b %"
    assert await database.fetch(sql, {"a": "x"}) == [("x", ":a %s", 3, ":a", True)]


async def test_a_lost_connection_is_replaced(database: PostgresDatabase, postgres_url: str) -> None:
    ((pid,),) = await database.fetch("SELECT pg_backend_pid()")
    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    ((after,),) = await database.fetch("SELECT pg_backend_pid()")
    assert after != pid


async def test_a_statement_under_way_when_the_connection_is_lost_is_not_repeated(
    database: PostgresDatabase,
) -> None:
    await database.fetch("CREATE SEQUENCE IF NOT EXISTS tries")
    with pytest.raises(StorageError, match="57P01"):
        await database.fetch("SELECT nextval('tries'), pg_terminate_backend(pg_backend_pid())")
    assert await database.fetch("SELECT nextval('tries')") == [(2,)]


async def test_a_deadlock_is_undone_and_tried_again(database: PostgresDatabase, postgres_url: str) -> None:
    await database.fetch("DROP TABLE IF EXISTS accounts")
    await database.fetch("CREATE TABLE accounts (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)")
    await database.fetch("INSERT INTO accounts VALUES (1, 0), (2, 0)")
    add = "UPDATE accounts SET n = n + 1 WHERE id = :id"
    hold: tuple[str, dict[str, object]] = ("SELECT pg_sleep(0.05)", {})
    deadlocking = PostgresDatabase(f"{postgres_url}&options=-c%20deadlock_timeout%3D10ms")
    await asyncio.gather(
        deadlocking.run([(add, {"id": 1}), hold, (add, {"id": 2})]),
        deadlocking.run([(add, {"id": 2}), hold, (add, {"id": 1})]),
    )
    assert await deadlocking.fetch("SELECT n FROM accounts") == [(2,), (2,)]
    await deadlocking.aclose()


async def test_no_more_connections_than_allowed(database: PostgresDatabase) -> None:
    sql = "SELECT pg_backend_pid() FROM pg_sleep(0.01)"
    rows = await asyncio.gather(*(database.fetch(sql) for _ in range(12)))
    assert len({row for ((row,),) in rows}) <= 4


async def test_a_caller_does_not_wait_for_ever_for_a_connection(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "WAIT", 0.01)
    database = PostgresDatabase(postgres_url, most_connections=1)
    busy = asyncio.create_task(database.fetch("SELECT pg_sleep(0.2)"))
    await asyncio.sleep(0)
    with pytest.raises(StorageError, match="became free"):
        await database.fetch("SELECT 1")
    await busy
    assert await database.fetch("SELECT 1") == [(1,)]
    await database.aclose()


async def test_closing_waits_for_what_is_under_way(postgres_url: str) -> None:
    database = PostgresDatabase(postgres_url)
    await database.fetch("CREATE TABLE IF NOT EXISTS late (x INTEGER)")
    slow = asyncio.create_task(database.fetch("INSERT INTO late SELECT 1 FROM pg_sleep(0.05)"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await database.aclose()
    await slow
    other = PostgresDatabase(postgres_url)
    assert await other.fetch("SELECT x FROM late") == [(1,)]
    await other.aclose()


async def test_a_server_that_is_not_there_is_a_storage_error_without_the_password(tmp_path: Path) -> None:
    database = PostgresDatabase(f"postgresql://u:hunter2@/db?host={tmp_path}")
    with pytest.raises(StorageError, match="cannot be reached") as caught:
        await database.fetch("SELECT 1")
    assert "hunter2" not in str(caught.value)
    await database.aclose()


def test_an_upgrade_without_a_server_says_so_without_the_password(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be reached") as caught:
        upgrade(f"postgresql://u:hunter2@/db?host={tmp_path}")
    assert "hunter2" not in str(caught.value)


async def test_the_text_of_a_server_error_is_not_shown(database: PostgresDatabase) -> None:
    with pytest.raises(StorageError, match="22P02") as caught:
        await database.fetch("SELECT CAST(:text AS INTEGER)", {"text": "canary"})
    assert "canary" not in str(caught.value)


def test_a_database_outlives_an_event_loop(postgres_url: str) -> None:
    database = PostgresDatabase(postgres_url)

    async def ask() -> None:
        assert await database.fetch("SELECT 1") == [(1,)]

    async def ask_and_close() -> None:
        await ask()
        assert len(database._pools) == 1
        await database.aclose()

    asyncio.run(ask())
    asyncio.run(ask_and_close())
