"""A token store in plain Python, for tests and for a host of one process that may forget."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..grants import TOUCH_EVERY, GrantRef, GrantState, InactiveReason, Lease, Occasion, StoredGrant
from ..merge import ALIVE, keeps_refresh_token, merge
from ..tokens import TokenSet

FOREIGN = 60.0
"""Seconds: a lease that ends so much later than it can is of before the clock was set back: it is free."""


@dataclass(slots=True)
class _Kept:
    state: GrantState
    tokens: TokenSet
    fence: int = 0


class MemoryTokenStore:
    """Nothing is sealed and nothing outlives the process. The provider is not told of what is removed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, str], _Kept] = {}

    async def put(
        self, ref: GrantRef, tokens: TokenSet, *, occasion: Occasion = Occasion.SIGN_IN, now: float
    ) -> GrantState:
        with self._lock:
            kept = self._kept.get((ref.tenant, ref.identity))
            if kept is None or kept.state.ref != ref:
                tokens = merge(None, tokens, occasion=Occasion.FIRST, now=now)
                generation = kept.state.generation + 1 if kept else 1
                fresh = GrantState(
                    ref=ref,
                    secret_id=f"secret_{uuid.uuid4().hex}",
                    generation=generation,
                    created_at=now,
                    updated_at=now,
                )
                kept = _Kept(fresh.describing(tokens), tokens, kept.fence if kept else 0)
                self._kept[ref.tenant, ref.identity] = kept
                return kept.state
            merged = merge(kept.tokens, tokens, occasion=occasion, now=now, reason=kept.state.reason)
            return self._store(kept, merged, now, lease_stays=keeps_refresh_token(merged, kept.tokens))

    async def state(self, tenant: str, identity: str) -> GrantState | None:
        with self._lock:
            kept = self._kept.get((tenant, identity))
            return kept.state if kept else None

    async def states(self, tenant: str, owner: str) -> Sequence[GrantState]:
        with self._lock:
            theirs = [
                kept.state
                for (whose, _), kept in self._kept.items()
                if whose == tenant and kept.state.ref.owner == owner
            ]
        return sorted(theirs, key=lambda state: (state.created_at, state.ref.identity))

    async def open(self, tenant: str, identity: str) -> StoredGrant | None:
        with self._lock:
            kept = self._kept.get((tenant, identity))
            return StoredGrant(state=kept.state, tokens=kept.tokens) if kept else None

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
        with self._lock:
            kept = self._kept.get((tenant, identity))
            if kept is None or kept.state.reason is not None or kept.state.generation != generation:
                return None
            state = kept.state
            if failures not in (None, state.failures):
                return None
            if state.lease_until is not None and now < state.lease_until <= now + ttl + FOREIGN:
                return None
            kept.fence += 1
            kept.state = replace(
                state,
                lease_holder=holder,
                lease_until=now + ttl,
                uncertain=state.uncertain or state.lease_holder is not None,
            )
            return Lease(
                ref=state.ref,
                secret_id=state.secret_id,
                generation=generation,
                fence=kept.fence,
                holder=holder,
                until=now + ttl,
                tokens=kept.tokens,
                uncertain=kept.state.uncertain,
            )

    async def renew(self, lease: Lease, *, ttl: float, now: float) -> bool:
        with self._lock:
            kept = self._of(lease)
            if kept is None or kept.fence != lease.fence or kept.state.lease_holder is None:
                return False
            kept.state = replace(kept.state, lease_until=now + ttl)
            return True

    async def commit(self, lease: Lease, tokens: TokenSet, *, now: float) -> GrantState | None:
        with self._lock:
            kept = self._of(lease)
            if kept is None:
                return None
            previous = lease.tokens
            if kept.state.generation != lease.generation:
                if not keeps_refresh_token(kept.tokens, lease.tokens):
                    return None
                previous = kept.tokens
            return self._store(kept, merge(previous, tokens, occasion=Occasion.REFRESH, now=now), now)

    async def fail(
        self,
        lease: Lease,
        *,
        reason: InactiveReason | None = None,
        retry_at: float | None = None,
        uncertain: bool = False,
        now: float,
    ) -> bool:
        with self._lock:
            kept = self._of(lease)
            if kept is None or kept.fence != lease.fence or kept.state.lease_holder is None:
                return False
            state = kept.state
            if reason is not None and state.generation != lease.generation:
                return False
            kept.state = replace(
                state,
                reason=reason,
                retry_at=retry_at,
                failures=state.failures + (reason is not None or retry_at is not None),
                uncertain=state.uncertain or uncertain,
                lease_holder=None,
                lease_until=None,
                updated_at=now,
            )
            return True

    async def remove(self, tenant: str, identity: str, *, now: float) -> bool:
        with self._lock:
            return self._kept.pop((tenant, identity), None) is not None

    async def remove_connector(self, tenant: str, connector: str, *, now: float) -> int:
        """Forget the tokens of all grants to a connector; return how many."""
        with self._lock:
            theirs = [
                place
                for place, kept in self._kept.items()
                if (kept.state.ref.tenant, kept.state.ref.connector) == (tenant, connector)
            ]
            for place in theirs:
                del self._kept[place]
        return len(theirs)

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
        """As ``FindsDue.due``."""

        def over(end: float | None, longest: float) -> bool:
            return end is None or not now < end <= now + longest

        with self._lock:
            states = [kept.state for kept in self._kept.values()]
        due = [
            state
            for state in states
            if state.reason is None
            and state.has_refresh_token
            and state.expires_at is not None
            and state.expires_at < before
            and state.used_at is not None
            and state.used_at >= used_since
            and over(state.retry_at, longest_wait)
            and over(state.lease_until, longest_lease)
        ]
        return sorted(due, key=lambda state: state.expires_at or 0.0)[:most]

    async def serves_elsewhere(self, ref: GrantRef) -> bool:
        """Tell whether a set of the same grant is kept, under whatever identity."""
        with self._lock:
            states = [kept.state for kept in self._kept.values()]
        return any(
            (state.reason is None or state.reason in ALIVE) and _grant(state.ref) == _grant(ref)
            for state in states
        )

    async def touch(self, tenant: str, identity: str, *, now: float) -> None:
        with self._lock:
            kept = self._kept.get((tenant, identity))
            if kept and (kept.state.used_at is None or kept.state.used_at <= now - TOUCH_EVERY):
                kept.state = replace(kept.state, used_at=now)

    def _of(self, lease: Lease) -> _Kept | None:
        kept = self._kept.get((lease.ref.tenant, lease.ref.identity))
        if kept is None or kept.state.secret_id != lease.secret_id:
            return None
        return kept

    def _store(self, kept: _Kept, tokens: TokenSet, now: float, *, lease_stays: bool = False) -> GrantState:
        kept.tokens = tokens
        kept.state = kept.state.followed_by(tokens, now=now, lease_stays=lease_stays)
        return kept.state


def _grant(ref: GrantRef) -> tuple[str, str, str]:
    return ref.issuer, ref.client, ref.subject
