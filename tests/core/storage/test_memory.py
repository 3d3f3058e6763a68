from __future__ import annotations

from dataclasses import replace

import pytest

from connectors_core.errors import StorageError
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


async def test_a_tenant_that_is_flooded_makes_no_other_forget() -> None:
    stores = MemoryStores(most=2)
    quiet = replace(pending("s", age=100), tenant="quiet")
    await stores.transactions.add(quiet, most_per_binding=5)
    await stores.handles.put("quiet", "k", digest("h"), b"kept", expires_at=NOW + 1)
    for number in range(5):
        row = pending(f"s{number}", binding=f"b{number}")
        await stores.transactions.add(row, most_per_binding=5)
        await stores.handles.put("default", "k", digest(str(number)), b"", expires_at=NOW + 9)
    found = await stores.transactions.consume("quiet", quiet.state_hash, quiet.binding_hash, now=NOW)
    assert found == quiet
    assert await stores.handles.take("quiet", "k", digest("h"), now=NOW) == b"kept"


async def test_large_handles_make_room_by_bytes_where_most_are_held() -> None:
    handles = MemoryStores(most_bytes=100).handles

    async def put(tenant: str, name: str, size: int) -> None:
        await handles.put(tenant, "k", digest(name), b"x" * size, expires_at=NOW + 9)

    async def there(tenant: str, name: str) -> bool:
        return await handles.take(tenant, "k", digest(name), now=NOW) is not None

    await put("quiet", "q", 20)
    for number in range(6):
        await put("default", f"d{number}", 30)
    assert await there("quiet", "q")
    assert [await there("default", f"d{number}") for number in range(6)].count(True) == 2
    for number in range(9):
        await put("default", f"again{number}", 100)
    assert await handles.sweep(now=NOW + 9) == 1
    await put("default", "all of it", 100)
    assert await there("default", "all of it")
    with pytest.raises(StorageError, match="larger than all"):
        await put("default", "too much", 101)


async def test_one_busy_browser_does_not_grow_memory() -> None:
    stores = MemoryStores()
    for number in range(2000):
        await stores.transactions.add(pending(f"s{number}", age=-number), most_per_binding=3)
    transactions = stores.transactions
    assert len(transactions._rows) == 3
    assert len(transactions._rows._of["default"]._queue) < 100
    assert [len(states) for states in transactions._of_binding.values()] == [3]
