from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

from connectors_core.errors import ConfigurationError, StorageError
from connectors_core.storage.database import OpenDatabase, open_database
from connectors_core.storage.sqlite import SqliteDatabase

INSERT = "INSERT INTO notes (id, text) VALUES (:id, :text)"


@pytest.fixture
async def notes(database: OpenDatabase) -> OpenDatabase:
    await database.fetch("DROP TABLE IF EXISTS notes")
    await database.fetch("CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL)")
    return database


@pytest.mark.parametrize(
    ("url", "cure"),
    [
        ("connectors.db", "sqlite:///"),
        ("", "sqlite:///"),
        ("mysql://u:hunter2@host/db", "postgresql://"),
        ("sqlite+aiosqlite:///a.db", "leave the driver out"),
        ("postgresql+psycopg://u:hunter2@host/db", "leave the driver out"),
        ("sqlite://relative.db", "three slashes"),
        ("sqlite:///", "three slashes"),
        ("sqlite:///a.db?mode=ro", "no options"),
        ("postgresql://u:hunter2@host:port/db", "percent-encode"),
        ("postgresql://u:hunter2@[::1/db", "percent-encode"),
        ("postgresql://u:a@hunter2@host/db", "percent-encode"),
        ("postgresql://u:a@b:hunter2@host/db", "percent-encode"),
        ("postgresql://u:1/hunter2@host/db", "percent-encode"),
        ("postgresql://u:1?hunter@hunter2@host/db", "percent-encode"),
    ],
)
def test_a_url_that_is_none_is_refused_with_the_cure_and_without_its_password(url: str, cure: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_database(url)
    assert cure in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert caught.value.problems[0].path == ("host", "database")


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite://", None),
        ("sqlite:///:memory:", None),
        ("sqlite:///data/a b.db", "data/a b.db"),
        ("sqlite:////var/lib/a.db", "/var/lib/a.db"),
    ],
)
def test_three_slashes_are_relative_and_four_absolute(url: str, path: str | None) -> None:
    database = open_database(url)
    assert isinstance(database, SqliteDatabase)
    assert (None if database.path is None else str(database.path)) == path


def test_opening_sqlite_imports_no_other_driver() -> None:
    script = (
        "import sys; from connectors_core.storage.database import open_database; open_database('sqlite://');"
        "import connectors_core.storage.migrations, connectors_core.storage.sql;"
        "print([m for m in ('sqlalchemy', 'alembic', 'psycopg') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


async def test_values_come_back_as_they_went(notes: OpenDatabase) -> None:
    for text in ("plain", "Zoë 👩", "a:b ::c %s %% 'quoted' $1 ?"):
        await notes.fetch("DELETE FROM notes")
        await notes.fetch(INSERT, {"id": 1, "text": text})
        assert await notes.fetch("SELECT text FROM notes WHERE text = :text", {"text": text}) == [(text,)]


async def test_run_is_all_or_nothing(notes: OpenDatabase) -> None:
    with pytest.raises(StorageError):
        await notes.run([(INSERT, {"id": 1, "text": "a"}), (INSERT, {"id": 1, "text": "b"})])
    assert await notes.fetch("SELECT * FROM notes") == []


async def test_run_returns_the_rows_of_each_statement(notes: OpenDatabase) -> None:
    rows = await notes.run(
        [(INSERT, {"id": 7, "text": "a"}), ("SELECT id FROM notes", {}), ("SELECT text FROM notes", {})]
    )
    assert rows == [[], [(7,)], [("a",)]]


async def test_an_error_names_no_value(notes: OpenDatabase) -> None:
    await notes.fetch(INSERT, {"id": 1, "text": "canary-one"})
    statements: list[tuple[str, dict[str, object]]] = [
        (INSERT, {"id": 1, "text": "canary-two"}),
        (INSERT, {"id": 2, "text": None, "other": "canary-three"}),
        ("SELECT * FROM nowhere WHERE text = :text", {"text": "canary-four"}),
        (INSERT, {"id": 3}),
        (INSERT, {"id": 2**80, "text": "canary-five"}),
        (INSERT, {"id": 3, "text": "canary-six \ud800"}),
        (INSERT, {"id": 3, "text": object()}),
    ]
    for statement, parameters in statements:
        with pytest.raises(StorageError) as caught:
            await notes.fetch(statement, parameters)
        assert "canary" not in str(caught.value)
        assert caught.value.__suppress_context__
    assert await notes.fetch("SELECT text FROM notes") == [("canary-one",)]


async def test_fetch_opens_no_transaction(notes: OpenDatabase) -> None:
    with pytest.raises(StorageError, match="run"):
        await notes.fetch("BEGIN")
    await notes.fetch(INSERT, {"id": 1, "text": "kept"})
    assert await notes.fetch("SELECT text FROM notes") == [("kept",)]


async def test_what_a_cancelled_caller_started_is_finished(notes: OpenDatabase) -> None:
    tasks = [asyncio.create_task(notes.run([(INSERT, {"id": n, "text": "x"})])) for n in range(5)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(answer, asyncio.CancelledError) for answer in answers)
    # Nothing is half done, and the database is in order: later work is unharmed.
    await notes.run([(INSERT, {"id": 9, "text": "x"})])
    assert (9,) in await notes.fetch("SELECT id FROM notes")


async def test_many_callers_at_once(notes: OpenDatabase) -> None:
    await asyncio.gather(*(notes.fetch(INSERT, {"id": n, "text": str(n)}) for n in range(60)))
    assert await notes.fetch("SELECT count(*) FROM notes") == [(60,)]


async def test_several_event_loops_in_several_threads(notes: OpenDatabase) -> None:
    async def some(first: int) -> None:
        await asyncio.gather(*(notes.fetch(INSERT, {"id": first + n, "text": "x"}) for n in range(10)))

    threads = [threading.Thread(target=asyncio.run, args=(some(100 * n),)) for n in range(4)]
    for thread in threads:
        thread.start()
    await some(1000)
    for thread in threads:
        await asyncio.to_thread(thread.join)
    assert await notes.fetch("SELECT count(*) FROM notes") == [(50,)]


async def test_a_closed_database_says_so(database_url: str) -> None:
    database = open_database(database_url)
    await database.fetch("SELECT 1")
    await database.aclose()
    await database.aclose()
    with pytest.raises(StorageError, match="closed"):
        await database.fetch("SELECT 1")


async def test_a_read_sees_what_was_written(notes: OpenDatabase) -> None:
    assert await notes.read("SELECT text FROM notes WHERE id = :id", {"id": 1}) == []
    await notes.fetch(INSERT, {"id": 1, "text": "a"})
    assert await notes.read("SELECT text FROM notes WHERE id = :id", {"id": 1}) == [("a",)]


async def test_a_read_that_cannot_be_is_a_storage_error(notes: OpenDatabase) -> None:
    for statement, parameters in (
        ("SELECT nothing FROM notes", {}),
        ("SELECT text FROM notes WHERE text = :text", {"text": "\ud800"}),
    ):
        with pytest.raises(StorageError):
            await notes.read(statement, parameters)
    await notes.aclose()
    with pytest.raises(StorageError, match="closed"):
        await notes.read("SELECT text FROM notes")


async def test_a_read_that_is_cancelled_harms_no_other(notes: OpenDatabase) -> None:
    await notes.fetch(INSERT, {"id": 1, "text": "a"})
    for turns in range(30):
        task = asyncio.ensure_future(notes.read("SELECT text FROM notes"))
        for _ in range(turns % 6):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert await notes.read("SELECT id FROM notes") == [(1,)]
