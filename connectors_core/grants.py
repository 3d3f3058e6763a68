"""Grants that are kept: what is known of them, who keeps them, and what the keeper stands on.

Times are in seconds since the epoch and come from the caller, unless a method says otherwise. A
grant is named by tenant and identity; nothing is looked up by the id of a secret.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Protocol, runtime_checkable

from .tokens import TokenSet

TOUCH_EVERY = 3600.0
"""Seconds between two writes of ``used_at``."""


class GrantStatus(StrEnum):
    """What a person is told of a grant."""

    ACTIVE = "active"
    EXPIRED = "expired"
    INACTIVE = "inactive"
    NOT_APPLICABLE = "not_applicable"


class InactiveReason(StrEnum):
    """Why a grant no longer serves. Closed: documented in ``docs/errors.md``."""

    INVALID_GRANT = "invalid_grant"
    ROTATION_LOST = "rotation_lost"
    INTERACTION_REQUIRED = "interaction_required"
    CONSENT_REQUIRED = "consent_required"
    IDENTITY_CHANGED = "identity_changed"
    CONNECTOR_CHANGED = "connector_changed"
    REVOKED = "revoked"
    NOT_STORED = "not_stored"


class Occasion(StrEnum):
    """When a token set came: decides how it is merged with the one that is kept (``merge``)."""

    FIRST = "first"
    SIGN_IN = "sign_in"
    STEP_UP = "step_up"
    REFRESH = "refresh"


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantRef:
    """Whose grant, and from whom.

    ``identity`` is the id of the linked identity and ``subject`` its subject; ``connector`` the
    connector that the grant was made to, ``client`` its client id where it has one: issuer, client
    and subject together tell whether two token sets are of one grant. ``urls`` is the SHA-256
    digest of the connector's configured URLs, the issuer where endpoints are discovered.
    """

    tenant: str
    owner: str
    identity: str
    subject: str
    connector: str
    target: str
    issuer: str
    urls: bytes
    client: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantState:
    """What is known of a grant without a key.

    Not verified: it is as true as the database it was read from. What ``open`` and ``acquire``
    return was compared with the sealed copy. ``requested`` are the scopes asked for at
    authorizations, ``scopes`` those the grant covers, ``effective`` those the kept access token
    carries. ``reason`` is None while the grant is good. ``retry_at``: before then the token
    endpoint is not to be asked. ``uncertain``: a refresh may have been answered and the answer
    lost. ``kid`` is the key that its data key is wrapped by; empty where nothing is sealed.
    """

    ref: GrantRef
    secret_id: str
    reason: InactiveReason | None = None
    requested: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()
    effective: frozenset[str] = frozenset()
    scopes_stated: bool = False
    token_type: str = "Bearer"
    expires_at: float | None = None
    refresh_expires_at: float | None = None
    has_refresh_token: bool = False
    generation: int = 1
    created_at: float = 0.0
    updated_at: float = 0.0
    used_at: float | None = None
    retry_at: float | None = None
    failures: int = 0
    uncertain: bool = False
    lease_holder: str | None = None
    lease_until: float | None = None
    kid: str = ""

    def describing(self, tokens: TokenSet) -> GrantState:
        """This state with what is public of ``tokens``."""
        return replace(
            self,
            requested=tokens.requested,
            scopes=tokens.scopes,
            effective=tokens.effective_scopes,
            scopes_stated=tokens.scopes_stated,
            token_type=tokens.token_type,
            expires_at=tokens.expires_at,
            refresh_expires_at=tokens.refresh_expires_at,
            has_refresh_token=bool(tokens.refresh_token),
        )

    def describes(self, tokens: TokenSet) -> bool:
        """Tell whether ``describing`` would change nothing."""
        return (
            self.requested == tokens.requested
            and self.scopes == tokens.scopes
            and self.effective == tokens.effective_scopes
            and self.scopes_stated == tokens.scopes_stated
            and self.token_type == tokens.token_type
            and self.expires_at == tokens.expires_at
            and self.refresh_expires_at == tokens.refresh_expires_at
            and self.has_refresh_token == bool(tokens.refresh_token)
        )

    def followed_by(self, tokens: TokenSet, *, now: float, lease_stays: bool = False) -> GrantState:
        """The state of the next generation, which has ``tokens``: good, and free unless ``lease_stays``.

        A set that came besides a refresh and keeps the refresh token ends no lease: whoever holds it
        may be using that token just now.
        """
        after = replace(
            self.describing(tokens),
            reason=None,
            generation=self.generation + 1,
            updated_at=now,
            retry_at=None,
            failures=0,
        )
        return after if lease_stays else replace(after, uncertain=False, lease_holder=None, lease_until=None)

    def refreshable(self, now: float) -> bool:
        """Tell whether there is a refresh token that may still be good."""
        return self.has_refresh_token and (self.refresh_expires_at is None or self.refresh_expires_at > now)

    def status(self, now: float) -> GrantStatus:
        """Active also when due for a refresh; expired when past its time with nothing to refresh by."""
        if self.reason is not None:
            return GrantStatus.INACTIVE
        if self.expires_at is not None and self.expires_at <= now and not self.refreshable(now):
            return GrantStatus.EXPIRED
        return GrantStatus.ACTIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredGrant:
    """A grant, opened: its state is now verified against the sealed copy."""

    state: GrantState
    tokens: TokenSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to refresh one grant, until ``until`` by the caller's clock.

    ``fence`` counts the leases of a grant; ``uncertain`` tells that an earlier holder never
    reported back. ``held`` is the store's own: what it needs to commit without asking anybody, so
    that no key can become unreachable between the request and the commit.
    """

    ref: GrantRef
    secret_id: str
    generation: int
    fence: int
    holder: str
    until: float
    tokens: TokenSet
    uncertain: bool = False
    held: object = field(default=None, repr=False, compare=False)


@runtime_checkable
class TokenStore(Protocol):
    """Keeps token sets, one for each identity. The vault is one; ``select_token_store`` names others.

    Every method is atomic. Correctness rests on ``generation``, which grows with every set that is
    stored: a writer names the one it read. The lease only keeps others from asking the provider
    meanwhile.
    """

    async def put(
        self, ref: GrantRef, tokens: TokenSet, *, occasion: Occasion = Occasion.SIGN_IN, now: float
    ) -> GrantState:
        """Keep ``tokens``, merged with what is there by ``merge``; the grant is good again.

        Where the merged set keeps the refresh token that was there, a lease stays as it is, and so
        does ``uncertain``: the token may be in use just now. Raises NotLinked where the identity is gone.
        """

    async def state(self, tenant: str, identity: str) -> GrantState | None:
        """What is known without a key; None where nothing is kept."""

    async def states(self, tenant: str, owner: str) -> Sequence[GrantState]:
        """The same for all grants of an owner, oldest first."""

    async def open(self, tenant: str, identity: str) -> StoredGrant | None:
        """The tokens. Raises SealBroken, KeyUnavailable, UnknownKey."""

    async def acquire(
        self,
        tenant: str,
        identity: str,
        *,
        generation: int,
        failures: int | None = None,
        holder: str,
        ttl: float,
        now: float,
    ) -> Lease | None:
        """Lease the grant for ``ttl`` seconds.

        None where it is gone, inactive, newer than ``generation``, or leased to another and not
        yet free, and where it has not failed ``failures`` times, if that is given: who has not heard
        of a failure does not know how long to wait. Look again at ``state`` then. Raises what ``open``
        raises; then nothing is leased.
        """

    async def renew(self, lease: Lease, *, ttl: float, now: float) -> bool:
        """Hold on for ``ttl`` seconds from ``now``; False where another holds it or a newer set is there."""

    async def commit(self, lease: Lease, tokens: TokenSet, *, now: float) -> GrantState | None:
        """Keep the answer of a refresh, unmerged as it came, even after the lease ran out.

        A newer set that still has the refresh token of the lease is merged with the answer, which
        alone has what comes after that token. None: the grant is gone, or was made inactive, or a
        set with another refresh token is there (``state`` tells which). Nothing was stored.
        """

    async def fail(
        self,
        lease: Lease,
        *,
        reason: InactiveReason | None = None,
        retry_at: float | None = None,
        uncertain: bool = False,
        now: float,
    ) -> bool:
        """Give the lease back after a refresh that brought nothing.

        With ``reason`` the grant is inactive; without, ``failures`` grows unless ``retry_at`` is None
        too. False, and nothing changed, where the lease is no longer this one, or where a ``reason``
        comes to a newer generation than was leased.
        """

    async def remove(self, tenant: str, identity: str, *, now: float) -> bool:
        """Forget the tokens, and see to it that the provider is told; True where there were any."""

    async def touch(self, tenant: str, identity: str, *, now: float) -> None:
        """Remember that the grant was used; written at most once an hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedRow:
    """A grant as it lies in a sealed row store.

    ``state.ref.owner`` and ``.subject`` are those of the identity it belongs to *now*; the other
    fields are the row's own.
    """

    state: GrantState
    kind: str
    wrapped_dek: bytes
    payload: bytes
    fence: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkedRow:
    """A linked identity, and what is kept for it; None where nothing is, or where nobody looked."""

    tenant: str
    owner: str
    identity: str
    connector: str
    target: str
    kept: SealedRow | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedRevocation:
    """A row whose tokens the provider is to be told to forget, as it was when it was deleted.

    One that never was in a row, because nobody kept what was granted, has no ``ref.identity``.

    ``id`` is the id of the secret. ``attempts`` counts how often it was taken.
    """

    ref: GrantRef
    id: str
    kind: str
    kid: str
    wrapped_dek: bytes
    payload: bytes
    created_at: float
    next_at: float
    attempts: int = 0


@runtime_checkable
class SealedRowStore(Protocol):
    """Keeps sealed rows, one for each (tenant, identity, kind). Below the vault; knows no key.

    Every method is one atomic step. A row lives no longer than its identity.
    """

    async def find(self, tenant: str, identity: str, *, kind: str) -> SealedRow | None: ...

    async def state(self, tenant: str, identity: str, *, kind: str) -> GrantState | None: ...

    async def states(self, tenant: str, owner: str, *, kind: str) -> Sequence[GrantState]:
        """Those of all identities of an owner, oldest first."""

    async def add(self, row: SealedRow) -> bool:
        """Keep a first row; False where there is one, or the identity or the row's key is gone."""

    async def replace(
        self, row: SealedRow, *, secret_id: str, generation: int, lease_stays: bool = False
    ) -> bool:
        """Put ``row`` over the one that has that id and generation; its failures are cleared.

        Where ``row`` has that id too, ``kid`` and ``wrapped_dek`` stay as they are now.
        Its lease and ``uncertain`` are cleared too, or, with ``lease_stays``, left as they are now.
        """

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
        """Lease an active row of that generation, and of so many ``failures``, that nobody holds.

        ``fence`` grows.

        ``uncertain`` is set where a holder before never gave back. The lease ends ``ttl`` seconds from
        now by the store's own clock where several hosts share the store, by ``now`` where they do not.
        """

    async def renew(
        self, tenant: str, secret_id: str, *, generation: int, fence: int, ttl: float, now: float
    ) -> bool:
        """For the lease of that ``fence``, also where its row is newer than ``generation`` by now."""

    async def release(self, tenant: str, secret_id: str, *, generation: int, fence: int) -> bool:
        """Give a lease back unused."""

    async def commit(self, row: SealedRow, *, generation: int) -> bool:
        """Store payload and state of ``row`` over ``generation``, whoever holds the lease; which ends.

        ``kid`` and ``wrapped_dek`` of the row stay as they are.
        """

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
        """End the lease of that ``fence``; with a ``reason``, only where the row is of ``generation``."""

    async def delete(
        self, tenant: str, identity: str, *, kind: str, revoke: bool = False, now: float
    ) -> bool:
        """Delete the row; with ``revoke`` and in the same step, queue what was deleted, sealed as it was.

        What is queued is timed like leases: by the store's own clock where several hosts share it.
        """

    async def touch(
        self, tenant: str, identity: str, *, kind: str, now: float, at_most_every: float
    ) -> None: ...

    async def of_connector(
        self, tenant: str, connector: str, *, kind: str, after: str = "", most: int = 500
    ) -> Sequence[GrantState]:
        """A page of the grants made to a connector, by identity."""

    async def deactivate(
        self, tenant: str, connector: str, *, kind: str, reason: InactiveReason, now: float
    ) -> int:
        """Make all active grants of a connector inactive, and end their leases; return how many."""

    async def same_grant(self, ref: GrantRef) -> int:
        """How many rows of all tenants have the same issuer, client and subject, and may still serve.

        Those are the active ones and those whose reason is in ``merge.ALIVE``: the provider ends a
        grant as a whole, whoever holds a part of it.
        """

    async def queue(self, entry: SealedRevocation, *, after: float, now: float) -> bool:
        """Queue what never was in a row, to be taken after ``after`` seconds; False where its key is gone.

        Its times are the store's to set.
        """

    async def take_revocations(self, *, now: float, most: int) -> Sequence[SealedRevocation]:
        """Take what is due; each entry goes to one caller, and comes again later unless it is ended.

        How much later grows with ``attempts``: 30 seconds at first, an hour at last.
        """

    async def end_revocation(self, tenant: str, secret_id: str) -> bool: ...

    async def expired_revocations(self, *, age: float, now: float) -> Sequence[SealedRevocation]:
        """Delete, and return, what was queued ``age`` seconds ago or earlier."""

    async def kids(self) -> Mapping[str, int]:
        """How many rows name each key, in all tables that hold wrapped keys."""

    async def page(
        self, *, kid: str | None = None, after: RowPlace | None = None, most: int = 500
    ) -> Sequence[WrappedRow]:
        """Rows in a fixed order, after ``after``; of one key only, if given. Empty at the end alone."""

    async def rewrap(self, rewrapped: Sequence[Rewrapped]) -> Sequence[bool]:
        """Swap key id and wrapped key of each row, but where either has changed since it was read.

        Nor where the key to swap to was destroyed, as far as the store can know.
        """


@runtime_checkable
class KeyProvider(Protocol):
    """Wraps data keys of 32 bytes by named keys. ``context`` and the kid are bound: neither may change.

    Raises UnknownKey for a kid that is not there, KeyUnavailable when the key cannot be reached
    now, SealBroken when what was wrapped is not what came or belongs to another context.
    """

    def kids(self) -> Sequence[str]:
        """The keys that can be used, the one to wrap by first."""

    async def wrap(self, dek: bytes, *, kid: str, context: bytes) -> bytes: ...

    async def unwrap(self, wrapped: bytes, *, kid: str, context: bytes) -> bytes: ...

    async def rewrap(self, wrapped: bytes, *, kid: str, to: str, context: bytes) -> bytes: ...

    async def health(self) -> Sequence[KeyHealth]:
        """What each key would answer now. Raises nothing of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyHealth:
    """Whether a key can be used now; ``detail`` says why not."""

    kid: str
    usable: bool
    detail: str = ""


@dataclass(frozen=True, slots=True, order=True)
class RowPlace:
    """Where a row stands in the order of ``SealedRowStore.page``."""

    table: str
    tenant: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WrappedRow:
    """A wrapped key with all that its context is made of, and the payload it opens."""

    place: RowPlace
    ref: GrantRef
    kind: str
    kid: str
    wrapped_dek: bytes
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewrapped:
    """A row as it was read, and the same data key under another key."""

    row: WrappedRow
    kid: str
    wrapped_dek: bytes
