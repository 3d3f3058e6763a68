"""The stores in SQL, written once for SQLite and PostgreSQL.

Each decision of which there may be only one winner is a single statement, so it holds on SQLite
(one writer at a time) and on PostgreSQL at READ COMMITTED (row locks, then the condition is read
again) alike.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ..errors import StorageError
from ..profile import IdentityKey
from ..stores import Absent, Database, Identity, Row, TransactionRow
from .profile_text import dump_profile, load_profile

ALL_ROWS = 2**63 - 1
"""OFFSET needs a LIMIT on SQLite, and the two databases spell "none" differently."""

ADD_TRANSACTION = """
    INSERT INTO connectors_transactions (tenant, state_hash, binding_hash, sealed, created_at, expires_at)
    VALUES (:tenant, :state_hash, :binding_hash, :sealed, :created_at, :expires_at)
"""
EVICT_TRANSACTIONS = """
    DELETE FROM connectors_transactions
     WHERE tenant = :tenant AND binding_hash = :binding_hash AND consumed_at IS NULL AND state_hash IN
           (SELECT state_hash FROM connectors_transactions
             WHERE tenant = :tenant AND binding_hash = :binding_hash AND consumed_at IS NULL
               AND state_hash <> :state_hash
             ORDER BY created_at DESC, state_hash DESC LIMIT :all OFFSET :others)
"""
CONSUME_TRANSACTION = """
    UPDATE connectors_transactions SET consumed_at = :now
     WHERE tenant = :tenant AND state_hash = :state_hash AND binding_hash = :binding_hash
       AND consumed_at IS NULL AND expires_at > :now
    RETURNING sealed, created_at, expires_at
"""
BLANK_TRANSACTION = """
    UPDATE connectors_transactions SET sealed = :nothing
     WHERE tenant = :tenant AND state_hash = :state_hash AND consumed_at IS NOT NULL AND sealed <> :nothing
"""
FIND_TRANSACTION = """
    SELECT binding_hash, consumed_at, expires_at FROM connectors_transactions
     WHERE tenant = :tenant AND state_hash = :state_hash
"""
SWEEP_TRANSACTIONS = """
    DELETE FROM connectors_transactions WHERE (tenant, state_hash) IN
           (SELECT tenant, state_hash FROM connectors_transactions
             WHERE expires_at <= :now ORDER BY expires_at LIMIT :most)
    RETURNING 1
"""


class SqlTransactions:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, row: TransactionRow, *, most_per_binding: int) -> None:
        whose = {"tenant": row.tenant, "state_hash": row.state_hash, "binding_hash": row.binding_hash}
        times = {"created_at": row.created_at, "expires_at": row.expires_at}
        await self._database.run(
            [
                (ADD_TRANSACTION, {**whose, **times, "sealed": row.sealed}),
                (EVICT_TRANSACTIONS, {**whose, "all": ALL_ROWS, "others": max(most_per_binding - 1, 0)}),
            ]
        )

    async def consume(
        self, tenant: str, state_hash: bytes, binding_hash: bytes, *, now: float
    ) -> TransactionRow | Absent:
        key = {"tenant": tenant, "state_hash": state_hash}
        won, _ = await self._database.run(
            [
                (CONSUME_TRANSACTION, {**key, "binding_hash": binding_hash, "now": now}),
                (BLANK_TRANSACTION, {**key, "nothing": b""}),
            ]
        )
        if won:
            ((sealed, created_at, expires_at),) = won
            return TransactionRow(
                tenant=tenant,
                state_hash=state_hash,
                binding_hash=binding_hash,
                sealed=sealed,
                created_at=created_at,
                expires_at=expires_at,
            )
        found = await self._database.fetch(FIND_TRANSACTION, key)
        if not found:
            return Absent.UNKNOWN
        ((bound_to, consumed_at, expires_at),) = found
        if bound_to != binding_hash:
            return Absent.OTHER_BROWSER
        if consumed_at is not None:
            return Absent.CONSUMED
        return Absent.EXPIRED if expires_at <= now else Absent.UNKNOWN

    async def sweep(self, *, now: float, most: int = 1000) -> int:
        return len(await self._database.fetch(SWEEP_TRANSACTIONS, {"now": now, "most": most}))


PUT_HANDLE = """
    INSERT INTO connectors_handles (tenant, kind, handle_hash, sealed, expires_at)
    VALUES (:tenant, :kind, :handle_hash, :sealed, :expires_at)
"""
TAKE_HANDLE = """
    DELETE FROM connectors_handles WHERE tenant = :tenant AND kind = :kind AND handle_hash = :handle_hash
    RETURNING sealed, expires_at
"""
SWEEP_HANDLES = """
    DELETE FROM connectors_handles WHERE (tenant, kind, handle_hash) IN
           (SELECT tenant, kind, handle_hash FROM connectors_handles
             WHERE expires_at <= :now ORDER BY expires_at LIMIT :most)
    RETURNING 1
"""


class SqlHandles:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(
        self, tenant: str, kind: str, handle_hash: bytes, sealed: bytes, *, expires_at: float
    ) -> None:
        key = {"tenant": tenant, "kind": kind, "handle_hash": handle_hash}
        await self._database.fetch(PUT_HANDLE, {**key, "sealed": sealed, "expires_at": expires_at})

    async def take(self, tenant: str, kind: str, handle_hash: bytes, *, now: float) -> bytes | None:
        key = {"tenant": tenant, "kind": kind, "handle_hash": handle_hash}
        for sealed, expires_at in await self._database.fetch(TAKE_HANDLE, key):
            if expires_at > now:
                return bytes(sealed)
        return None

    async def sweep(self, *, now: float, most: int = 1000) -> int:
        return len(await self._database.fetch(SWEEP_HANDLES, {"now": now, "most": most}))


COLUMNS = """
    tenant, id, owner, connector, target, identity_group, issuer, subject, profile, created_at, updated_at
"""
FIND_IDENTITY = f"""
    SELECT {COLUMNS} FROM connectors_identities
     WHERE tenant = :tenant AND identity_group = :group AND issuer = :issuer AND subject = :subject
"""  # noqa: S608
GET_IDENTITY = f"SELECT {COLUMNS} FROM connectors_identities WHERE tenant = :tenant AND id = :id"  # noqa: S608
ADD_IDENTITY = f"""
    INSERT INTO connectors_identities ({COLUMNS})
    VALUES (:tenant, :id, :owner, :connector, :target, :group, :issuer, :subject, :profile,
            :created_at, :updated_at)
    ON CONFLICT (tenant, identity_group, issuer, subject) DO NOTHING
    RETURNING {COLUMNS}
"""  # noqa: S608
IDENTITIES_OF_OWNER = f"""
    SELECT {COLUMNS} FROM connectors_identities
     WHERE tenant = :tenant AND owner = :owner ORDER BY created_at, id
"""  # noqa: S608
UPDATE_PROFILE = """
    UPDATE connectors_identities SET profile = :profile, updated_at = :now WHERE tenant = :tenant AND id = :id
"""
REMOVE_IDENTITY = """
    DELETE FROM connectors_identities WHERE tenant = :tenant AND id = :id RETURNING 1
"""

LOCK_IDENTITIES = """
    UPDATE connectors_identities SET updated_at = updated_at
     WHERE tenant = :tenant AND owner IN
           (SELECT owner FROM connectors_identities WHERE tenant = :tenant AND id = :id)
"""
"""Removals of one owner's identities wait for each other: under READ COMMITTED two that only looked at
what is there would both see what the other is about to remove."""
REMOVE_BUT_LAST = """
    DELETE FROM connectors_identities WHERE tenant = :tenant AND id = :id AND EXISTS
           (SELECT 1 FROM connectors_identities other
             WHERE other.tenant = connectors_identities.tenant AND other.owner = connectors_identities.owner
               AND other.id <> connectors_identities.id AND other.identity_group IN ({groups}))
    RETURNING 1
"""

ATTEMPTS = 10
"""How often ``add`` may find that the identity in its way was removed before it could be read."""


class SqlIdentities:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, tenant: str, group: str, key: IdentityKey) -> Identity | None:
        parameters = {"tenant": tenant, "group": group, "issuer": key.issuer, "subject": key.subject}
        rows = await self._database.fetch(FIND_IDENTITY, parameters)
        return _identity(rows[0]) if rows else None

    async def get(self, tenant: str, identity_id: str) -> Identity | None:
        rows = await self._database.fetch(GET_IDENTITY, {"tenant": tenant, "id": identity_id})
        return _identity(rows[0]) if rows else None

    async def add(self, identity: Identity) -> Identity:
        parameters = {
            "tenant": identity.tenant,
            "id": identity.id,
            "owner": identity.owner,
            "connector": identity.connector,
            "target": identity.target,
            "group": identity.group,
            "issuer": identity.key.issuer,
            "subject": identity.key.subject,
            "profile": dump_profile(identity.profile),
            "created_at": identity.created_at,
            "updated_at": identity.updated_at,
        }
        for _ in range(ATTEMPTS):
            rows = await self._database.fetch(ADD_IDENTITY, parameters)
            if rows:
                return _identity(rows[0])
            there = await self.find(identity.tenant, identity.group, identity.key)
            if there is not None:
                return there
        raise StorageError("the identity was added and removed by others again and again; try again")

    async def of_owner(self, tenant: str, owner: str) -> Sequence[Identity]:
        rows = await self._database.fetch(IDENTITIES_OF_OWNER, {"tenant": tenant, "owner": owner})
        return [_identity(row) for row in rows]

    async def update_profile(
        self, tenant: str, identity_id: str, profile: Mapping[str, Any], *, now: float
    ) -> None:
        key = {"tenant": tenant, "id": identity_id}
        await self._database.fetch(UPDATE_PROFILE, {**key, "profile": dump_profile(profile), "now": now})

    async def remove(
        self, tenant: str, identity_id: str, *, keep_one_of: Collection[str] | None = None
    ) -> bool:
        key = {"tenant": tenant, "id": identity_id}
        if keep_one_of is None:
            return bool(await self._database.fetch(REMOVE_IDENTITY, key))
        groups = {f"group_{number}": group for number, group in enumerate(keep_one_of)}
        if not groups:
            return False
        remove = REMOVE_BUT_LAST.format(groups=", ".join(f":{name}" for name in groups))
        *_, removed = await self._database.run([(LOCK_IDENTITIES, key), (remove, {**key, **groups})])
        return bool(removed)


def _identity(row: Row) -> Identity:
    tenant, identity_id, owner, connector, target, group, issuer, subject, profile, created, updated = row
    return Identity(
        tenant=tenant,
        id=identity_id,
        owner=owner,
        connector=connector,
        target=target,
        group=group,
        key=IdentityKey(issuer, subject),
        profile=load_profile(profile),
        created_at=created,
        updated_at=updated,
    )


class SqlStores:
    """The three stores in a database whose schema is current (``migrations.prepare``)."""

    def __init__(self, database: Database) -> None:
        self.transactions = SqlTransactions(database)
        self.handles = SqlHandles(database)
        self.identities = SqlIdentities(database)
