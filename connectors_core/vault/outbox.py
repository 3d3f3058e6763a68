"""Tokens that the provider is to be told to forget, sealed until it has been. RFC 7009."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ..errors import KeyUnavailable, VaultError
from ..grants import GrantRef, SealedRevocation
from ..stores import Database, Row
from ..tokens import TokenSet
from . import sql
from .contents import load
from .vault import REVOCATION, Vault

LIFETIME = 86400.0
"""Seconds after which the provider is told no more, and the tokens are forgotten."""


class Outcome(StrEnum):
    """What became of one revocation."""

    REVOKED = "revoked"
    DROPPED = "dropped"
    """It would have hit another live set of the same grant, or the provider cannot."""
    UNREADABLE = "unreadable"
    EXPIRED = "expired"
    LATER = "later"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One revocation, and what became of it. ``LATER`` is tried again."""

    ref: GrantRef
    outcome: Outcome


Send = Callable[[GrantRef, TokenSet], Awaitable[Outcome]]


class Outbox:
    """Drained by any host, at any time; each entry is taken by one at a time.

    Taking an entry puts its next attempt off (30 s, doubling up to an hour), so one that was taken by
    a process that died comes again by itself.
    """

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database, self._vault = database, vault

    async def drain(self, send: Send, *, now: float, most: int = 100) -> Sequence[Told]:
        """Send what is due, ``most`` entries at most; ``send`` raises nothing of its own."""
        told = await self._expire(now)
        for entry in await self._claim(now, most):
            outcome = await self._handle(entry, send)
            if outcome is not Outcome.LATER:
                await self._database.fetch(sql.END_REVOCATION, {"tenant": entry.ref.tenant, "id": entry.id})
            told.append(Told(ref=entry.ref, outcome=outcome))
        return told

    async def waiting(self) -> int:
        """How many entries there are."""
        return int((await self._database.fetch("SELECT COUNT(*) FROM connectors_revocations"))[0][0])

    async def _handle(self, entry: SealedRevocation, send: Send) -> Outcome:
        if await self._vault.rows.same_grant(entry.ref):
            return Outcome.DROPPED
        try:
            plain, _ = await self._vault.open_payload(
                entry.payload,
                entry.wrapped_dek,
                kid=entry.kid,
                ref=entry.ref,
                secret_id=entry.id,
                kind=REVOCATION,
            )
            contents = load(plain)
        except KeyUnavailable:
            return Outcome.LATER
        except VaultError:
            return Outcome.UNREADABLE
        return await send(entry.ref, contents.tokens)

    async def _claim(self, now: float, most: int) -> Sequence[SealedRevocation]:
        rows = await self._database.fetch(sql.CLAIM_REVOCATIONS, {"now": now, "most": most})
        return [_revocation(row) for row in rows]

    async def _expire(self, now: float) -> list[Told]:
        rows = await self._database.fetch(sql.EXPIRED_REVOCATIONS, {"before": now - LIFETIME})
        return [Told(ref=_revocation(row).ref, outcome=Outcome.EXPIRED) for row in rows]


def _revocation(row: Row) -> SealedRevocation:
    tenant, entry_id, owner, identity, subject, connector, target, issuer, client, urls, *rest = row
    kid, wrapped_dek, payload, created_at, next_at, attempts = rest
    ref = GrantRef(
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
    return SealedRevocation(
        ref=ref,
        id=entry_id,
        kid=kid,
        wrapped_dek=bytes(wrapped_dek),
        payload=bytes(payload),
        created_at=created_at,
        next_at=next_at,
        attempts=attempts,
    )
