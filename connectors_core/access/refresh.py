"""One refresh for all who wait: lease for liveness, generation for safety, no transaction across HTTP."""

from __future__ import annotations

from ..connector import Refreshes
from ..errors import NotLinked, ReauthorizationRequired, TemporarilyUnavailable
from ..grants import GrantState, InactiveReason, StoredGrant
from .attempt import Attempt
from .breaker import Breaker
from .flight import Flight, Surroundings, is_other, misconfigured_by
from .held import is_of, opened_of
from .lease_keeper import LeaseKeeper
from .rotation import Rotation


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
        if is_other(state, flight.since):
            breaker.heard_of_success()
            return await opened_of(held)
        now = around.clock()
        if state.reason is not None:
            raise ReauthorizationRequired(state.reason.value)
        if not isinstance(held.connector, Refreshes) or not state.refreshable(now):
            raise ReauthorizationRequired("expired")
        free_at = rotation.free_at(state, now, timing)
        rest = breaker.wait(around.uptime())
        if rest and breaker.misconfigured:
            raise misconfigured_by(breaker.misconfigured, breaker.message, held)
        if (wait := max(free_at - now, rest)) > 0:
            await _wait(flight, wait, around)
            continue
        if not rotation.spared(state, now, timing):
            entered = breaker.enter(around.uptime())
            try:
                leased, stored = await _attempt(flight, state, breaker, entered, rotation, around)
            finally:
                breaker.left(entered, around.uptime())
            if stored is not None:
                return stored
            if leased:
                continue
        await _wait(flight, pause * (0.5 + around.draw()), around)
        pause = min(2 * pause, longest)


async def _attempt(
    flight: Flight,
    state: GrantState,
    breaker: Breaker,
    entered: int,
    rotation: Rotation,
    around: Surroundings,
) -> tuple[bool, StoredGrant | None]:
    """Whether the grant could be leased, and the set that came of it."""
    held = flight.held
    since, ttl = around.uptime(), rotation.lease(around.timing)
    lease = await held.store.acquire(
        held.tenant,
        held.identity,
        generation=state.generation,
        failures=state.failures,
        holder=around.holder,
        ttl=ttl,
        now=around.clock(),
    )
    if lease is None:
        return False, None
    if not is_of(lease.ref, held.connector):
        await held.store.fail(lease, now=around.clock())
        raise ReauthorizationRequired(InactiveReason.CONNECTOR_CHANGED.value)
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
        attempt = Attempt(flight, lease, state, keeper, breaker, entered, rotation, around)
        return True, await attempt.run()


async def _wait(flight: Flight, seconds: float, around: Surroundings) -> None:
    """Wait, in steps in which the grant is looked at again. Raises TemporarilyUnavailable."""
    if around.draining() or around.uptime() + seconds > flight.until:
        raise TemporarilyUnavailable(retry_after=max(1.0, seconds))
    await around.sleep(min(seconds, 1.0))
