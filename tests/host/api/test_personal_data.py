"""Everything about a person goes along, and everything goes."""

from __future__ import annotations

from typing import Any

import pytest

from connectors_core.stores import Database
from connectors_core.testing.provider import Person
from tests.host.api.conftest import App, Page
from tests.host.conftest import BOB, Running

TOLD = {
    "host_accounts": "account",
    "host_audit": "events",
    "host_bearers": "bearer_tokens",
    "host_grants": "applications",
    "host_sessions": "sessions",
    "host_verification_records": "verifications",
    "connectors_identities": "identities",
}
"""Where the export tells of the rows of each table that names an owner."""
STAYS = {
    "host_audit": "what was done to an account is known for a while after it",
    "connectors_revocations": "what the provider is still to be told, a day at most, sealed",
}


async def tables_with_owner(database: Database) -> list[str]:
    names = await database.fetch("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    found = []
    for (name,) in names:
        columns = [row[0] for row in await database.fetch(f"SELECT name FROM pragma_table_info('{name}')")]
        if "owner" in columns:
            found.append(name)
    return found


async def rows_of(database: Database, owner: str) -> dict[str, int]:
    counted = {}
    for table in await tables_with_owner(database):
        rows = await database.fetch(f"SELECT COUNT(*) FROM {table} WHERE owner = :owner", {"owner": owner})
        counted[table] = rows[0][0]
    return counted


async def add_grant(running: Running, owner: str) -> None:
    """What the calendar application would have been allowed."""
    await running.host.hub.database.run(
        [
            (
                "INSERT INTO host_grants (tenant, id_hash, client_id, owner, connector, scope, sid,"
                " auth_time, created_at, expires_at, code_hash, code_sealed, code_used_at)"
                " VALUES ('default', :id, 'calendar', :owner, 'acme', 'openid', 'sid',"
                " :now, :now, :now + 60, :id, :id, :now)",
                {"id": owner.encode(), "owner": owner, "now": running.clock.now},
            )
        ]
    )


@pytest.fixture
async def people(served: Running) -> tuple[App, str, str]:
    """Alice with something in every table, and the owner ids of her and of Bob, who has the same."""
    owners = []
    for person in (BOB, Person()):
        served.at_the_provider_sits(person)
        page = await Page.signed_in(served)
        app = await page.token()
        await app.verified(scope="calendar")
        await app.begin()
        owners.append((await page.look())["claims"]["sub"])
        await add_grant(served, owners[-1])
    return app, owners[1], owners[0]


async def test_every_table_that_names_a_person_is_exported_or_is_known_to_stay(
    people: tuple[App, str, str], served: Running
) -> None:
    tables = await tables_with_owner(served.host.hub.database)
    assert set(tables) == TOLD.keys() | STAYS.keys()


async def test_the_export_tells_of_every_row(people: tuple[App, str, str], served: Running) -> None:
    app, alice, _ = people
    said: dict[str, Any] = (await app.fetch("GET", "/my-account/export")).json()
    counted = await rows_of(served.host.hub.database, alice)
    for table, place in TOLD.items():
        told = 1 if table == "host_accounts" and said[place] else len(said[place])
        if table == "host_audit":  # the export is a fact too, which was written after it
            assert told == counted[table] - 1
        else:
            assert (table, told) == (table, counted[table])
            assert told
    assert sorted(each["status"] for each in said["verifications"]) == ["pending", "verified"]
    assert said["applications"][0]["client_id"] == "calendar"
    tokens = said["identities"][0]["tokens"]
    assert (tokens["granted_to"], tokens["client"], tokens["generation"]) == ("acme", "client-1", 1)
    assert tokens["refreshable"] is True
    text = str(said)
    assert not any(secret in text for secret in served.provider.ledger.issued)
    assert app.token not in text


async def test_a_deletion_leaves_no_row_and_touches_nobody_else(
    people: tuple[App, str, str], served: Running
) -> None:
    app, alice, bob = people
    database = served.host.hub.database
    before = await rows_of(database, bob)
    assert (await app.fetch("DELETE", "/my-account")).status_code == 204
    left = {table for table, count in (await rows_of(database, alice)).items() if count}
    assert left <= STAYS.keys()
    assert await rows_of(database, bob) == before
    served.clock.now += 661
    await served.host.hub.drain_revocations()
    left = {table for table, count in (await rows_of(database, alice)).items() if count}
    assert left == {"host_audit"}
