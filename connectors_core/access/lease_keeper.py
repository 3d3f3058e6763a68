"""Holding on to a lease while its holder works."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from ..grants import Lease, TokenStore


class LeaseKeeper:
    """Renews ``lease`` every third of ``ttl`` seconds for as long as the block runs.

    So a crash is noticed after ``ttl``, while an exchange or a commit that takes longer than that
    keeps others away. ``since`` is when the lease was asked for, by ``uptime``.
    """

    def __init__(
        self,
        store: TokenStore,
        lease: Lease,
        *,
        ttl: float,
        since: float,
        clock: Callable[[], float],
        uptime: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._store, self._lease, self._ttl, self._since = store, lease, ttl, since
        self._clock, self._uptime, self._sleep = clock, uptime, sleep
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.get_running_loop().create_task(self._renew_for_ever())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait([self._task])

    async def surely_held(self) -> bool:
        """Tell whether the lease was held a moment ago; renews it where that was longer ago.

        To be asked right before the request: a process that was paused may wake up with a lease
        that somebody else has. One that was taken over is renewed in any case, which fails where its
        former holder has stored an answer since. What remains is a pause between this answer and the
        request.
        """
        sure = not self._lease.uncertain
        for _ in range(3):
            if sure and self._uptime() - self._since <= self._ttl / 3:
                return True
            if not await self._renew():
                return False
            sure = True
        return False

    async def _renew(self) -> bool:
        since = self._uptime()
        held = await self._store.renew(self._lease, ttl=self._ttl, now=self._clock())
        if held:
            self._since = since
        return held

    async def _renew_for_ever(self) -> None:
        while True:
            await self._sleep(self._ttl / 3)
            # Where the store cannot be reached nobody else can take the lease there either.
            with suppress(Exception):
                if not await self._renew():
                    return
