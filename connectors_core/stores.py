"""What the flow and the hub ask of storage. Implementations: ``connectors_core.storage``.

Every method is atomic. Every key begins with the tenant. Times are in seconds since the epoch and
come from the caller. Hashes are SHA-256 of values that are never stored; ``sealed`` bytes can be
opened only with those values.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from .profile import IdentityKey
from .tokens import EMPTY, nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionRow:
    """A pending transaction as stored."""

    tenant: str
    state_hash: bytes
    binding_hash: bytes
    sealed: bytes
    created_at: float
    expires_at: float


class Absent(StrEnum):
    """Why there is no transaction to consume."""

    UNKNOWN = "unknown"
    EXPIRED = "expired"
    CONSUMED = "consumed"
    OTHER_BROWSER = "other_browser"


class TransactionStore(Protocol):
    async def add(self, row: TransactionRow, *, most_per_binding: int) -> None:
        """Keep ``row``; of one binding's pending rows the oldest beyond ``most_per_binding`` go."""

    async def consume(
        self, tenant: str, state_hash: bytes, binding_hash: bytes, *, now: float
    ) -> TransactionRow | Absent:
        """Hand out the row to exactly one caller, ever. A wrong binding consumes nothing.

        What was handed out is remembered, without ``sealed``, until it would have expired.
        """

    async def sweep(self, *, now: float, most: int = 1000) -> int:
        """Drop up to ``most`` rows that expired before ``now``; return how many went."""


class HandleStore(Protocol):
    """Small sealed data under one-time names."""

    async def put(
        self, tenant: str, kind: str, handle_hash: bytes, sealed: bytes, *, expires_at: float
    ) -> None: ...

    async def take(self, tenant: str, kind: str, handle_hash: bytes, *, now: float) -> bytes | None:
        """Remove and return; of several callers exactly one gets it. None when unknown or expired."""

    async def sweep(self, *, now: float, most: int = 1000) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A linked external account. ``group`` is the connector's identity group, or its id.

    ``profile`` holds the normalised fields as synchronised (``name``, ``email``, …).
    """

    tenant: str
    id: str
    owner: str
    connector: str
    target: str
    group: str
    key: IdentityKey
    profile: Mapping[str, Any] = field(default_factory=nothing)
    created_at: float = 0.0
    updated_at: float = 0.0


class IdentityStore(Protocol):
    async def find(self, tenant: str, group: str, key: IdentityKey) -> Identity | None: ...

    async def get(self, tenant: str, identity_id: str) -> Identity | None: ...

    async def add(self, identity: Identity) -> Identity:
        """Keep ``identity``, or return the one that already has its (tenant, group, key), whoever owns it."""

    async def of_owner(self, tenant: str, owner: str) -> Sequence[Identity]:
        """All of one owner, oldest first."""

    async def update_profile(
        self, tenant: str, identity_id: str, profile: Mapping[str, Any], *, now: float
    ) -> None: ...

    async def remove(
        self, tenant: str, identity_id: str, *, keep_one_of: Collection[str] | None = None
    ) -> bool:
        """Forget it; tell whether it went.

        With ``keep_one_of`` it goes only while its owner has another identity in one of those groups.
        Of several removals at once that would leave none, one does not happen.
        """


Row = tuple[Any, ...]
Parameters = Mapping[str, Any]


class Database(Protocol):
    """A relational database, for stores of ours and tables of a host application beside them.

    SQL is written once for SQLite and PostgreSQL with ``:name`` parameters; values are str, int,
    float, bytes and None. Raises StorageError when the database cannot be used.
    """

    async def fetch(self, sql: str, parameters: Parameters = EMPTY) -> list[Row]:
        """Run one statement by itself and return its rows (``RETURNING`` included)."""

    async def read(self, sql: str, parameters: Parameters = EMPTY) -> list[Row]:
        """As ``fetch``, for what changes nothing and finds a few rows by an index: the shortest way."""

    async def run(self, statements: Sequence[tuple[str, Parameters]]) -> Sequence[list[Row]]:
        """Run all statements or none; return the rows of each."""
