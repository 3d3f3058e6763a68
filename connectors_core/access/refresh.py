"""One refresh for all who wait: lease for liveness, generation for safety, no transaction across HTTP."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

from ..connector import (
    Connector,
    FailureKind,
    PreparesRefresh,
    Refreshes,
    RefreshFailure,
    Revokes,
)
from ..errors import (
    ConnectorError,
    ConnectorFault,
    ConnectorMisconfigured,
    KeyUnavailable,
    NotLinked,
    ReauthorizationRequired,
    Step,
    StorageError,
    TemporarilyUnavailable,
    TokenEndpointError,
    TransportError,
)
from ..events import Event
from ..grants import GrantRef, GrantState, InactiveReason, Lease, Occasion, StoredGrant, TokenStore
from ..merge import merge
from ..tokens import TokenSet
from .breaker import Breaker
from .classify import classify_preparation_error, classify_refresh_error, code_of
from .lease_keeper import LeaseKeeper
from .rotation import Rotation
from .storable import storable
from .timing import Timing

log = logging.getLogger("connectors_core.access")

MOST_STRANGE = 5
"""Commits that may fail with what is neither the storage's nor the key's, and so does not pass by itself."""

SECOND_LOOK = 1.0
"""Seconds given after the limit for an answer that a paused process has not looked at yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A grant to be served: who keeps it, and which connector renews it."""

    tenant: str
    owner: str
    identity: str
    target: str
    connector: Connector
    store: TokenStore = field(repr=False)


@dataclass(slots=True, eq=False)
class Flight:
    """A refresh under way. ``answer`` may come before the task ends: while a commit is still retried."""

    held: Held
    since: GrantState
    until: float
    answer: asyncio.Future[StoredGrant]
    task: asyncio.Task[None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What time it is, how to wait, whom to tell. ``uptime`` also counts while the process sleeps."""

    clock: Callable[[], float]
    uptime: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    draw: Callable[[], float]
    observe: Callable[[Event], None]
    timing: Timing
    holder: str
    draining: Callable[[], bool]


async def refresh(flight: Flight, breaker: Breaker, around: Surroundings) -> StoredGrant:
    """Return a set newer than ``flight.since``, whoever brought it.

    Raises NotLinked, ReauthorizationRequired, ConnectorMisconfigured; TemporarilyUnavailable where
    that is not to be had until ``flight.until``; what the store raises.
    """
    held, timing = flight.held, around.timing
    rotation = Rotation.read(held.connector.rotation)
    shortest, longest = timing.poll
    pause = shortest
    while True:
        state = await held.store.state(held.tenant, held.identity)
        if state is None:
            raise NotLinked("no tokens are kept for this identity")
        if _other(state, flight.since):
            return await _opened(held)
        now = around.clock()
        if state.reason is not None:
            raise ReauthorizationRequired(state.reason.value)
        if not isinstance(held.connector, Refreshes) or not state.refreshable(now):
            raise ReauthorizationRequired("expired")
        free_at = rotation.free_at(state, now, timing)
        rest = breaker.wait(around.uptime())
        if rest and breaker.misconfigured:
            raise _misconfigured(held, breaker.misconfigured)
        if (wait := max(free_at - now, rest)) > 0:
            await _wait(flight, wait, around)
            continue
        since, ttl = around.uptime(), rotation.lease(timing)
        lease = None
        if not rotation.spared(state, now, timing):
            lease = await held.store.acquire(
                held.tenant,
                held.identity,
                generation=state.generation,
                holder=around.holder,
                ttl=ttl,
                now=around.clock(),
            )
        if lease is not None and not is_of(lease.ref, held.connector):
            await held.store.fail(lease, now=around.clock())
            raise ReauthorizationRequired(InactiveReason.CONNECTOR_CHANGED.value)
        if lease is None:
            await _wait(flight, pause * (0.5 + around.draw()), around)
            pause = min(2 * pause, longest)
            continue
        breaker.enter(around.uptime())
        keeper = LeaseKeeper(
            held.store,
            lease,
            ttl=ttl,
            since=since,
            clock=around.clock,
            uptime=around.uptime,
            sleep=around.sleep,
        )
        async with keeper:
            stored = await _Attempt(flight, lease, state, keeper, breaker, rotation, around).run()
        if stored is not None:
            return stored


async def _wait(flight: Flight, seconds: float, around: Surroundings) -> None:
    """Wait, in steps in which the grant is looked at again. Raises TemporarilyUnavailable."""
    if around.draining() or around.uptime() + seconds > flight.until:
        raise TemporarilyUnavailable(retry_after=max(1.0, seconds))
    await around.sleep(min(seconds, 1.0))


def _other(state: GrantState, than: GrantState) -> bool:
    return state.secret_id != than.secret_id or state.generation > than.generation


async def _opened(held: Held) -> StoredGrant:
    stored = await held.store.open(held.tenant, held.identity)
    if stored is None:
        raise NotLinked("no tokens are kept for this identity")
    return stored


def _misconfigured(held: Held, error: str) -> ConnectorMisconfigured:
    misconfigured = ConnectorMisconfigured(f"the token endpoint answered {error}", step=Step.REFRESH)
    misconfigured.connector = held.connector.connector_id
    return misconfigured


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One request under a lease, and what becomes of its answer."""

    flight: Flight
    lease: Lease
    state: GrantState
    keeper: LeaseKeeper
    breaker: Breaker
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
                await connector.prepare_refresh()
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
            return await self._keep(new)
        if failure.kind is not FailureKind.DEAD:
            await self._failed(failure)
            return None
        now_stored = await self.held.store.state(self.held.tenant, self.held.identity)
        if now_stored is None or not _other(now_stored, self.flight.since):
            await self._failed(failure)
        else:
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

    async def _within_limit(self, asking: Awaitable[TokenSet]) -> TokenSet:
        """The sender keeps its own deadline; this one is for connectors that do not go through it."""
        task = asyncio.ensure_future(asking)
        try:
            for limit in (3 * self.around.timing.request, SECOND_LOOK):
                if (await asyncio.wait([task], timeout=limit))[0]:
                    return task.result()
        finally:
            task.cancel()
        raise TransportError("the refresh did not come to an end", step=Step.REFRESH)

    async def _keep(self, new: TokenSet) -> StoredGrant:
        """Commit, for as long as it may still be done: nobody else has this refresh token."""
        held, lease, around = self.held, self.lease, self.around
        pause, longest = around.timing.commit_retry
        new, left_out = storable(new)
        if left_out:
            connector = held.connector.connector_id
            log.error("connector %s: a token answer holds what cannot be stored: %s", connector, left_out)
        give_up_at, strange = around.uptime() + around.timing.commit_patience, 0
        while True:
            try:
                state = await held.store.commit(lease, new, now=around.clock())
                break
            except Exception as error:
                self._serve_unsaved(new, error)
                strange += not isinstance(error, StorageError | KeyUnavailable)
                if strange >= MOST_STRANGE or around.uptime() >= give_up_at:
                    await self._give_up(error)
                    raise
            await around.sleep(pause * (0.5 + around.draw()))
            pause = min(2 * pause, longest)
        if state is not None:
            self._tell("token.refreshed", generation=state.generation)
            tokens = merge(lease.tokens, new, occasion=Occasion.REFRESH, now=around.clock())
            if state.generation > lease.generation + 1:
                # It met a sign-in: the state tells what both together cover.
                tokens = replace(
                    tokens,
                    requested=state.requested,
                    scopes=state.scopes,
                    scopes_stated=state.scopes_stated,
                    effective=None if state.effective == state.scopes else state.effective,
                )
            return StoredGrant(state=state, tokens=tokens)
        stored = await held.store.open(held.tenant, held.identity)
        if stored is None:
            # Unlinked meanwhile: nobody will ever use this pair.
            await self._revoke(new)
            raise NotLinked("the identity was unlinked during the refresh")
        if stored.tokens.access_token == new.access_token:
            # A commit that seemed to fail had been done.
            self._tell("token.refreshed", generation=stored.state.generation)
        return stored

    async def _give_up(self, error: Exception) -> None:
        """The pair is lost with this process; what is stored may have been used up."""
        log.error(
            "connector %s: a refreshed token could not be stored (%s); it is given up",
            self.held.connector.connector_id,
            type(error).__name__,
        )
        with suppress(Exception):
            await self.held.store.fail(self.lease, uncertain=True, now=self.around.clock())

    def _serve_unsaved(self, new: TokenSet, error: Exception) -> None:
        """Let those who wait have the token; told once."""
        answer = self.flight.answer
        if answer.done():
            return
        log.error(
            "connector %s: a refreshed token cannot be stored (%s); it is kept in memory and tried again",
            self.held.connector.connector_id,
            type(error).__name__,
        )
        self._tell("token.unsaved", error=code_of(error))
        tokens = merge(self.lease.tokens, new, occasion=Occasion.REFRESH, now=self.around.clock())
        state = replace(self.state, generation=self.lease.generation + 1, updated_at=self.around.clock())
        answer.set_result(StoredGrant(state=state.describing(tokens), tokens=tokens))

    async def _revoke(self, new: TokenSet) -> None:
        """Unless another set of the grant is kept, as after linking again: it could go with this one."""
        connector = self.held.connector
        if not isinstance(connector, Revokes) or connector.revocation == "none":
            return
        serves_elsewhere = getattr(self.held.store, "serves_elsewhere", None)
        try:
            if serves_elsewhere is not None and await serves_elsewhere(self.lease.ref):
                return
            await connector.revoke(new)
        except Exception as error:
            log.warning(
                "connector %s: a pair nobody needs could not be revoked (%s)",
                connector.connector_id,
                type(error).__name__,
            )

    async def _give_back(self) -> None:
        await self.held.store.fail(self.lease, now=self.around.clock())

    async def _failed(self, failure: RefreshFailure) -> None:
        """Write down what the failure means, tell it once, and raise where waiting does not help."""
        around, held = self.around, self.held
        self.breaker.failed(self.lease.secret_id, failure, around.uptime())
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
            self._tell("token.needs_reauthorization", reason=reason.value, error=failure.error)
            raise ReauthorizationRequired(reason.value)
        self._tell("token.refresh_failed", kind=failure.kind.value, error=failure.error)
        if failure.kind in (FailureKind.MISCONFIGURED, FailureKind.REFUSED):
            raise _misconfigured(held, failure.error)

    def _delay(self, failure: RefreshFailure) -> float:
        around = self.around
        if failure.kind in (FailureKind.MISCONFIGURED, FailureKind.REFUSED):
            return around.timing.misconfigured
        jitter = around.timing.next_attempt(self.state.failures, around.draw)
        if failure.retry_after is None:
            return jitter
        return min(failure.retry_after, around.timing.longest_retry_after) + min(jitter, 1.0)

    def _tell(self, name: str, **detail: str | int) -> None:
        held = self.held
        self.around.observe(
            Event(
                name=name,
                at=self.around.clock(),
                tenant=held.tenant,
                connector=held.connector.connector_id,
                target=held.target,
                owner=held.owner,
                detail=detail,
            )
        )


def is_of(ref: GrantRef, connector: Connector) -> bool:
    """Whether ``connector`` is the one that the grant was made to, and still the same client."""
    client = str(getattr(connector.config, "client_id", None) or "")
    return ref.connector == connector.connector_id and ref.client in ("", client)


def contained(error: Exception, held: Held) -> ConnectorError:
    """``error`` as one of ours."""
    if isinstance(error, ConnectorError):
        return error
    fault = ConnectorFault(
        f"connector {held.connector.connector_id} raised {type(error).__name__} in refresh", step=Step.REFRESH
    )
    fault.connector, fault.__cause__ = held.connector.connector_id, error
    return fault
