"""Stores in plain Python, for tests and for a host of one process that may forget.

Bounded: when a tenant has ``most`` rows pending, the one that expires first makes room. Handles may
be large, so all of them hold ``most_bytes`` at most; there the tenant that holds most makes room.
"""

from __future__ import annotations

import heapq
import threading
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from ..errors import StorageError
from ..profile import IdentityKey
from ..stores import Absent, Identity, TransactionRow
from .profile_text import dump_profile, load_profile

MOST_ROWS = 100_000
"""Of one kind and one tenant."""
MOST_BYTES = 64 << 20
"""In the handles of all tenants."""

Key = tuple[Any, ...]
K = TypeVar("K", bound=Key)
V = TypeVar("V")


class Expiring(Generic[K, V]):
    """A dictionary whose entries have an expiry, and which holds at most ``most`` of them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: dict[K, V] = {}
        self._expiry: dict[K, float] = {}
        self._queue: list[tuple[float, K]] = []

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: K) -> bool:
        return key in self._values

    def get(self, key: K) -> V | None:
        return self._values.get(key)

    def replace(self, key: K, value: V) -> None:
        """Change the value under a key that is there; its expiry stays."""
        self._values[key] = value

    def add(self, key: K, value: V, *, expires_at: float) -> list[V]:
        """Keep ``value``; return those that had to make room."""
        evicted = []
        while len(self._values) >= self._most:
            evicted += self.evict()
        self._values[key] = value
        self._expiry[key] = expires_at
        heapq.heappush(self._queue, (expires_at, key))
        if len(self._queue) > 2 * len(self._values) + 64:
            self._queue = [(expiry, key) for key, expiry in self._expiry.items()]
            heapq.heapify(self._queue)
        return evicted

    def pop(self, key: K) -> V | None:
        self._expiry.pop(key, None)
        return self._values.pop(key, None)

    def evict(self) -> list[V]:
        """Drop the entry that expires first, and return it."""
        return [value for _, value in self._first(1)]

    def expired(self, *, now: float, most: int) -> list[V]:
        """Drop up to ``most`` entries that have expired, and return them."""
        return [value for _, value in self._first(most, until=now)]

    def _first(self, most: int, until: float = float("inf")) -> Iterator[tuple[K, V]]:
        while most > 0 and self._queue and self._queue[0][0] <= until:
            expiry, key = heapq.heappop(self._queue)
            if self._expiry.get(key) == expiry:
                del self._expiry[key]
                most -= 1
                yield key, self._values.pop(key)


class PerTenant(Generic[K, V]):
    """An ``Expiring`` for each tenant, the first part of a key: a flood makes nobody else forget."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._of: dict[str, Expiring[K, V]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._of.values()))

    def __contains__(self, key: K) -> bool:
        return key[0] in self._of and key in self._of[key[0]]

    def get(self, key: K) -> V | None:
        return self._of[key[0]].get(key) if key[0] in self._of else None

    def replace(self, key: K, value: V) -> None:
        self._of[key[0]].replace(key, value)

    def add(self, key: K, value: V, *, expires_at: float) -> list[V]:
        its = self._of.setdefault(key[0], Expiring(self._most))
        return its.add(key, value, expires_at=expires_at)

    def pop(self, key: K) -> V | None:
        if key[0] not in self._of:
            return None
        value = self._of[key[0]].pop(key)
        self._forget_empty(key[0])
        return value

    def evict(self, tenant: str) -> list[V]:
        gone = self._of[tenant].evict()
        self._forget_empty(tenant)
        return gone

    def expired(self, *, now: float, most: int) -> list[V]:
        gone: list[V] = []
        for tenant, its in list(self._of.items()):
            gone += its.expired(now=now, most=most - len(gone))
            self._forget_empty(tenant)
        return gone

    def _forget_empty(self, tenant: str) -> None:
        if not self._of[tenant]:
            del self._of[tenant]


@dataclass(slots=True)
class _Pending:
    row: TransactionRow
    consumed: bool = False


class MemoryTransactions:
    def __init__(self, *, most: int = MOST_ROWS) -> None:
        self._lock = threading.Lock()
        self._rows: PerTenant[tuple[str, bytes], _Pending] = PerTenant(most)
        self._of_binding: dict[tuple[str, bytes], dict[bytes, float]] = {}

    async def add(self, row: TransactionRow, *, most_per_binding: int) -> None:
        with self._lock:
            if (row.tenant, row.state_hash) in self._rows:
                raise StorageError("a transaction with this state is there already")
            others = self._of_binding.get((row.tenant, row.binding_hash), {})
            newest_first = sorted(others, key=lambda state: (others[state], state), reverse=True)
            for state_hash in newest_first[max(most_per_binding - 1, 0) :]:
                dropped = self._rows.pop((row.tenant, state_hash))
                self._forget(dropped)
            for evicted in self._rows.add(
                (row.tenant, row.state_hash), _Pending(row), expires_at=row.expires_at
            ):
                self._forget(evicted)
            pending = self._of_binding.setdefault((row.tenant, row.binding_hash), {})
            pending[row.state_hash] = row.created_at

    async def consume(
        self, tenant: str, state_hash: bytes, binding_hash: bytes, *, now: float
    ) -> TransactionRow | Absent:
        with self._lock:
            found = self._rows.get((tenant, state_hash))
            if found is None:
                return Absent.UNKNOWN
            row = found.row
            if row.binding_hash != binding_hash:
                return Absent.OTHER_BROWSER
            if found.consumed:
                return Absent.CONSUMED
            if row.expires_at <= now:
                return Absent.EXPIRED
            self._forget(found)
            self._rows.replace((tenant, state_hash), _Pending(replace(row, sealed=b""), consumed=True))
            return row

    async def sweep(self, *, now: float, most: int = 1000) -> int:
        with self._lock:
            gone = self._rows.expired(now=now, most=most)
            for pending in gone:
                self._forget(pending)
            return len(gone)

    def _forget(self, pending: _Pending | None) -> None:
        """Take a row out of the pending ones of its binding."""
        if pending is None:
            return
        binding = (pending.row.tenant, pending.row.binding_hash)
        states = self._of_binding.get(binding, {})
        states.pop(pending.row.state_hash, None)
        if not states:
            self._of_binding.pop(binding, None)


@dataclass(frozen=True, slots=True)
class _Handle:
    tenant: str
    sealed: bytes
    expires_at: float


class MemoryHandles:
    def __init__(self, *, most: int = MOST_ROWS, most_bytes: int = MOST_BYTES) -> None:
        self._lock = threading.Lock()
        self._rows: PerTenant[tuple[str, str, bytes], _Handle] = PerTenant(most)
        self._most_bytes = most_bytes
        self._bytes: Counter[str] = Counter()

    async def put(
        self, tenant: str, kind: str, handle_hash: bytes, sealed: bytes, *, expires_at: float
    ) -> None:
        with self._lock:
            if (tenant, kind, handle_hash) in self._rows:
                raise StorageError("this handle is there already")
            if len(sealed) > self._most_bytes:
                raise StorageError("a handle is larger than all that may be kept in memory")
            while self._bytes.total() + len(sealed) > self._most_bytes:
                self._gone(self._rows.evict(max(self._bytes, key=self._bytes.__getitem__)))
            handle = _Handle(tenant, sealed, expires_at)
            self._gone(self._rows.add((tenant, kind, handle_hash), handle, expires_at=expires_at))
            self._bytes[tenant] += len(sealed)

    async def take(self, tenant: str, kind: str, handle_hash: bytes, *, now: float) -> bytes | None:
        with self._lock:
            found = self._rows.pop((tenant, kind, handle_hash))
            if found is None:
                return None
            self._gone([found])
        return found.sealed if found.expires_at > now else None

    async def sweep(self, *, now: float, most: int = 1000) -> int:
        with self._lock:
            gone = self._rows.expired(now=now, most=most)
            self._gone(gone)
            return len(gone)

    def _gone(self, handles: Iterable[_Handle]) -> None:
        for handle in handles:
            self._bytes[handle.tenant] -= len(handle.sealed)
            if not self._bytes[handle.tenant]:
                del self._bytes[handle.tenant]


class MemoryIdentities:
    """Not bounded: identities are what the host asked to be kept."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_id: dict[tuple[str, str], Identity] = {}
        self._by_key: dict[tuple[str, str, IdentityKey], Identity] = {}

    async def find(self, tenant: str, group: str, key: IdentityKey) -> Identity | None:
        with self._lock:
            found = self._by_key.get((tenant, group, key))
        return _copy(found) if found else None

    async def get(self, tenant: str, identity_id: str) -> Identity | None:
        with self._lock:
            found = self._by_id.get((tenant, identity_id))
        return _copy(found) if found else None

    async def add(self, identity: Identity) -> Identity:
        kept = _copy(identity)
        with self._lock:
            there = self._by_key.get((identity.tenant, identity.group, identity.key))
            if there is not None:
                return _copy(there)
            if (identity.tenant, identity.id) in self._by_id:
                raise StorageError("an identity with this id is there already")
            self._keep(kept)
        return _copy(kept)

    async def of_owner(self, tenant: str, owner: str) -> Sequence[Identity]:
        with self._lock:
            theirs = [i for i in self._by_id.values() if (i.tenant, i.owner) == (tenant, owner)]
        return [_copy(identity) for identity in sorted(theirs, key=lambda i: (i.created_at, i.id))]

    async def update_profile(
        self, tenant: str, identity_id: str, profile: Mapping[str, Any], *, now: float
    ) -> None:
        with self._lock:
            found = self._by_id.get((tenant, identity_id))
            if found is not None:
                self._keep(_copy(replace(found, profile=profile, updated_at=now)))

    async def remove(
        self, tenant: str, identity_id: str, *, keep_one_of: Collection[str] | None = None
    ) -> bool:
        with self._lock:
            found = self._by_id.get((tenant, identity_id))
            if found is None or (keep_one_of is not None and not self._another(found, keep_one_of)):
                return False
            del self._by_id[tenant, identity_id]
            del self._by_key[found.tenant, found.group, found.key]
        return True

    def _another(self, identity: Identity, groups: Collection[str]) -> bool:
        return any(
            (other.tenant, other.owner) == (identity.tenant, identity.owner)
            and other.id != identity.id
            and other.group in groups
            for other in self._by_id.values()
        )

    def _keep(self, identity: Identity) -> None:
        self._by_id[identity.tenant, identity.id] = identity
        self._by_key[identity.tenant, identity.group, identity.key] = identity


def _copy(identity: Identity) -> Identity:
    """The same identity with a profile of its own, as a database would return it."""
    return replace(identity, profile=load_profile(dump_profile(identity.profile)))


class MemoryStores:
    """The three stores in memory; nothing outlives the process."""

    def __init__(self, *, most: int = MOST_ROWS, most_bytes: int = MOST_BYTES) -> None:
        self.transactions = MemoryTransactions(most=most)
        self.handles = MemoryHandles(most=most, most_bytes=most_bytes)
        self.identities = MemoryIdentities()
