"""Hosts that share a database: the schema is made once, and single use holds between them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from connectors_core.storage.database import open_database
from connectors_core.storage.migrations import current_revision, head_revision
from tests.core.storage.processes import run_together

STATES = 40

HOST = f"""
def row(number):
    key = {{"state_hash": b"%d" % number, "binding_hash": b"b", "tenant": "default"}}
    return TransactionRow(**key, sealed=b"sealed", created_at=1.0 + number, expires_at=601.0)

async def main():
    database = open_database(url)
    stores = SqlStores(database)

    async def add(number):
        try:
            await stores.transactions.add(row(number), most_per_binding={STATES})
        except StorageError:
            return False
        return True

    async def consume(number):
        return await stores.transactions.consume("default", b"%d" % number, b"b", now=2.0)

    together()
    if url.startswith("postgresql"):
        upgrade(url)
    await prepare(database)
    added = await asyncio.gather(*(add(number) for number in range({STATES})))
    together()
    answers = await asyncio.gather(*(consume(number) for number in [*range({STATES})] * 2))
    await database.aclose()
    won = [number % {STATES} for number, answer in enumerate(answers) if not isinstance(answer, Absent)]
    others = {{answer for answer in answers if isinstance(answer, Absent)}}
    print(json.dumps([added.count(True), won, sorted(others)]))

asyncio.run(main())
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/new.db"
    make: Callable[[], str] = request.getfixturevalue("new_postgres_database")
    return make()


async def test_hosts_that_start_at_once_make_one_schema_and_one_winner_each(
    new_url: str,
) -> None:
    answers = run_together(HOST, new_url, processes=3)
    assert sum(added for added, _, _ in answers) == STATES
    assert sorted(number for _, won, _ in answers for number in won) == list(range(STATES))
    assert {other for _, _, others in answers for other in others} == {"consumed"}
    database = open_database(new_url)
    assert await current_revision(database) == head_revision()
    assert await database.fetch("SELECT 1 FROM connectors_transactions WHERE length(sealed) > 0") == []
    await database.aclose()
