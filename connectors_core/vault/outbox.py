"""Tokens that the provider is to be told to forget, sealed until it has been. RFC 7009."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ..errors import KeyUnavailable, StorageError, UnknownKey, VaultError
from ..grants import GrantRef, SealedRevocation
from ..tokens import TokenSet
from .contents import load
from .vault import Vault

LIFETIME = 86400.0
"""Seconds after which the provider is told no more, and the tokens are forgotten."""


class Outcome(StrEnum):
    """What became of one revocation."""

    REVOKED = "revoked"
    NEEDED = "needed"
    """Another live set of the same grant would have gone with it."""
    REFUSED = "refused"
    """The provider said no, or cannot; asking again would not help."""
    UNREADABLE = "unreadable"
    EXPIRED = "expired"
    LATER = "later"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One revocation, and what became of it. One that is told ``LATER`` comes again."""

    ref: GrantRef
    outcome: Outcome


Send = Callable[[GrantRef, TokenSet], Awaitable[Outcome]]


async def drain(vault: Vault, send: Send, *, now: float, most: int = 100) -> Sequence[Told]:
    """Send what is due, ``most`` entries at most. Any host may, at any time.

    ``send`` raises nothing of its own. An entry that was taken by a process that died comes again
    by itself.
    """
    expired = await vault.rows.expired_revocations(age=LIFETIME, now=now)
    told = [Told(ref=entry.ref, outcome=Outcome.EXPIRED) for entry in expired]
    for entry in await vault.rows.take_revocations(now=now, most=most):
        outcome = await _handle(vault, entry, send)
        if outcome is not Outcome.LATER and not await vault.rows.end_revocation(entry.ref.tenant, entry.id):
            continue  # Another host has ended it meanwhile, and told.
        told.append(Told(ref=entry.ref, outcome=outcome))
    return told


async def _handle(vault: Vault, entry: SealedRevocation, send: Send) -> Outcome:
    ref = entry.ref
    try:
        if await vault.serves_elsewhere(ref):
            return Outcome.NEEDED
    except StorageError:
        # Another vault of the hub is out of reach, and may keep a set of the same grant.
        return Outcome.LATER
    try:
        plain, _ = await vault.open_payload(
            entry.payload, entry.wrapped_dek, kid=entry.kid, ref=ref, secret_id=entry.id, kind=entry.kind
        )
        contents = load(plain)
    except (KeyUnavailable, UnknownKey):
        # Another host may have the key, or this one may get it yet.
        return Outcome.LATER
    except VaultError:
        return Outcome.UNREADABLE
    if (contents.issuer, contents.subject) != (ref.issuer, ref.subject):
        return Outcome.UNREADABLE
    return await send(ref, contents.tokens)
