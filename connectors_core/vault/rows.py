"""The sealed row store in a database of ours, SQLite or PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from ..grants import (
    GrantRef,
    GrantState,
    InactiveReason,
    LinkedRow,
    Rewrapped,
    RowPlace,
    SealedRevocation,
    SealedRow,
    WrappedRow,
)
from ..stores import Database
from . import sql
from .row_values import grant_state, linked_row, revocation, sealed_row, wrapped_row

REWRAPPED_AT_ONCE = 100
"""Rows of one statement: from there on SQLite gets slower, and PostgreSQL hardly faster."""


def grant_hash(ref: GrantRef) -> bytes:
    """What token sets of one grant have in common, whoever holds them: issuer, client and subject."""
    parts = [part.encode("utf-8", "surrogatepass") for part in (ref.issuer, ref.client, ref.subject)]
    return sha256(b"".join(len(part).to_bytes(4, "big") + part for part in parts)).digest()


REF = ("tenant", "owner", "identity", "subject", "connector", "target", "issuer", "client", "urls")


class SqlSealedRows:
    """Keeps sealed rows beside the identities they belong to, and goes with them.

    ``shared``: leases and revocations are measured by the database's clock, for several hosts on
    one PostgreSQL.
    ``retry_at`` is the caller's on both: a host whose clock is wrong asks a failing provider a
    little early or late, and never two at once.
    """

    _with_deletion: Sequence[str] = ()
    """Statements of (tenant, identity, kind) that follow the deletion of a row, in the same step."""

    def __init__(self, database: Database, *, shared: bool = False) -> None:
        self._database = database
        now = sql.DATABASE_CLOCK if shared else ":now"
        self._acquire, self._renew = sql.ACQUIRE.format(now=now), sql.RENEW.format(now=now)
        self._queue, self._take = sql.QUEUE.format(now=now), sql.TAKE_REVOCATIONS.format(now=now)
        self._expired = sql.EXPIRED_REVOCATIONS.format(now=now)
        self._abandon = sql.QUEUE_ABANDONED.format(now=now)

    async def find(self, tenant: str, identity: str, *, kind: str) -> SealedRow | None:
        rows = await self._database.fetch(sql.FIND, _key(tenant, identity, kind))
        return sealed_row(rows[0]) if rows else None

    async def state(self, tenant: str, identity: str, *, kind: str) -> GrantState | None:
        rows = await self._database.fetch(sql.STATE, _key(tenant, identity, kind))
        return grant_state(rows[0]) if rows else None

    async def states(self, tenant: str, owner: str, *, kind: str) -> Sequence[GrantState]:
        rows = await self._database.fetch(sql.STATES, {"tenant": tenant, "owner": owner, "kind": kind})
        return [grant_state(row) for row in rows]

    async def add(self, row: SealedRow) -> bool:
        return bool(await self._database.fetch(sql.ADD, values_of(row)))

    async def replace(
        self, row: SealedRow, *, secret_id: str, generation: int, lease_stays: bool = False
    ) -> bool:
        old = {"old_id": secret_id, "old_generation": generation}
        statement = sql.REPLACE_CONTENTS if row.state.secret_id == secret_id else sql.REPLACE
        if lease_stays:
            statement = sql.REPLACE_LEASED
        return bool(await self._database.fetch(statement, {**values_of(row), **old}))

    async def acquire(
        self,
        tenant: str,
        identity: str,
        *,
        kind: str,
        generation: int,
        failures: int | None = None,
        holder: str,
        ttl: float,
        now: float,
    ) -> SealedRow | None:
        key = _key(tenant, identity, kind)
        seen = {"generation": generation, "failures": failures}
        lease = {**key, **seen, "holder": holder, "ttl": ttl, "now": now}
        won, found = await self._database.run([(self._acquire, lease), (sql.FIND, key)])
        return sealed_row(found[0]) if won and found else None

    async def renew(
        self, tenant: str, secret_id: str, *, generation: int, fence: int, ttl: float, now: float
    ) -> bool:
        held = {"tenant": tenant, "id": secret_id, "generation": generation, "fence": fence}
        return bool(await self._database.fetch(self._renew, {**held, "ttl": ttl, "now": now}))

    async def release(self, tenant: str, secret_id: str, *, generation: int, fence: int) -> bool:
        held = {"tenant": tenant, "id": secret_id, "generation": generation, "fence": fence}
        return bool(await self._database.fetch(sql.RELEASE, held))

    async def commit(self, row: SealedRow, *, generation: int) -> bool:
        return bool(await self._database.fetch(sql.COMMIT, {**values_of(row), "old_generation": generation}))

    async def fail(
        self,
        tenant: str,
        secret_id: str,
        *,
        generation: int,
        fence: int,
        reason: InactiveReason | None,
        retry_at: float | None,
        uncertain: bool,
        now: float,
    ) -> bool:
        held = {"tenant": tenant, "id": secret_id, "generation": generation, "fence": fence}
        outcome = {
            "reason": reason and reason.value,
            "retry_at": retry_at,
            "failures": int(reason is not None or retry_at is not None),
            "uncertain": int(uncertain),
            "now": now,
        }
        return bool(await self._database.fetch(sql.FAIL, {**held, **outcome}))

    async def delete(
        self, tenant: str, identity: str, *, kind: str, revoke: bool = False, now: float
    ) -> bool:
        key = _key(tenant, identity, kind)
        statements: list[tuple[str, Mapping[str, Any]]] = [(sql.DELETE, key)]
        if revoke:
            # The lock comes first: on PostgreSQL a refresh could else commit between the other two.
            statements = [(sql.LOCK, key), (self._queue, {**key, "now": now}), *statements]
        after = [(statement, key) for statement in self._with_deletion]
        return bool((await self._database.run([*statements, *after]))[len(statements) - 1])

    async def queue(self, entry: SealedRevocation, *, after: float, now: float) -> bool:
        ref = entry.ref
        values = {name: getattr(ref, name) for name in REF}
        values |= {name: getattr(entry, name) for name in ("id", "kind", "kid", "wrapped_dek", "payload")}
        return bool(await self._database.fetch(self._abandon, {**values, "after": after, "now": now}))

    async def touch(self, tenant: str, identity: str, *, kind: str, now: float, at_most_every: float) -> None:
        key = _key(tenant, identity, kind)
        await self._database.fetch(sql.TOUCH, {**key, "now": now, "before": now - at_most_every})

    async def of_connector(
        self, tenant: str, connector: str, *, kind: str, after: str = "", most: int = 500
    ) -> Sequence[GrantState]:
        which = {"tenant": tenant, "connector": connector, "kind": kind, "after": after, "most": most}
        return [grant_state(row) for row in await self._database.fetch(sql.OF_CONNECTOR, which)]

    async def listed(
        self,
        tenant: str,
        *,
        kind: str,
        target: str | None = None,
        after: tuple[str, str] = ("", ""),
        most: int = 500,
    ) -> Sequence[GrantState]:
        """A page of all grants of a tenant, or of a target, after an (owner, identity)."""
        which = {"tenant": tenant, "kind": kind, "target": target, "most": most}
        place = {"owner": after[0], "identity": after[1]}
        return [grant_state(row) for row in await self._database.fetch(sql.LISTED, {**which, **place})]

    async def linked(self, tenant: str, owner: str, *, group: str, kind: str) -> Sequence[LinkedRow]:
        """The identities of an owner in a group, oldest first, each with what is kept for it."""
        whose = {"tenant": tenant, "owner": owner, "group": group, "kind": kind}
        rows = await self._database.read(sql.LINKED, whose)
        return [linked_row(row, tenant=tenant, owner=owner, group=group) for row in rows]

    async def due(
        self,
        *,
        kind: str,
        before: float,
        used_since: float,
        now: float,
        longest_wait: float,
        longest_lease: float,
        most: int,
    ) -> Sequence[GrantState]:
        """Active grants of all tenants that are due for a refresh and were used, soonest first.

        A wait or a lease that ends later than it can, from ``now`` on, counts for none.
        """
        when = {
            "kind": kind,
            "before": before,
            "used_since": used_since,
            "now": now,
            "longest_wait": now + longest_wait,
            "longest_lease": now + longest_lease,
            "most": most,
        }
        return [grant_state(row) for row in await self._database.fetch(sql.DUE, when)]

    async def deactivate(
        self, tenant: str, connector: str, *, kind: str, reason: InactiveReason, now: float
    ) -> int:
        which = {"tenant": tenant, "connector": connector, "kind": kind, "reason": reason.value, "now": now}
        return len(await self._database.fetch(sql.DEACTIVATE, which))

    async def same_grant(self, ref: GrantRef) -> int:
        return int((await self._database.fetch(sql.SAME_GRANT, {"grant_hash": grant_hash(ref)}))[0][0])

    async def take_revocations(self, *, now: float, most: int) -> Sequence[SealedRevocation]:
        rows = await self._database.fetch(self._take, {"now": now, "most": most})
        return [revocation(row) for row in rows]

    async def end_revocation(self, tenant: str, secret_id: str) -> bool:
        return bool(await self._database.fetch(sql.END_REVOCATION, {"tenant": tenant, "id": secret_id}))

    async def expired_revocations(self, *, age: float, now: float) -> Sequence[SealedRevocation]:
        rows = await self._database.fetch(self._expired, {"age": age, "now": now})
        return [revocation(row) for row in rows]

    async def kids(self) -> Mapping[str, int]:
        counted: dict[str, int] = {}
        for kid, count in await self._database.fetch(sql.KIDS):
            counted[kid] = counted.get(kid, 0) + count
        return counted

    async def page(
        self, *, kid: str | None = None, after: RowPlace | None = None, most: int = 500
    ) -> Sequence[WrappedRow]:
        statements = sql.PAGE if kid is None else sql.PAGE_OF_KEY
        for table in sql.WRAPPED_TABLES:
            if after is not None and table < after.table:
                continue
            begun = after is not None and table == after.table
            place = {"tenant": after.tenant, "id": after.id} if after and begun else {"tenant": "", "id": ""}
            which = {**place, "most": most} | ({} if kid is None else {"kid": kid})
            if rows := await self._database.fetch(statements[table], which):
                return [wrapped_row(table, row) for row in rows]
        return []

    async def rewrap(self, rewrapped: Sequence[Rewrapped]) -> Sequence[bool]:
        parts: list[list[Rewrapped]] = []
        for each in rewrapped:
            if not parts or not _fits(parts[-1], each):
                parts.append([])
            parts[-1].append(each)
        statements = [
            (sql.rewrap(part[0].row.place.table, len(part)), _rewrap_values(part)) for part in parts
        ]
        done: list[bool] = []
        for part, rows in zip(parts, await self._database.run(statements) if parts else (), strict=True):
            swapped = set(rows)
            done += [(each.row.place.tenant, each.row.place.id) in swapped for each in part]
        return done


def _fits(part: Sequence[Rewrapped], one: Rewrapped) -> bool:
    """Whether one statement can hold it too: of one table, and no row twice."""
    if len(part) >= REWRAPPED_AT_ONCE or part[0].row.place.table != one.row.place.table:
        return False
    return part[-1].row.place < one.row.place


def _rewrap_values(part: Sequence[Rewrapped]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for n, each in enumerate(part):
        row = each.row
        values |= {f"t{n}": row.place.tenant, f"i{n}": row.place.id, f"ok{n}": row.kid}
        values |= {f"od{n}": row.wrapped_dek, f"k{n}": each.kid, f"d{n}": each.wrapped_dek}
    return values


def _key(tenant: str, identity: str, kind: str) -> dict[str, str]:
    return {"tenant": tenant, "identity": identity, "kind": kind}


def values_of(row: SealedRow) -> dict[str, Any]:
    """Parameters of the statements that write a row."""
    state, ref = row.state, row.state.ref
    return {
        "tenant": ref.tenant,
        "identity": ref.identity,
        "id": state.secret_id,
        "kind": row.kind,
        "connector": ref.connector,
        "target": ref.target,
        "issuer": ref.issuer,
        "client": ref.client,
        "urls": ref.urls,
        "grant_hash": grant_hash(ref),
        "reason": state.reason and state.reason.value,
        "requested": _dump_scopes(state.requested),
        "scopes": _dump_scopes(state.scopes),
        "effective": None if state.effective == state.scopes else _dump_scopes(state.effective),
        "scopes_stated": int(state.scopes_stated),
        "token_type": state.token_type,
        "expires_at": state.expires_at,
        "refresh_expires_at": state.refresh_expires_at,
        "has_refresh_token": int(state.has_refresh_token),
        "generation": state.generation,
        "created_at": state.created_at,
        "updated_at": state.updated_at,
        "used_at": state.used_at,
        "retry_at": state.retry_at,
        "failures": state.failures,
        "uncertain": int(state.uncertain),
        "lease_holder": state.lease_holder,
        "lease_until": state.lease_until,
        "fence": row.fence,
        "kid": state.kid,
        "wrapped_dek": row.wrapped_dek,
        "payload": row.payload,
    }


def _dump_scopes(scopes: frozenset[str]) -> str:
    return json.dumps(sorted(scopes), separators=(",", ":"))
