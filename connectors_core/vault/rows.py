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
    Rewrapped,
    RowPlace,
    SealedRevocation,
    SealedRow,
    WrappedRow,
)
from ..stores import Database, Row
from . import sql

AS_THEY_ARE = (
    "token_type", "expires_at", "refresh_expires_at", "generation", "created_at", "updated_at", "used_at",
    "retry_at", "failures", "lease_holder", "lease_until", "kid",
)  # fmt: skip
"""Fields of a state that are columns of the same name and type."""

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

    def __init__(self, database: Database, *, shared: bool = False) -> None:
        self._database = database
        now = sql.DATABASE_CLOCK if shared else ":now"
        self._acquire, self._renew = sql.ACQUIRE.format(now=now), sql.RENEW.format(now=now)
        self._queue, self._take = sql.QUEUE.format(now=now), sql.TAKE_REVOCATIONS.format(now=now)
        self._expired = sql.EXPIRED_REVOCATIONS.format(now=now)
        self._abandon = sql.QUEUE_ABANDONED.format(now=now)

    async def find(self, tenant: str, identity: str, *, kind: str) -> SealedRow | None:
        rows = await self._database.fetch(sql.FIND, _key(tenant, identity, kind))
        return _row(rows[0]) if rows else None

    async def state(self, tenant: str, identity: str, *, kind: str) -> GrantState | None:
        rows = await self._database.fetch(sql.STATE, _key(tenant, identity, kind))
        return _state(rows[0]) if rows else None

    async def states(self, tenant: str, owner: str, *, kind: str) -> Sequence[GrantState]:
        rows = await self._database.fetch(sql.STATES, {"tenant": tenant, "owner": owner, "kind": kind})
        return [_state(row) for row in rows]

    async def add(self, row: SealedRow) -> bool:
        return bool(await self._database.fetch(sql.ADD, _values(row)))

    async def replace(
        self, row: SealedRow, *, secret_id: str, generation: int, lease_stays: bool = False
    ) -> bool:
        old = {"old_id": secret_id, "old_generation": generation}
        statement = sql.REPLACE_CONTENTS if row.state.secret_id == secret_id else sql.REPLACE
        if lease_stays:
            statement = sql.REPLACE_LEASED
        return bool(await self._database.fetch(statement, {**_values(row), **old}))

    async def acquire(
        self, tenant: str, identity: str, *, kind: str, generation: int, holder: str, ttl: float, now: float
    ) -> SealedRow | None:
        key = _key(tenant, identity, kind)
        lease = {**key, "generation": generation, "holder": holder, "ttl": ttl, "now": now}
        won, found = await self._database.run([(self._acquire, lease), (sql.FIND, key)])
        return _row(found[0]) if won and found else None

    async def renew(
        self, tenant: str, secret_id: str, *, generation: int, fence: int, ttl: float, now: float
    ) -> bool:
        held = {"tenant": tenant, "id": secret_id, "generation": generation, "fence": fence}
        return bool(await self._database.fetch(self._renew, {**held, "ttl": ttl, "now": now}))

    async def release(self, tenant: str, secret_id: str, *, generation: int, fence: int) -> bool:
        held = {"tenant": tenant, "id": secret_id, "generation": generation, "fence": fence}
        return bool(await self._database.fetch(sql.RELEASE, held))

    async def commit(self, row: SealedRow, *, generation: int) -> bool:
        return bool(await self._database.fetch(sql.COMMIT, {**_values(row), "old_generation": generation}))

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
        return bool((await self._database.run(statements))[-1])

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
        return [_state(row) for row in await self._database.fetch(sql.OF_CONNECTOR, which)]

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
        return [_state(row) for row in await self._database.fetch(sql.LISTED, {**which, **place})]

    async def due(
        self, *, kind: str, before: float, used_since: float, now: float, most: int
    ) -> Sequence[GrantState]:
        """Active grants of all tenants that are due for a refresh and were used, soonest first."""
        when = {"kind": kind, "before": before, "used_since": used_since, "now": now, "most": most}
        return [_state(row) for row in await self._database.fetch(sql.DUE, when)]

    async def deactivate(
        self, tenant: str, connector: str, *, kind: str, reason: InactiveReason, now: float
    ) -> int:
        which = {"tenant": tenant, "connector": connector, "kind": kind, "reason": reason.value, "now": now}
        return len(await self._database.fetch(sql.DEACTIVATE, which))

    async def same_grant(self, ref: GrantRef) -> int:
        return int((await self._database.fetch(sql.SAME_GRANT, {"grant_hash": grant_hash(ref)}))[0][0])

    async def take_revocations(self, *, now: float, most: int) -> Sequence[SealedRevocation]:
        rows = await self._database.fetch(self._take, {"now": now, "most": most})
        return [_revocation(row) for row in rows]

    async def end_revocation(self, tenant: str, secret_id: str) -> bool:
        return bool(await self._database.fetch(sql.END_REVOCATION, {"tenant": tenant, "id": secret_id}))

    async def expired_revocations(self, *, age: float, now: float) -> Sequence[SealedRevocation]:
        rows = await self._database.fetch(self._expired, {"age": age, "now": now})
        return [_revocation(row) for row in rows]

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
                return [_wrapped(table, row) for row in rows]
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


def _values(row: SealedRow) -> dict[str, Any]:
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


def _row(row: Row) -> SealedRow:
    wrapped_dek, payload = row[-2:]
    values = dict(zip(sql.OWN, row[4:], strict=False))
    return SealedRow(
        state=_state(row),
        kind=values["kind"],
        wrapped_dek=bytes(wrapped_dek),
        payload=bytes(payload),
        fence=values["fence"],
    )


def _state(row: Row) -> GrantState:
    tenant, identity, owner, subject = row[:4]
    values = dict(zip(sql.OWN, row[4:], strict=False))
    names = ("connector", "target", "issuer", "client", "urls")
    ref = _ref(tenant, owner, identity, subject, *(values[name] for name in names))
    scopes = _load_scopes(values["scopes"])
    return GrantState(
        ref=ref,
        secret_id=values["id"],
        reason=_reason(values["reason"]),
        requested=_load_scopes(values["requested"]),
        scopes=scopes,
        effective=scopes if values["effective"] is None else _load_scopes(values["effective"]),
        scopes_stated=bool(values["scopes_stated"]),
        has_refresh_token=bool(values["has_refresh_token"]),
        uncertain=bool(values["uncertain"]),
        **{name: values[name] for name in AS_THEY_ARE},
    )


def _revocation(row: Row) -> SealedRevocation:
    tenant, secret_id, kind, owner, identity, subject, connector, target, issuer, client, urls, *rest = row
    kid, wrapped_dek, payload, created_at, next_at, attempts = rest
    return SealedRevocation(
        ref=_ref(tenant, owner, identity, subject, connector, target, issuer, client, urls),
        id=secret_id,
        kind=kind,
        kid=kid,
        wrapped_dek=bytes(wrapped_dek),
        payload=bytes(payload),
        created_at=created_at,
        next_at=next_at,
        attempts=attempts,
    )


def _wrapped(table: str, row: Row) -> WrappedRow:
    tenant, row_id, owner, identity, subject, connector, target, issuer, client, urls, *rest = row
    kind, kid, wrapped_dek, payload = rest
    return WrappedRow(
        place=RowPlace(table, tenant, row_id),
        ref=_ref(tenant, owner, identity, subject, connector, target, issuer, client, urls),
        kind=kind,
        kid=kid,
        wrapped_dek=bytes(wrapped_dek),
        payload=bytes(payload),
    )


def _ref(
    tenant: str,
    owner: str,
    identity: str,
    subject: str,
    connector: str,
    target: str,
    issuer: str,
    client: str,
    urls: bytes,
) -> GrantRef:
    return GrantRef(
        tenant=tenant,
        owner=owner,
        identity=identity,
        subject=subject,
        connector=connector,
        target=target,
        issuer=issuer,
        client=client,
        urls=bytes(urls),
    )


def _reason(text: str | None) -> InactiveReason | None:
    """A reason that only a later version knows has the same cure as this one: ask the person."""
    if text is None:
        return None
    try:
        return InactiveReason(text)
    except ValueError:
        return InactiveReason.INTERACTION_REQUIRED


def _dump_scopes(scopes: frozenset[str]) -> str:
    return json.dumps(sorted(scopes), separators=(",", ":"))


def _load_scopes(text: str) -> frozenset[str]:
    """None where it was edited into something else: what is listed is not verified, what is opened is."""
    try:
        return frozenset(map(str, json.loads(text)))
    except (ValueError, TypeError, RecursionError):
        return frozenset()
