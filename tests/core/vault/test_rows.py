from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from connectors_core.errors import StorageError
from connectors_core.grants import InactiveReason, LinkedRow, SealedRowStore
from connectors_core.storage.database import OpenDatabase
from connectors_core.storage.postgresql import PostgresDatabase
from connectors_core.stores import Parameters, Row
from connectors_core.testing.sealed_rows import KIND, NOW, Change, SealedRowStoreConformance, ref, row
from connectors_core.vault.rows import SqlSealedRows


class TestSqlSealedRows(SealedRowStoreConformance):
    @pytest.fixture
    def rows(self, database: OpenDatabase) -> SqlSealedRows:
        return SqlSealedRows(database)


class TestSharedSqlSealedRows(SealedRowStoreConformance):
    """Leases by the clock of the database, as several hosts need it."""

    @pytest.fixture
    def database_url(self, postgres_schema: str) -> str:
        return postgres_schema

    @pytest.fixture
    def rows(self, database: OpenDatabase) -> SqlSealedRows:
        assert isinstance(database, PostgresDatabase)
        return SqlSealedRows(database, shared=True)

    async def pass_time(self, rows: SealedRowStore, seconds: float) -> None:
        assert isinstance(rows, SqlSealedRows)
        await rows._database.fetch(
            "UPDATE connectors_revocations SET created_at = created_at - :s, next_at = next_at - :s",
            {"s": float(seconds)},
        )

    async def test_a_host_with_a_wrong_clock_gives_no_revocation_up_and_holds_none_back(
        self, rows: SqlSealedRows, link: Change
    ) -> None:
        await self.put(rows, link)
        await rows.delete("default", "identity_1", kind=KIND, revoke=True, now=NOW - 1e9)
        assert await rows.expired_revocations(age=86400.0, now=NOW + 1e9) == []
        (taken,) = await rows.take_revocations(now=NOW + 1e9, most=9)
        assert taken.next_at - taken.created_at < 40

    async def test_a_host_with_a_wrong_clock_takes_no_lease_over(
        self, rows: SqlSealedRows, link: Change
    ) -> None:
        kept = await self.put(rows, link)
        assert await self.lease(rows, kept.state.ref, now=NOW)
        assert await self.lease(rows, kept.state.ref, now=NOW + 1e9) is None


async def test_grants_are_listed_by_target_in_pages(database: OpenDatabase, link: Change) -> None:
    rows = SqlSealedRows(database)
    for number, target in enumerate(("acme", "other", "acme")):
        whose = ref(f"identity_{number}", subject=str(number), target=target)
        await link(whose)
        await rows.add(row(whose))
    everything = await rows.listed("default", kind=KIND)
    assert [state.ref.identity for state in everything] == ["identity_0", "identity_1", "identity_2"]
    (first,) = await rows.listed("default", kind=KIND, target="acme", most=1)
    rest = await rows.listed("default", kind=KIND, target="acme", after=(first.ref.owner, first.ref.identity))
    assert [state.ref.identity for state in rest] == ["identity_2"]
    assert await rows.listed("acme", kind=KIND) == []


async def test_scopes_and_reasons_that_somebody_edited_are_still_listed(
    database: OpenDatabase, link: Change
) -> None:
    rows = SqlSealedRows(database)
    await link(ref())
    await rows.add(row())
    await database.fetch("UPDATE connectors_secrets SET scopes = 'x', reason = 'from a later version'")
    (state,) = await rows.states("default", "user:42", kind=KIND)
    assert state.scopes == frozenset()
    assert state.reason is not None


async def test_what_is_queued_is_the_newest_even_beside_a_refresh_that_commits(
    database: OpenDatabase, link: Change
) -> None:
    rows = SqlSealedRows(database)
    await link(ref())
    for _ in range(10):
        kept = row()
        await rows.add(kept)
        newer = replace(kept, state=replace(kept.state, generation=2), payload=b"newer")
        deleted, committed = await asyncio.gather(
            rows.delete("default", "identity_1", kind=KIND, revoke=True, now=NOW),
            rows.commit(newer, generation=1),
        )
        assert deleted
        (entry,) = await rows.take_revocations(now=NOW, most=9)
        assert (entry.payload == b"newer") is committed
        await rows.end_revocation("default", entry.id)


async def test_an_owners_identities_of_a_group_come_with_what_is_kept_for_them(
    database: OpenDatabase, link: Change
) -> None:
    rows = SqlSealedRows(database)
    kept, bare = row(ref("identity_1")), ref("identity_2", subject="2")
    for whose in (kept.state.ref, bare, ref("identity_3", subject="3", owner="user:43")):
        await link(whose)
    await link(ref("identity_4", connector="other"))
    assert await rows.add(kept)
    assert await rows.linked("default", "user:42", group="acme-main", kind=KIND) == [
        LinkedRow(
            tenant="default",
            owner="user:42",
            identity="identity_1",
            connector="acme-main",
            target="acme",
            kept=await rows.find("default", "identity_1", kind=KIND),
        ),
        LinkedRow(
            tenant="default", owner="user:42", identity="identity_2", connector="acme-main", target="acme"
        ),
    ]
    assert await rows.linked("default", "nobody", group="acme-main", kind=KIND) == []


@pytest.mark.parametrize(
    "other",
    [{"tenant": "another"}, {"owner": "user:43"}, {"group": "other"}],
    ids=lambda other: next(iter(other)),
)
async def test_an_answer_to_another_question_gives_nobody_another_persons_tokens(
    database: OpenDatabase, link: Change, monkeypatch: pytest.MonkeyPatch, other: dict[str, str]
) -> None:
    rows = SqlSealedRows(database)
    await link(ref())
    assert await rows.add(row())
    read = database.read

    async def shifted(sql: str, parameters: Parameters) -> list[Row]:
        return await read(sql, {"tenant": "default", "owner": "user:42", "group": "acme-main", "kind": KIND})

    monkeypatch.setattr(database, "read", shifted)
    asked = {"tenant": "default", "owner": "user:42", "group": "acme-main", **other}
    with pytest.raises(StorageError, match="another question"):
        await rows.linked(asked["tenant"], asked["owner"], group=asked["group"], kind=KIND)


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ({}, True),
        ({"retry_at": NOW - 1}, True),
        ({"retry_at": NOW + 1}, False),
        ({"retry_at": NOW + 960}, False),
        ({"retry_at": NOW + 961}, True),
        ({"lease_holder": "x", "lease_until": NOW - 1}, True),
        ({"lease_holder": "x", "lease_until": NOW + 75}, False),
        ({"lease_holder": "x", "lease_until": NOW + 76}, True),
        ({"lease_holder": "x", "lease_until": NOW + 1e9, "retry_at": NOW + 1e9}, True),
        ({"reason": InactiveReason.REVOKED}, False),
        ({"has_refresh_token": False}, False),
        ({"expires_at": NOW + 360}, False),
        ({"used_at": NOW - 3601}, False),
        ({"used_at": None}, False),
    ],
)
async def test_what_is_due_is_held_back_by_no_clock_that_was_wrong(
    database: OpenDatabase, link: Change, written: dict[str, object], found: bool
) -> None:
    rows = SqlSealedRows(database)
    kept = row(**{"expires_at": NOW + 359, "used_at": NOW, **written})
    await link(kept.state.ref)
    assert await rows.add(kept)
    due = await rows.due(
        kind=KIND,
        before=NOW + 360,
        used_since=NOW - 3600,
        now=NOW,
        longest_wait=960.0,
        longest_lease=75.0,
        most=9,
    )
    assert [state.ref for state in due] == [kept.state.ref] * found
