"""What a call gets: what is stored where it serves, else what a refresh brings."""

from __future__ import annotations

import asyncio
import os
import random
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from math import isnan

from ..connector import Connector, Refreshes
from ..errors import (
    ConnectorMisconfigured,
    ReauthorizationRequired,
    ScopeRequired,
    StorageError,
    TemporarilyUnavailable,
    TokenLivesTooShort,
    VaultError,
)
from ..events import Event
from ..grants import TOUCH_EVERY, GrantState, InactiveReason, StoredGrant
from .flight import Surroundings
from .flights import Flights, Place
from .freshness import Freshness, freshness, skew
from .held import Held, is_of, opened_of
from .rotation import Rotation
from .timing import Timing, uptime
from .token import AccessToken

ROUNDS = 5
"""Answers a call looks at before it gives up: each was out of date when it came."""

MOST_TOO_SHORT = 4096
"""Grants of which is remembered that their tokens live shorter than somebody asked for."""

YOUNG = 30.0
"""Seconds after a refresh in which an API's refusal does not bring about another."""

BRIEFLY = 1.0
"""Seconds that a call with a living token waits for another at least; else half of what it can spare."""

PASSING = (TemporarilyUnavailable, ConnectorMisconfigured, StorageError, VaultError)
"""Failures that say nothing of the grant: a token that still lives is served."""


class Access:
    """Fresh access tokens for all tenants of a process.

    At most one refresh of a grant is under way in each event loop; between loops, processes and
    hosts the lease of the store decides. Belongs to no loop and may be used from several. The last
    four arguments replace time and chance in tests; ``uptime`` must also count while the process
    is stopped.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        observe: Callable[[Event], None],
        timing: Timing | None = None,
        uptime: Callable[[], float] = uptime,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self.timing = timing or Timing()
        self._notes: dict[Place, asyncio.Task[None]] = {}
        self._too_short: dict[tuple[str, str], float] = {}
        self._around = Surroundings(
            clock=clock,
            uptime=uptime,
            sleep=sleep,
            draw=draw,
            observe=observe,
            timing=self.timing,
            holder=f"{os.getpid()}-{uuid.uuid4().hex[:12]}",
            draining=lambda: self._flights.draining,
        )
        self._flights = Flights(self._around)

    async def token(
        self,
        held: Held,
        opened: StoredGrant | None = None,
        *,
        scopes: Iterable[str] = (),
        min_ttl: float = 0.0,
        newer_than: int | None = None,
    ) -> AccessToken:
        """Return a token with ``scopes`` and at least ``min_ttl`` seconds to live.

        ``opened`` is what the caller has just read of ``held``; else it is read here.
        ``newer_than`` is the generation of a token that an API refused although it should live.
        A caller that is cancelled stops waiting; the refresh goes on.

        Raises NotLinked; ScopeRequired where the grant lacks scopes; ReauthorizationRequired where
        only the person can help; TemporarilyUnavailable after ``timing.patience`` seconds;
        TokenLivesTooShort; ConnectorMisconfigured; StorageError, VaultError.
        """
        if isnan(min_ttl):
            raise ValueError("min_ttl is not a number")
        stored, needed = opened or await opened_of(held), frozenset(scopes)

        def judge() -> Freshness:
            effective = stored.state.effective
            return freshness(
                stored.state,
                now=self._around.clock(),
                min_ttl=min_ttl,
                covered=not needed or not held.connector.missing_scopes(needed, effective),
                timing=self.timing,
                newer_than=newer_than,
            )

        give_up_at = 0.0
        for round_ in range(ROUNDS):
            _check(held.connector, stored.state, needed)
            judged = judge()
            if judged is Freshness.FRESH:
                return self._serve(held, stored)
            if round_:
                # It was renewed for this call: what is wrong with it, another answer would not cure.
                self._check_renewed(held, stored.state, needed, min_ttl)
                if judged is not Freshness.UNFIT and judged is not Freshness.SPENT:
                    return self._serve(held, stored)
            if judged is Freshness.SPENT:
                raise ReauthorizationRequired("expired")
            self._check_lifetime(held, stored.state, min_ttl)
            give_up_at = give_up_at or self._around.uptime() + self.timing.patience
            try:
                flight = self._flights.join(held, stored.state, give_up_at)
                if judged is Freshness.STALE or (
                    judged is Freshness.DUE and self._held_back(held, stored.state)
                ):
                    return self._serve(held, stored)
                if judged is Freshness.DUE and stored.state.expires_at is not None:
                    spare = stored.state.expires_at - self._around.clock() - min_ttl
                    came = await self._flights.comes(flight, within=max(BRIEFLY, spare / 2))
                    if not came and judge() is not Freshness.UNFIT:
                        return self._serve(held, stored)
                renewed = await self._flights.answer(flight, give_up_at)
            except PASSING:
                if judge() is Freshness.UNFIT:
                    raise
                return self._serve(held, stored)
            stored = renewed
        raise TemporarilyUnavailable(retry_after=1.0)

    async def renewed(
        self, held: Held, refused: AccessToken, *, scopes: Iterable[str] = (), min_ttl: float = 0.0
    ) -> AccessToken:
        """Return the token to try after an API refused ``refused``: the stored one where that is newer.

        ``refused`` itself where another would not help: nothing can renew it, or it was renewed
        moments ago. Raises as ``token``.
        """
        state = await held.store.state(held.tenant, held.identity)
        now = self._around.clock()
        if state is not None and state.reason is None and state.generation == refused.generation:
            young = now - state.updated_at < YOUNG
            if young or not state.refreshable(now) or not isinstance(held.connector, Refreshes):
                return refused
        return await self.token(held, scopes=scopes, min_ttl=min_ttl, newer_than=refused.generation)

    async def renew(self, held: Held) -> bool:
        """Renew a grant that is due and wait for it: for the refresher. False where nothing was done."""
        state = await held.store.state(held.tenant, held.identity)
        if state is None or state.reason is not None or not is_of(state.ref, held.connector):
            return False
        judged = freshness(state, now=self._around.clock(), min_ttl=0.0, timing=self.timing)
        if judged in (Freshness.FRESH, Freshness.SPENT):
            return False
        give_up_at = self._around.uptime() + self.timing.patience
        await self._flights.answer(self._flights.join(held, state, give_up_at), give_up_at)
        return True

    def rests(self, held: Held) -> bool:
        """Tell whether the connector is not to be asked for anybody at the moment, after failures."""
        return self._flights.breaker_of(held).wait(self._around.uptime()) > 0

    async def drain(self, timeout: float | None = None) -> bool:
        """Begin no refresh any more and wait for those of this loop; those that only wait give up.

        After ``timeout`` seconds the rest is cancelled: False then.
        """
        loop = asyncio.get_running_loop()
        notes = [task for (where, _, _), task in list(self._notes.items()) if where is loop]
        tasks = [*self._flights.last(), *notes]
        if not tasks:
            return True
        _, left = await asyncio.wait(tasks, timeout=timeout)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)
        return not left

    def _serve(self, held: Held, stored: StoredGrant) -> AccessToken:
        state, tokens = stored.state, stored.tokens
        now = self._around.clock()
        if state.used_at is None or state.used_at <= now - TOUCH_EVERY:
            self._note_use(held, now)
        return AccessToken(
            access_token=tokens.access_token,
            token_type=tokens.token_type,
            scopes=tokens.effective_scopes,
            scopes_stated=tokens.scopes_stated,
            expires_at=tokens.expires_at,
            identity=held.identity,
            connector=held.connector.connector_id,
            target=held.target,
            generation=state.generation,
            extra=tokens.extra,
        )

    def _note_use(self, held: Held, now: float) -> None:
        """Beside the call, which is not to wait for a write that changes nothing for it."""
        loop = asyncio.get_running_loop()
        key = (loop, held.tenant, held.identity)
        if key in self._notes:
            return

        async def note() -> None:
            with suppress(StorageError):
                await held.store.touch(held.tenant, held.identity, now=now)

        task = self._notes[key] = loop.create_task(note())
        task.add_done_callback(lambda _: self._notes.pop(key, None))

    def _held_back(self, held: Held, state: GrantState) -> bool:
        now = self._around.clock()
        return Rotation.read(held.connector.rotation).free_at(state, now, self.timing) > now

    def _check_renewed(self, held: Held, state: GrantState, needed: frozenset[str], min_ttl: float) -> None:
        """Raise where a set that just came does not give what this call needs, though it lives."""
        now = self._around.clock()
        if state.expires_at is not None and state.expires_at <= now:
            return
        if needed and (missing := held.connector.missing_scopes(needed, state.effective)):
            raise ScopeRequired(missing=missing, granted=state.effective)
        if state.expires_at is not None and state.expires_at - now < min_ttl:
            grant = (held.tenant, held.identity)
            self._too_short.pop(grant, None)
            while len(self._too_short) >= MOST_TOO_SHORT:
                del self._too_short[next(iter(self._too_short))]
            self._too_short[grant] = lifetime = state.expires_at - state.updated_at
            raise TokenLivesTooShort(lifetime=lifetime)

    def _check_lifetime(self, held: Held, state: GrantState, min_ttl: float) -> None:
        """Do not ask the provider at every call for what its last answer for this grant did not give."""
        lifetime = self._too_short.get((held.tenant, held.identity))
        if lifetime is None or state.expires_at is None or lifetime >= min_ttl:
            return
        if skew(state, self.timing) < state.expires_at - self._around.clock() < min_ttl:
            raise TokenLivesTooShort(lifetime=lifetime)


def _check(connector: Connector, state: GrantState, needed: frozenset[str]) -> None:
    if state.reason is not None:
        raise ReauthorizationRequired(state.reason.value)
    if not is_of(state.ref, connector):
        raise ReauthorizationRequired(InactiveReason.CONNECTOR_CHANGED.value)
    if needed and (missing := connector.missing_scopes(needed, state.scopes)):
        raise ScopeRequired(missing=missing, granted=state.scopes)
