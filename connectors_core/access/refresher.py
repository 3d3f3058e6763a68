"""Renewing ahead: so that nobody waits for a grant that is used regularly. Optional."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, runtime_checkable

from ..errors import ConnectorError
from ..grants import GrantState
from .access import Access
from .held import Held
from .rotation import FOREIGN

log = logging.getLogger("connectors_core.access")

DAY = 86400.0
MOST = 100
MOST_OF_A_ROUND = 64 * MOST
"""Grants that a round looks at, at most."""


@runtime_checkable
class FindsDue(Protocol):
    """A token store that can tell which grants are due."""

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
        """Active grants with a refresh token whose access token ends before ``before``, soonest first.

        Only those used since ``used_since``, whose ``retry_at`` has come, and that nobody holds. A wait
        or a lease that ends later than ``longest_wait`` or ``longest_lease`` seconds from now was written
        by a clock that is wrong, and counts for none.
        """


class Refresher:
    """Renews what is due and was used within ``used_within`` seconds, ``at_once`` at a time.

    Several processes may run one each: they meet at the lease like all callers. ``held_of`` says
    by which connector a grant is renewed, None where there is none any more.
    """

    def __init__(
        self,
        access: Access,
        store: FindsDue,
        held_of: Callable[[GrantState], Awaitable[Held | None]],
        *,
        clock: Callable[[], float],
        used_within: float = 7 * DAY,
        every: float = 30.0,
        at_once: float = 4,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._access, self._store, self._held_of = access, store, held_of
        self._clock, self._used_within, self._every = clock, used_within, every
        self._at_once, self._sleep = int(at_once), sleep

    async def run(self) -> None:
        """Look for what is due until cancelled."""
        while True:
            try:
                await self.round()
            except ConnectorError as error:
                log.warning("the refresher waits: %s", error.code)
            await self._sleep(self._every)

    async def round(self) -> int:
        """Renew what is due now; return how many sets came of it."""
        seen: set[tuple[str, str]] = set()
        timing, renewed, most = self._access.timing, 0, MOST
        while True:
            now = self._clock()
            due = await self._store.due(
                before=now + timing.earliest * 1.2,
                used_since=now - self._used_within,
                now=now,
                longest_wait=timing.longest_wait,
                longest_lease=timing.lease + FOREIGN,
                most=most,
            )
            new = [state for state in due if (state.ref.tenant, state.ref.identity) not in seen]
            seen.update((state.ref.tenant, state.ref.identity) for state in new)
            came, left_out = await self._renew_all(new)
            renewed += came
            if not left_out or len(due) < most or most >= MOST_OF_A_ROUND:
                return renewed
            # Those of a connector that cannot be asked stay the soonest: look behind them.
            most *= 2

    async def _renew_all(self, due: Sequence[GrantState]) -> tuple[int, int]:
        """How many were renewed, and how many left out because their connector cannot be asked now."""
        waiting = list(reversed(due))
        renewed = left_out = 0

        async def worker() -> None:
            nonlocal renewed, left_out
            while waiting:
                came = await self._renew(waiting.pop())
                renewed += came is True
                left_out += came is None

        await asyncio.gather(*(worker() for _ in range(self._at_once)))
        return renewed, left_out

    async def _renew(self, state: GrantState) -> bool | None:
        """Whether a set came of it; None where it is left out. The refresh itself tells what fails."""
        try:
            held = await self._held_of(state)
            if held is not None and self._access.rests(held):
                return None
            return held is not None and await self._access.renew(held)
        except ConnectorError:
            return False
