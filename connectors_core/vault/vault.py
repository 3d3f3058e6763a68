"""The vault: token sets sealed at rest, opened for one call."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from ..errors import NotLinked, ReauthorizationRequired, SealBroken, StorageError, UnknownKey
from ..grants import (
    TOUCH_EVERY,
    GrantRef,
    GrantState,
    InactiveReason,
    KeyProvider,
    Lease,
    Occasion,
    SealedRevocation,
    SealedRow,
    SealedRowStore,
    StoredGrant,
)
from ..merge import ALIVE, keeps_refresh_token, merge
from ..tokens import TokenSet
from . import record
from .contents import Contents, dump, load
from .key_states import KeyStates

TOKENS = "tokens"
ATTEMPTS = 10
"""How often a write may find that another came first."""
REMEMBERED = 1024
"""Broken seals that are not told of again."""
TOO_MANY_WRITERS = "others wrote this grant again and again; try again"
DECIDED = frozenset(
    {InactiveReason.CONNECTOR_CHANGED, InactiveReason.IDENTITY_CHANGED, InactiveReason.REVOKED}
)
"""Reasons that no answer of a provider undoes."""


@dataclass(frozen=True, slots=True)
class _Held:
    """What a lease keeps for its commit: the row it was made of, and the row's data key."""

    row: SealedRow
    dek: bytes = field(repr=False)


class Vault:
    """A token store that seals. ``opens`` counts the records it opened, ``seals`` those it made.

    ``revokes`` tells whether a provider is to be told when the tokens of a grant go. ``urls`` is
    the digest of a connector's URLs as they are configured now, None for a connector that is not
    there: tokens granted under other URLs are not opened, so that they go to nobody else. ``broken``
    is told of a seal that was found broken, once for each generation. ``others`` are the rows of the
    same hub's other vaults, which may hold sets of the same grants.
    """

    def __init__(
        self,
        rows: SealedRowStore,
        keys: KeyProvider,
        states: KeyStates,
        *,
        revokes: Callable[[GrantRef], bool] = lambda ref: False,
        urls: Callable[[GrantRef], bytes | None] = lambda ref: ref.urls,
        broken: Callable[[GrantRef], None] = lambda ref: None,
    ) -> None:
        self._rows, self._keys, self.key_states = rows, keys, states
        self._revokes, self._urls, self._broken = revokes, urls, broken
        self._found_broken: dict[tuple[str, int], None] = {}
        self.others: Sequence[SealedRowStore] = ()
        self.opens = 0
        self.seals = 0

    @property
    def rows(self) -> SealedRowStore:
        return self._rows

    @property
    def keys(self) -> KeyProvider:
        return self._keys

    async def put(
        self, ref: GrantRef, tokens: TokenSet, *, occasion: Occasion = Occasion.SIGN_IN, now: float
    ) -> GrantState:
        """As ``TokenStore.put``. Raises UnknownKey where this host lacks the key of what is there.

        Not where that key was destroyed: then what came is kept alone.
        """
        for _ in range(ATTEMPTS):
            there = await self._rows.find(ref.tenant, ref.identity, kind=TOKENS)
            if there is None:
                row = await self._first(ref, tokens, generation=1, now=now)
                if await self._rows.add(row):
                    return row.state
                gone = await self.key_states.is_gone(row.state.kid, now)
                if not gone and await self._rows.state(ref.tenant, ref.identity, kind=TOKENS) is None:
                    raise NotLinked("the identity is gone")
                continue
            old = there.state
            row, lease_stays = await self._merged(there, ref, tokens, occasion, now)
            if await self._rows.replace(
                row, secret_id=old.secret_id, generation=old.generation, lease_stays=lease_stays
            ):
                return row.state
            await self.key_states.read(now)
        raise StorageError(TOO_MANY_WRITERS)

    async def state(self, tenant: str, identity: str) -> GrantState | None:
        return await self._rows.state(tenant, identity, kind=TOKENS)

    async def states(self, tenant: str, owner: str) -> Sequence[GrantState]:
        return await self._rows.states(tenant, owner, kind=TOKENS)

    async def open(self, tenant: str, identity: str) -> StoredGrant | None:
        """The tokens, and what is known of them, verified.

        Raises SealBroken, KeyUnavailable, UnknownKey, and ReauthorizationRequired
        (``connector_changed``) where the connector has other URLs than when they were granted.
        """
        row = await self._rows.find(tenant, identity, kind=TOKENS)
        return None if row is None else await self.opened(row)

    async def opened(self, row: SealedRow) -> StoredGrant:
        """What is in a row that was just read; raises as ``open``."""
        self._check_urls(row.state.ref)
        tokens, _ = await self._open(row)
        return StoredGrant(state=row.state, tokens=tokens)

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
        row = await self._rows.acquire(
            tenant,
            identity,
            kind=TOKENS,
            generation=generation,
            failures=failures,
            holder=holder,
            ttl=ttl,
            now=now,
        )
        if row is None:
            return None
        state = row.state
        try:
            self._check_urls(state.ref)
            tokens, dek = await self._open(row)
        except BaseException:
            await self._rows.release(tenant, state.secret_id, generation=state.generation, fence=row.fence)
            raise
        return Lease(
            ref=state.ref,
            secret_id=state.secret_id,
            generation=state.generation,
            fence=row.fence,
            holder=holder,
            until=now + ttl,
            tokens=tokens,
            uncertain=state.uncertain,
            held=_Held(row, dek),
        )

    async def renew(self, lease: Lease, *, ttl: float, now: float) -> bool:
        return await self._rows.renew(
            lease.ref.tenant,
            lease.secret_id,
            generation=lease.generation,
            fence=lease.fence,
            ttl=ttl,
            now=now,
        )

    async def commit(self, lease: Lease, tokens: TokenSet, *, now: float) -> GrantState | None:
        if not isinstance(lease.held, _Held):
            raise TypeError("the lease is not of this store")
        row: SealedRow | None = lease.held.row
        dek, previous = lease.held.dek, lease.tokens
        for _ in range(ATTEMPTS):
            assert row is not None
            merged = merge(previous, tokens, occasion=Occasion.REFRESH, now=now)
            sealed = self._seal(row, merged, dek, now=now)
            if await self._rows.commit(sealed, generation=row.state.generation):
                return sealed.state
            row = await self._rows.find(lease.ref.tenant, lease.ref.identity, kind=TOKENS)
            if row is None or row.state.secret_id != lease.secret_id or row.state.reason in DECIDED:
                return None
            try:
                previous = self._read(row, record.decrypt(row.payload, dek, context=_context(row)))
            except SealBroken:
                return None
            if not keeps_refresh_token(previous, lease.tokens):
                return None
        raise StorageError(TOO_MANY_WRITERS)

    async def fail(
        self,
        lease: Lease,
        *,
        reason: InactiveReason | None = None,
        retry_at: float | None = None,
        uncertain: bool = False,
        now: float,
    ) -> bool:
        return await self._rows.fail(
            lease.ref.tenant,
            lease.secret_id,
            generation=lease.generation,
            fence=lease.fence,
            reason=reason,
            retry_at=retry_at,
            uncertain=uncertain,
            now=now,
        )

    async def remove(self, tenant: str, identity: str, *, now: float) -> bool:
        """Forget the tokens; where the provider is to be told, that is queued in the same step.

        Needs no key: what is queued is the record as it is.
        """
        state = await self._rows.state(tenant, identity, kind=TOKENS)
        if state is None:
            return False
        dead = state.reason in (InactiveReason.INVALID_GRANT, InactiveReason.REVOKED)
        revoke = not dead and self._urls(state.ref) == state.ref.urls and self._revokes(state.ref)
        return await self._rows.delete(tenant, identity, kind=TOKENS, revoke=revoke, now=now)

    async def abandon(self, ref: GrantRef, tokens: TokenSet, *, after: float, now: float) -> bool:
        """Queue ``tokens`` that nobody keeps for revocation, ``after`` seconds from now.

        False where the provider is not told, or the key was destroyed just now. Raises KeyUnavailable.
        """
        if self._urls(ref) != ref.urls or not self._revokes(ref):
            return False
        secret_id = f"secret_{uuid.uuid4().hex}"
        kid, wrapped, dek = await self.wrap_new(ref, secret_id=secret_id, kind=TOKENS, now=now)
        plain = dump(Contents(tokens=tokens, issuer=ref.issuer, subject=ref.subject))
        context = record.context_of(ref, secret_id=secret_id, kind=TOKENS)
        entry = SealedRevocation(
            ref=ref,
            id=secret_id,
            kind=TOKENS,
            kid=kid,
            wrapped_dek=wrapped,
            payload=record.encrypt(plain, dek, context=context),
            created_at=now,
            next_at=now + after,
        )
        self.seals += 1
        return await self._rows.queue(entry, after=after, now=now)

    async def remove_connector(self, tenant: str, connector: str, *, now: float) -> int:
        """Forget the tokens of all grants to a connector; return how many. Identities stay."""
        removed = 0
        while page := await self._rows.of_connector(tenant, connector, kind=TOKENS):
            for state in page:
                removed += await self.remove(tenant, state.ref.identity, now=now)
        return removed

    async def connector_changed(self, tenant: str, connector: str, *, now: float) -> int:
        """Make all grants to a connector inactive (``connector_changed``); return how many."""
        reason = InactiveReason.CONNECTOR_CHANGED
        return await self._rows.deactivate(tenant, connector, kind=TOKENS, reason=reason, now=now)

    async def due(
        self,
        *,
        before: float,
        used_since: float,
        now: float,
        longest_wait: float,
        longest_lease: float,
        most: int,
    ) -> Sequence[GrantState]:
        """As ``FindsDue.due``; empty where the row store cannot tell."""
        find = getattr(self._rows, "due", None)
        if find is None:
            return []
        due: Sequence[GrantState] = await find(
            kind=TOKENS,
            before=before,
            used_since=used_since,
            now=now,
            longest_wait=longest_wait,
            longest_lease=longest_lease,
            most=most,
        )
        return due

    async def serves_elsewhere(self, ref: GrantRef) -> bool:
        """Tell whether a set of the same grant is kept, under whatever identity."""
        for rows in (self._rows, *self.others):
            if await rows.same_grant(ref):
                return True
        return False

    async def touch(self, tenant: str, identity: str, *, now: float) -> None:
        await self._rows.touch(tenant, identity, kind=TOKENS, now=now, at_most_every=TOUCH_EVERY)

    async def wrap_new(
        self, ref: GrantRef, *, secret_id: str, kind: str, now: float
    ) -> tuple[str, bytes, bytes]:
        """A new data key for a secret: the key's name, the wrapped data key, the data key."""
        dek, kid = record.new_dek(), await self.key_states.active(now)
        context = record.context_of(ref, secret_id=secret_id, kind=kind)
        return kid, await self._keys.wrap(dek, kid=kid, context=context), dek

    async def open_payload(
        self, payload: bytes, wrapped_dek: bytes, *, kid: str, ref: GrantRef, secret_id: str, kind: str
    ) -> tuple[bytes, bytes]:
        """What is sealed, and its data key. Counted. Raises SealBroken, KeyUnavailable, UnknownKey."""
        self.opens += 1
        context = record.context_of(ref, secret_id=secret_id, kind=kind)
        dek = await self._keys.unwrap(wrapped_dek, kid=kid, context=context)
        return record.decrypt(payload, dek, context=context), dek

    async def _open(self, row: SealedRow) -> tuple[TokenSet, bytes]:
        try:
            return await self._verified(row)
        except SealBroken:
            self._tell_broken(row.state)
            raise

    def _tell_broken(self, state: GrantState) -> None:
        """Once for what is stored, however often it is tried."""
        found = (state.secret_id, state.generation)
        if found not in self._found_broken:
            while len(self._found_broken) >= REMEMBERED:
                del self._found_broken[next(iter(self._found_broken))]
            self._found_broken[found] = None
            self._broken(state.ref)

    async def _verified(self, row: SealedRow) -> tuple[TokenSet, bytes]:
        state, ref = row.state, row.state.ref
        plain, dek = await self.open_payload(
            row.payload, row.wrapped_dek, kid=state.kid, ref=ref, secret_id=state.secret_id, kind=row.kind
        )
        return self._read(row, plain), dek

    def _read(self, row: SealedRow, plain: bytes) -> TokenSet:
        """The tokens of ``row``, which is what was sealed with them. Raises SealBroken."""
        contents, state, ref = load(plain), row.state, row.state.ref
        if (contents.issuer, contents.subject) != (ref.issuer, ref.subject):
            raise SealBroken("the tokens are of another account than the row says")
        if not state.describes(contents.tokens):
            raise SealBroken("what stands beside the tokens is not what was sealed with them")
        return contents.tokens

    async def _first(self, ref: GrantRef, tokens: TokenSet, *, generation: int, now: float) -> SealedRow:
        secret_id = f"secret_{uuid.uuid4().hex}"
        kid, wrapped, dek = await self.wrap_new(ref, secret_id=secret_id, kind=TOKENS, now=now)
        state = GrantState(
            ref=ref, secret_id=secret_id, generation=generation - 1, created_at=now, updated_at=now, kid=kid
        )
        row = SealedRow(state=state, kind=TOKENS, wrapped_dek=wrapped, payload=b"")
        return self._seal(row, merge(None, tokens, occasion=Occasion.FIRST, now=now), dek, now=now)

    async def _merged(
        self, there: SealedRow, ref: GrantRef, tokens: TokenSet, occasion: Occasion, now: float
    ) -> tuple[SealedRow, bool]:
        """The row to put in the place of ``there``, and whether a lease on that stays.

        Under a new data key where it is another grant.
        """
        old = there.state
        if old.ref == ref and (old.reason is None or old.reason in ALIVE):
            try:
                previous, dek = await self._open(there)
            except SealBroken:
                pass  # What cannot be opened is no loss: the person has just granted anew.
            except UnknownKey:
                if not await self.key_states.is_gone(old.kid, now):
                    raise
            else:
                merged = merge(previous, tokens, occasion=occasion, now=now, reason=old.reason)
                stays = keeps_refresh_token(merged, previous)
                return self._seal(there, merged, dek, now=now, lease_stays=stays), stays
        return await self._first(ref, tokens, generation=old.generation + 1, now=now), False

    def _seal(
        self, row: SealedRow, tokens: TokenSet, dek: bytes, *, now: float, lease_stays: bool = False
    ) -> SealedRow:
        """``row`` with other tokens, one generation newer."""
        ref = row.state.ref
        plain = dump(Contents(tokens=tokens, issuer=ref.issuer, subject=ref.subject))
        state = row.state.followed_by(tokens, now=now, lease_stays=lease_stays)
        self.seals += 1
        return replace(row, state=state, payload=record.encrypt(plain, dek, context=_context(row)))

    def _check_urls(self, ref: GrantRef) -> None:
        if self._urls(ref) != ref.urls:
            raise ReauthorizationRequired(InactiveReason.CONNECTOR_CHANGED)


def _context(row: SealedRow) -> bytes:
    return record.context_of(row.state.ref, secret_id=row.state.secret_id, kind=row.kind)
