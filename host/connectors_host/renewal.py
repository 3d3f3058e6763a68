"""Tokens that are renewed before anybody asks for them, while the host runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from connectors_core.hub import Hub


@asynccontextmanager
async def renewing_ahead(hub: Hub, used_within: float | None) -> AsyncIterator[None]:
    """Renew grants that were used within that many seconds, as long as the block runs; None: do not.

    A refresh that is under way at the end is finished by whoever drains the hub. Raises StorageError where
    the hub keeps no tokens that could be looked through.
    """
    if used_within is None:
        yield
        return
    task = asyncio.create_task(hub.refresher(used_within=used_within).run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
