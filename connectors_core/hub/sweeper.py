"""The removal of what has expired, off the path of those who wait."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ..errors import StorageError
from ..stores import HandleStore, TransactionStore

if TYPE_CHECKING:
    import asyncio

SWEEP_EVERY = 60.0
"""Seconds between two removals of expired transactions and handles."""
SWEEP_GRACE = 3600.0
"""Seconds an expired transaction stays known, so that a late callback is told it came late."""
SWEEP_MOST = 1000
"""Rows that one statement removes; a removal goes on until nothing expired is left."""

log = logging.getLogger("connectors_core.hub")


class Sweeper:
    """Removes expired rows in a task of its own, one at a time."""

    def __init__(self) -> None:
        self._swept_at: float | None = None
        self._task: asyncio.Task[None] | None = None

    def due(self, transactions: TransactionStore, handles: HandleStore, *, now: float) -> None:
        """Begin a removal unless one is under way or was begun within the last minute."""
        import asyncio

        early = self._swept_at is not None and 0 <= now - self._swept_at < SWEEP_EVERY
        if early or (self._task is not None and not self._task.done()):
            return
        self._swept_at = now
        self._task = asyncio.create_task(_sweep(transactions, handles, now))

    async def settled(self) -> None:
        """Wait until no removal is under way."""
        if self._task is not None:
            await self._task


async def _sweep(transactions: TransactionStore, handles: HandleStore, now: float) -> None:
    try:
        while await transactions.sweep(now=now - SWEEP_GRACE, most=SWEEP_MOST) >= SWEEP_MOST:
            pass
        while await handles.sweep(now=now, most=SWEEP_MOST) >= SWEEP_MOST:
            pass
    except StorageError as error:
        log.warning("expired rows could not be removed: %s", error)
