from __future__ import annotations

import pytest

from connectors_core.storage.database import OpenDatabase
from connectors_core.storage.sql import SqlStores
from tests.core.storage.conformance import NOW, StoresConformance, pending


class TestSqlStores(StoresConformance):
    @pytest.fixture
    def stores(self, database: OpenDatabase) -> SqlStores:
        return SqlStores(database)


async def test_what_was_handed_out_is_remembered_without_its_content(database: OpenDatabase) -> None:
    stores, row = SqlStores(database), pending("s")
    await stores.transactions.add(row, most_per_binding=5)
    await stores.transactions.consume(row.tenant, row.state_hash, row.binding_hash, now=NOW)
    assert await database.fetch("SELECT sealed, consumed_at FROM connectors_transactions") == [(b"", NOW)]


async def test_sql_in_a_value_stays_a_value(database: OpenDatabase) -> None:
    stores = SqlStores(database)
    assert await stores.identities.of_owner("default", "' OR 1=1 --") == []
