"""Verification records: proof that a person completed an authorization, good for one thing, once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from connectors_core.errors import StorageError, TransactionConsumed, TransactionExpired
from connectors_core.stores import Database
from connectors_core.transaction import LIFETIME, Purpose

from ..errors import HostError
from ..sealing import hashed, new_value, seal, unseal

KEPT = 3600.0
"""Seconds that a record stays known after its end, so that a late caller is told it came late."""
DISUSED = 90 * 86400.0
"""Seconds after the last verification at a redirect URI, after which its connector holds it no longer."""
SWEEP_MOST = 100
KIND = "verification record"
OTHERS_AT_URI = (
    "SELECT connector FROM host_redirect_uris WHERE tenant = :tenant"
    " AND redirect_uri = :redirect_uri AND connector <> :connector AND connector <> :beside"
    " UNION ALL SELECT connector FROM host_verification_records WHERE tenant = :tenant"
    " AND redirect_uri = :redirect_uri AND connector <> :connector"
    " AND names_itself * CAST(:names_itself AS INTEGER) = 0 AND expires_at > :now"
)


class Status(StrEnum):
    """A record only ever goes forward, each step a compare-and-swap."""

    PENDING = "pending"
    VERIFIED = "verified"
    CONSUMED = "consumed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record of one owner. ``purpose`` is None until it is chosen or derived.

    ``content`` is what the one who began needs to complete, and once verified what was proved.
    """

    id: str = field(repr=False)
    owner: str
    connector: str
    redirect_uri: str
    status: Status
    purpose: Purpose | None
    content: Mapping[str, Any] = field(repr=False)
    expires_at: float


class StateTaken(Exception):
    """Another pending record has that state."""


class UriTaken(Exception):
    """Another connector holds that redirect URI, or has its answer awaited there."""

    def __init__(self, connector: str) -> None:
        super().__init__(connector)
        self.connector = connector


class Records:
    """The table ``host_verification_records`` of one tenant.

    A record is known by its id, which only the caller has: the table holds its hash, and data
    sealed under it. Nothing is looked up by state.
    """

    def __init__(self, database: Database, *, clock: Callable[[], float], tenant: str = "default") -> None:
        self._database = database
        self._clock = clock
        self._tenant = tenant

    async def create(
        self,
        *,
        record_id: str,
        owner: str,
        connector: str,
        redirect_uri: str,
        purpose: Purpose | None,
        content: Mapping[str, Any],
        state: str | None = None,
        names_itself: bool = False,
        beside: str = "",
    ) -> Record:
        """Keep a pending record for ten minutes. ``state`` is the client's own.

        ``names_itself``: the provider says in its answer who it is. Of connectors that do not, one alone
        serves a redirect URI, whosever the records are, or one provider could have another's code brought
        to it, made for the challenge of somebody's record. It is the one that holds the URI, and where none
        does the one that has a living record there; of several requests at once one is kept. ``beside``: the
        holder that this one may share the URI with. Raises UriTaken, StateTaken.
        """
        now = self._clock()
        record = Record(
            id=record_id,
            owner=owner,
            connector=connector,
            redirect_uri=redirect_uri,
            status=Status.PENDING,
            purpose=purpose,
            content=content,
            expires_at=now + LIFETIME,
        )
        state_hash = None if state is None else hashed("client state", state)
        freed = (
            "UPDATE host_verification_records SET state_hash = NULL"
            " WHERE tenant = :tenant AND state_hash = :state_hash AND expires_at <= :now",
            {"tenant": self._tenant, "state_hash": state_hash, "now": now},
        )
        others = {
            "tenant": self._tenant,
            "owner": owner,
            "connector": connector,
            "redirect_uri": redirect_uri,
            "pending": Status.PENDING.value,
            "beside": beside,
            "names_itself": int(names_itself),
            "now": now,
        }
        insert = (
            "INSERT INTO host_verification_records (tenant, id_hash, owner, connector, redirect_uri, status,"
            " purpose, state_hash, names_itself, sealed, created_at, expires_at)"
            " SELECT :tenant, :id_hash, :owner, :connector, :redirect_uri, :pending,"
            " CAST(:purpose AS TEXT), :state_hash, :names_itself, :sealed, :now, :expires_at"
            f" WHERE NOT EXISTS ({OTHERS_AT_URI})"
            " ON CONFLICT (tenant, state_hash) DO NOTHING RETURNING 1",
            {
                **self._key(record_id),
                **others,
                "purpose": purpose.value if purpose else None,
                "state_hash": state_hash,
                "sealed": self._seal(record),
                "expires_at": record.expires_at,
            },
        )
        statements = [self._sweep(now), self._turn(redirect_uri, now), freed, insert, (OTHERS_AT_URI, others)]
        *_, inserted, found = await self._database.run(statements)
        if not inserted:
            raise UriTaken(found[0][0]) if found else StateTaken
        return record

    async def find(self, record_id: str, *, owner: str) -> Record:
        """The living record of that id. Raises HostError (not_found) for none and for another person's;

        TransactionExpired and TransactionConsumed for the owner's own.
        """
        rows = await self._database.fetch(
            "SELECT connector, redirect_uri, status, purpose, sealed, expires_at"
            " FROM host_verification_records"
            " WHERE tenant = :tenant AND id_hash = :id_hash AND owner = :owner",
            {**self._key(record_id), "owner": owner},
        )
        if not rows:
            raise HostError("not_found", "there is no such verification record")
        connector, redirect_uri, status, purpose, sealed, expires_at = rows[0]
        if status == Status.CONSUMED:
            raise TransactionConsumed("the verification record was used before")
        if expires_at <= self._clock():
            raise TransactionExpired("the verification record has expired")
        place = self._place(record_id, owner, connector, redirect_uri)
        content = unseal(KIND, sealed, under=record_id, bound=place)
        if content is None:
            raise StorageError("the verification record cannot be opened")
        return Record(
            id=record_id,
            owner=owner,
            connector=connector,
            redirect_uri=redirect_uri,
            status=Status(status),
            purpose=Purpose(purpose) if purpose else None,
            content=content,
            expires_at=expires_at,
        )

    async def verify(self, record: Record, *, purpose: Purpose, content: Mapping[str, Any]) -> bool:
        """From pending to verified, with what was proved; False where another was first.

        From then on the connector holds the redirect URI, unless another does.
        """
        sealed = self._seal(replace(record, content=content))
        held = (
            "UPDATE host_redirect_uris SET connector = :connector, used_at = :now WHERE tenant = :tenant"
            " AND redirect_uri = :redirect_uri AND COALESCE(connector, :connector) = :connector"
            " AND EXISTS (SELECT 1 FROM host_verification_records WHERE tenant = :tenant"
            " AND id_hash = :id_hash AND status = :after AND sealed = :sealed)",
            {
                **self._key(record.id),
                "connector": record.connector,
                "redirect_uri": record.redirect_uri,
                "after": Status.VERIFIED.value,
                "sealed": sealed,
                "now": self._clock(),
            },
        )
        step = self._step(record, Status.PENDING, Status.VERIFIED, purpose=purpose, sealed=sealed)
        done, _ = await self._database.run([step, held])
        return bool(done)

    async def consume(self, record: Record) -> bool:
        """From verified to consumed, and what was proved is forgotten; False where another was first."""
        step = self._step(record, Status.VERIFIED, Status.CONSUMED, purpose=record.purpose, sealed=b"")
        return bool(await self._database.fetch(*step))

    async def restore(self, record: Record) -> None:
        """Take back a consumption of ``record`` that came to nothing."""
        sealed = self._seal(record)
        step = self._step(record, Status.CONSUMED, Status.VERIFIED, purpose=record.purpose, sealed=sealed)
        await self._database.fetch(*step)

    async def holder(self, redirect_uri: str) -> str | None:
        """The connector that holds the redirect URI: the first that a verification succeeded with there."""
        rows = await self._database.fetch(
            "SELECT connector FROM host_redirect_uris"
            " WHERE tenant = :tenant AND redirect_uri = :redirect_uri",
            {"tenant": self._tenant, "redirect_uri": redirect_uri},
        )
        return rows[0][0] if rows else None

    async def release(self, redirect_uri: str, *, holder: str) -> None:
        """Let nobody hold the redirect URI, where ``holder`` does."""
        await self._database.fetch(
            "UPDATE host_redirect_uris SET connector = NULL WHERE tenant = :tenant"
            " AND redirect_uri = :redirect_uri AND connector = :holder",
            {"tenant": self._tenant, "redirect_uri": redirect_uri, "holder": holder},
        )

    async def of_owner(self, owner: str) -> list[Mapping[str, Any]]:
        """What is known of the records of ``owner`` without their ids, oldest first."""
        names = ("connector", "redirect_uri", "status", "purpose", "created_at", "expires_at")
        rows = await self._database.fetch(
            f"SELECT {', '.join(names)} FROM host_verification_records"  # noqa: S608
            " WHERE tenant = :tenant AND owner = :owner ORDER BY created_at, id_hash",
            {"tenant": self._tenant, "owner": owner},
        )
        return [dict(zip(names, row, strict=True)) for row in rows]

    def _step(
        self, record: Record, before: Status, after: Status, *, purpose: Purpose | None, sealed: bytes
    ) -> tuple[str, dict[str, Any]]:
        return (
            "UPDATE host_verification_records SET status = :after, purpose = :purpose, sealed = :sealed,"
            " state_hash = NULL WHERE tenant = :tenant AND id_hash = :id_hash AND owner = :owner"
            " AND status = :before AND expires_at > :now RETURNING 1",
            {
                **self._key(record.id),
                "owner": record.owner,
                "before": before.value,
                "after": after.value,
                "purpose": purpose.value if purpose else None,
                "sealed": sealed,
                "now": self._clock(),
            },
        )

    def _seal(self, record: Record) -> bytes:
        place = self._place(record.id, record.owner, record.connector, record.redirect_uri)
        return seal(KIND, record.content, under=record.id, bound=place)

    def _place(self, record_id: str, *parts: str) -> tuple[str, ...]:
        return ("host_verification_records", self._tenant, hashed(KIND, record_id).hex(), *parts)

    def _turn(self, redirect_uri: str, now: float) -> tuple[str, dict[str, Any]]:
        """Of several requests for one redirect URI, one at a time goes on from here; disuse ends the hold."""
        return (
            "INSERT INTO host_redirect_uris (tenant, redirect_uri) VALUES (:tenant, :redirect_uri)"
            " ON CONFLICT (tenant, redirect_uri) DO UPDATE SET connector ="
            " CASE WHEN host_redirect_uris.used_at > :disused THEN host_redirect_uris.connector END",
            {"tenant": self._tenant, "redirect_uri": redirect_uri, "disused": now - DISUSED},
        )

    def _key(self, record_id: str) -> dict[str, Any]:
        return {"tenant": self._tenant, "id_hash": hashed(KIND, record_id)}

    def _sweep(self, now: float) -> tuple[str, dict[str, Any]]:
        return (
            "DELETE FROM host_verification_records WHERE tenant = :tenant AND id_hash IN (SELECT id_hash"
            " FROM host_verification_records WHERE tenant = :tenant AND expires_at <= :before LIMIT :most)",
            {"tenant": self._tenant, "before": now - KEPT, "most": SWEEP_MOST},
        )


def new_record_id() -> str:
    return new_value()
