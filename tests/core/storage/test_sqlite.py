from __future__ import annotations

import asyncio
import gc
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from connectors_core.errors import StorageError
from connectors_core.storage import sqlite
from connectors_core.storage.sqlite import SqliteDatabase


@pytest.fixture
def careless_sqlite(monkeypatch: pytest.MonkeyPatch) -> None:
    """An SQLite that was built to do otherwise where it is not told."""
    connect = sqlite3.connect

    def careless(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*arguments, **options)
        for pragma in ("secure_delete", "synchronous", "foreign_keys"):
            connection.execute(f"PRAGMA {pragma} = OFF")
        return connection

    monkeypatch.setattr(sqlite3, "connect", careless)


@pytest.mark.usefixtures("careless_sqlite")
@pytest.mark.parametrize(
    ("pragma", "value"),
    [
        ("journal_mode", "wal"),
        ("synchronous", 2),
        ("foreign_keys", 1),
        ("secure_delete", 1),
        ("busy_timeout", 10_000),
    ],
)
async def test_the_connection_is_durable_and_strict(tmp_path: Path, pragma: str, value: object) -> None:
    database = SqliteDatabase(tmp_path / "a.db")
    assert await database.fetch(f"PRAGMA {pragma}") == [(value,)]
    await database.aclose()


def modes(directory: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}


async def test_the_file_and_its_log_are_the_owners_alone(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "a.db")
    await database.fetch("CREATE TABLE t (x)")
    assert modes(tmp_path) == {"a.db": 0o600, "a.db-wal": 0o600, "a.db-shm": 0o600}
    await database.aclose()


async def test_a_statement_behind_the_close_opens_nothing_again(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "a.db")
    await database.fetch("CREATE TABLE t (x)")
    _, late = await asyncio.gather(database.aclose(), database.fetch("SELECT 1"), return_exceptions=True)
    assert isinstance(late, StorageError)
    assert str(late) == "the database is closed"
    assert modes(tmp_path) == {"a.db": 0o600}
    with pytest.raises(StorageError, match="the database is closed"):
        await database.fetch("SELECT 1")


async def test_nothing_is_created_before_the_first_statement(tmp_path: Path) -> None:
    await SqliteDatabase(tmp_path / "a.db").aclose()
    assert modes(tmp_path) == {}


async def test_a_file_that_cannot_be_created_is_named_with_the_reason(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "missing" / "a.db")
    with pytest.raises(StorageError, match=r"missing/a\.db cannot be created: No such file"):
        await database.fetch("SELECT 1")
    (tmp_path / "missing").mkdir()
    assert await database.fetch("SELECT 1") == [(1,)]
    await database.aclose()


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_text("this is not a database, " * 100)
    database = SqliteDatabase(tmp_path / "a.db")
    with pytest.raises(StorageError, match=r"a\.db: file is not a database"):
        await database.fetch("SELECT 1")
    await database.aclose()


async def test_a_writer_that_waits_too_long_gives_up(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "a.db", busy_timeout=0.01)
    await database.fetch("CREATE TABLE t (x)")
    other = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageError, match="locked"):
        await database.run([("INSERT INTO t VALUES (1)", {})])
    other.execute("ROLLBACK")
    other.close()
    await database.run([("INSERT INTO t VALUES (1)", {})])
    await database.aclose()


async def test_foreign_keys_are_enforced(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "a.db")
    await database.fetch("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
    await database.fetch("CREATE TABLE child (parent REFERENCES parent ON DELETE CASCADE)")
    with pytest.raises(StorageError, match="FOREIGN KEY"):
        await database.fetch("INSERT INTO child VALUES (1)")
    await database.aclose()


@pytest.mark.usefixtures("careless_sqlite")
async def test_deleted_bytes_are_not_left_in_the_file(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "a.db")
    await database.fetch("CREATE TABLE t (x)")
    await database.fetch("INSERT INTO t VALUES (:x)", {"x": b"canary" * 20})
    await database.fetch("DELETE FROM t")
    await database.fetch("PRAGMA wal_checkpoint(TRUNCATE)")
    assert not any(b"canary" in (tmp_path / name).read_bytes() for name in ("a.db", "a.db-wal"))
    await database.aclose()


async def test_an_old_sqlite_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "OLDEST", (99, 0, 0))
    database = SqliteDatabase(None)
    with pytest.raises(StorageError, match="too old"):
        await database.fetch("SELECT 1")
    await database.aclose()


def test_what_was_started_is_finished_at_the_end_of_the_program(tmp_path: Path) -> None:
    program = f"""
import asyncio
from connectors_core.storage.sqlite import SqliteDatabase

async def main():
    await database.fetch("CREATE TABLE t (x)")
    waiting = asyncio.gather(*(database.fetch("INSERT INTO t VALUES (1)") for _ in range(20)))
    await asyncio.sleep(0)
    waiting.cancel()

database = SqliteDatabase({str(tmp_path / "a.db")!r})
asyncio.run(main())
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)
    with sqlite3.connect(tmp_path / "a.db") as connection:
        assert connection.execute("SELECT COUNT(*) FROM t").fetchone() == (20,)
    connection.close()


async def test_the_thread_goes_with_the_database(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    database = SqliteDatabase(tmp_path / "a.db")
    await database.fetch("CREATE TABLE t (x)")
    (thread,) = set(threading.enumerate()) - before
    del database
    gc.collect()
    assert not thread.is_alive()


async def test_a_read_waits_for_no_writer(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "a.db")
    await database.run([("CREATE TABLE t (x)", {}), ("INSERT INTO t VALUES (1)", {})])
    other = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("INSERT INTO t VALUES (2)")
    assert await asyncio.wait_for(database.read("SELECT x FROM t"), 5) == [(1,)]
    other.execute("COMMIT")
    assert await database.read("SELECT x FROM t") == [(1,), (2,)]
    other.close()
    await database.aclose()
    assert modes(tmp_path) == {"a.db": 0o600}


async def test_a_read_that_fails_on_the_callers_thread_goes_the_long_way(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "a.db")
    await database.run([("CREATE TABLE t (x)", {}), ("INSERT INTO t VALUES (1)", {})])
    assert await database.read("SELECT x FROM t") == [(1,)]
    assert database._reader is not None
    database._reader.close()  # whatever is wrong with it
    assert await database.read("SELECT x FROM t") == [(1,)]
    database._reader = None
    assert await database.read("SELECT x FROM t") == [(1,)]
    await database.aclose()


async def test_a_read_changes_nothing_on_the_callers_thread(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "a.db")
    await database.fetch("CREATE TABLE t (x)")
    await database.read("SELECT x FROM t")
    assert database._reader is not None
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        database._reader.execute("INSERT INTO t VALUES (1)")
    await database.aclose()
