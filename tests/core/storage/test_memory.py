from __future__ import annotations

import pytest

from connectors_core.storage.memory import MemoryStores
from connectors_core.stores import Absent
from tests.core.storage.conformance import NOW, StoresConformance, digest, pending


class TestMemoryStores(StoresConformance):
    @pytest.fixture
    def stores(self) -> MemoryStores:
        return MemoryStores()


async def test_when_memory_is_full_the_first_to_expire_makes_room() -> None:
    stores = MemoryStores(most=3)
    rows = [pending(f"s{age}", binding=f"b{age}", age=age) for age in (2, 4, 1, 3)]
    for row in rows:
        await stores.transactions.add(row, most_per_binding=5)
    answers = [
        await stores.transactions.consume(row.tenant, row.state_hash, row.binding_hash, now=NOW)
        for row in rows
    ]
    assert answers == [rows[0], Absent.UNKNOWN, rows[2], rows[3]]


async def test_handles_are_bounded_too() -> None:
    stores = MemoryStores(most=2)
    for number in range(5):
        await stores.handles.put("default", "k", digest(str(number)), b"", expires_at=NOW + number)
    assert await stores.handles.sweep(now=NOW + 9) == 2


async def test_one_busy_browser_does_not_grow_memory() -> None:
    stores = MemoryStores()
    for number in range(2000):
        await stores.transactions.add(pending(f"s{number}", age=-number), most_per_binding=3)
    transactions = stores.transactions
    assert len(transactions._rows) == 3
    assert len(transactions._rows._queue) < 100
    assert [len(states) for states in transactions._of_binding.values()] == [3]
