"""One request under a lease, and what its failure means for the grant."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from ..connector import FailureKind, PreparesRefresh, Refreshes, RefreshFailure
from ..errors import ReauthorizationRequired, Step, TokenEndpointError, TransportError
from ..grants import GrantState, InactiveReason, Lease, StoredGrant
from ..tokens import TokenSet
from .breaker import Breaker
from .classify import classify_preparation_error, classify_refresh_error
from .flight import Flight, Surroundings, is_other, misconfigured_by
from .held import Held
from .lease_keeper import LeaseKeeper
from .rotation import Rotation
from .saving import Saving

T = TypeVar("T")

SECOND_LOOK = 1.0
"""Seconds given after the limit for an answer that a paused process has not looked at yet."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request under a lease, and what becomes of its answer."""

    flight: Flight
    lease: Lease
    state: GrantState
    keeper: LeaseKeeper
    breaker: Breaker
    entered: int
    rotation: Rotation
    around: Surroundings

    @property
    def held(self) -> Held:
        return self.flight.held

    async def run(self) -> StoredGrant | None:
        """The new set, ours or somebody else's; None: look at the grant again."""
        connector = self.held.connector
        try:
            if isinstance(connector, PreparesRefresh):
                await self._within_limit(connector.prepare_refresh())
        except Exception as error:
            await self._failed(classify_preparation_error(error))
            return None
        try:
            surely = await self.keeper.surely_held()
        except Exception:
            with suppress(Exception):  # nothing was sent: whoever comes next need not wait for the lease
                await self._give_back()
            raise
        if not surely:
            await self._give_back()
            return None
        try:
            new = await self._ask()
        except Exception as error:
            failure = classify_refresh_error(error, connector)
        else:
            self.breaker.succeeded()
            return await Saving(self.flight, self.lease, self.state, self.around).keep(new)
        if failure.kind is not FailureKind.DEAD:
            await self._failed(failure)
            return None
        now_stored = await self.held.store.state(self.held.tenant, self.held.identity)
        if now_stored is None or not is_other(now_stored, self.flight.since):
            await self._failed(failure)
        else:
            self.breaker.succeeded()
            await self._give_back()
        return None

    async def _ask(self) -> TokenSet:
        connector, tokens = self.held.connector, self.lease.tokens
        assert isinstance(connector, Refreshes)
        if not connector.scope_on_refresh:
            return await self._within_limit(connector.refresh(tokens))
        try:
            return await self._within_limit(connector.refresh(tokens, scopes=sorted(tokens.scopes)))
        except TokenEndpointError as error:
            if error.error != "invalid_scope":
                raise
        return await self._within_limit(connector.refresh(tokens))

    async def _within_limit(self, asking: Awaitable[T]) -> T:
        """The sender keeps its own deadline; this one is for connectors that do not go through it."""
        task = asyncio.ensure_future(asking)
        try:
            for limit in (3 * self.around.timing.request, SECOND_LOOK):
                if (await asyncio.wait([task], timeout=limit))[0]:
                    return task.result()
        finally:
            task.cancel()
        raise TransportError("the refresh did not come to an end", step=Step.REFRESH)

    async def _give_back(self) -> None:
        await self.held.store.fail(self.lease, now=self.around.clock())

    async def _failed(self, failure: RefreshFailure) -> None:
        """Write down what the failure means, tell it once, and raise where waiting does not help."""
        around, held = self.around, self.held
        self.breaker.failed(self.lease.secret_id, failure, around.uptime(), self.entered)
        reason: InactiveReason | None = None
        retry_at: float | None = None
        if failure.kind is FailureKind.DEAD:
            reason = failure.reason or InactiveReason.INVALID_GRANT
            if reason is InactiveReason.INVALID_GRANT and self.lease.uncertain and self.rotation.loses:
                reason = InactiveReason.ROTATION_LOST
        else:
            retry_at = around.clock() + self._delay(failure)
        ours = await held.store.fail(
            self.lease,
            reason=reason,
            retry_at=retry_at,
            uncertain=failure.kind is FailureKind.UNKNOWN,
            now=around.clock(),
        )
        if not ours:
            await self._give_back()
            return
        if reason is not None:
            around.tell("token.needs_reauthorization", held, reason=reason.value, error=failure.error)
            raise ReauthorizationRequired(reason.value)
        around.tell("token.refresh_failed", held, kind=failure.kind.value, error=failure.error)
        if failure.kind in (FailureKind.MISCONFIGURED, FailureKind.REFUSED):
            raise misconfigured_by(failure.error, failure.message, held)

    def _delay(self, failure: RefreshFailure) -> float:
        around = self.around
        if failure.kind in (FailureKind.MISCONFIGURED, FailureKind.REFUSED):
            return around.timing.misconfigured
        jitter = around.timing.next_attempt(self.state.failures, around.draw)
        if failure.retry_after is None:
            return jitter
        return min(failure.retry_after, around.timing.longest_retry_after) + min(jitter, 1.0)
