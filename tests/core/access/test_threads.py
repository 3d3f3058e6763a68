"""Event loops of several threads share one Access, and meet at the lease."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

from connectors_core.access.access import Access
from connectors_core.tokens import TokenSet


async def test_eight_loops_of_25_callers_send_one_request(held, keep, connector, events, world):
    world.now = time.time()
    await keep(left=-1)
    asked = []

    async def refresh(tokens, *, scopes=None):
        asked.append(tokens.refresh_token)
        await asyncio.sleep(0.05)
        return TokenSet(access_token="new", refresh_token="next", expires_at=time.time() + 3600)

    object.__setattr__(connector, "refresh", refresh)
    access = Access(observe=events.append)

    def loop_of_its_own() -> list[str]:
        async def callers() -> list[str]:
            tokens = await asyncio.gather(*(access.token(held) for _ in range(25)))
            return [token.access_token for token in tokens]

        return asyncio.run(callers())

    with ThreadPoolExecutor(8) as pool:
        served = [future.result() for future in [pool.submit(loop_of_its_own) for _ in range(8)]]
    assert served == [["new"] * 25] * 8
    assert asked == ["refresh-0"]
    assert [event.name for event in events] == ["token.refreshed"]
