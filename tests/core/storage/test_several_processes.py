"""Hosts that share a database: single use and the schema hold between processes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from connectors_core.storage.database import open_database
from connectors_core.storage.migrations import current_revision, head_revision, prepare
from connectors_core.storage.sql import SqlStores
from tests.core.storage.conformance import pending
from tests.core.storage.processes import run_at_once

STATES = 40

CONSUME = f"""
from tests.core.storage.conformance import NOW, pending
async def main():
    database = open_database(url)
    stores = SqlStores(database)
    await database.fetch("SELECT 1")
    ready()
    async def attempt(number):
        row = pending(f"s{{number}}")
        return await stores.transactions.consume(row.tenant, row.state_hash, row.binding_hash, now=NOW)
    answers = await asyncio.gather(*(attempt(number) for number in [*range({STATES})] * 2))
    await database.aclose()
    won = [number % {STATES} for number, answer in enumerate(answers) if not isinstance(answer, Absent)]
    others = {{answer for answer in answers if isinstance(answer, Absent)}}
    print(json.dumps([won, sorted(others)]))
asyncio.run(main())
"""

PREPARE = """
async def main():
    database = open_database(url)
    ready()
    await prepare(database)
    row = TransactionRow(
        tenant="default", state_hash=b"s", binding_hash=b"b", sealed=b"x", created_at=1.0, expires_at=2.0
    )
    await SqlStores(database).transactions.consume("default", b"s", b"b", now=1.0)
    await database.aclose()
    print("true")
asyncio.run(main())
"""

UPGRADE = """
ready()
upgrade(url)
print("true")
"""


@pytest.mark.parametrize("database_url", ["sqlite file", "postgresql"], indirect=True)
async def test_of_many_consumers_in_several_processes_exactly_one_wins(database_url: str) -> None:
    database = open_database(database_url)
    await prepare(database)
    for number in range(STATES):
        await SqlStores(database).transactions.add(pending(f"s{number}"), most_per_binding=STATES)
    answers = run_at_once(CONSUME, database_url, processes=3)
    assert sorted(number for won, _ in answers for number in won) == list(range(STATES))
    assert {other for _, others in answers for other in others} == {"consumed"}
    assert await database.fetch("SELECT 1 FROM connectors_transactions WHERE length(sealed) > 0") == []
    await database.aclose()


async def test_processes_that_open_one_new_sqlite_file_at_once_all_succeed(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new.db"
    assert run_at_once(PREPARE, url, processes=2) == [True] * 2
    database = open_database(url)
    assert await current_revision(database) == head_revision()
    await database.aclose()


async def test_processes_that_upgrade_postgresql_at_once_all_succeed(
    new_postgres_database: Callable[[], str],
) -> None:
    url = new_postgres_database()
    assert run_at_once(UPGRADE, url, processes=2) == [True] * 2
    database = open_database(url)
    await prepare(database)
    await database.aclose()
