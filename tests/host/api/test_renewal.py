"""With ``renew_ahead`` a token that is due is renewed though nobody asks for it."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from connectors_host import renewal

from connectors_core.access.refresher import Refresher
from tests.host.api.conftest import Open, Page


async def test_what_is_due_and_used_is_renewed_until_the_host_ends(
    start_api: Open, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    rounds, go_on = asyncio.Queue[int](), asyncio.Event()
    of_library = Refresher.round

    async def watched(self: Refresher) -> int:
        await go_on.wait()
        renewed = await of_library(self)
        go_on.clear()
        rounds.put_nowait(renewed)
        return renewed

    monkeypatch.setattr(Refresher, "round", watched)
    running = await start_api(host='renew_ahead = "7d"')
    (task,) = [each for each in asyncio.all_tasks() if "Refresher.run" in repr(each.get_coro())]
    page = await Page.signed_in(running)
    path = "/my-account/identities/acme/access-token"
    first = (await page.fetch("GET", path)).json()["access_token"]
    running.clock.now += 3590
    asked = running.provider.requests.count("token")
    go_on.set()
    async with asyncio.timeout(10):
        assert await rounds.get() == 1
    assert running.provider.requests.count("token") == asked + 1
    assert (await page.fetch("GET", path)).json()["access_token"] != first
    assert running.provider.requests.count("token") == asked + 1
    assert not task.done()
    assert not caplog.records


async def test_it_ends_with_its_block(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[str] = []

    class Endless:
        async def run(self) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("run")

    class Keeping:
        def refresher(self, *, used_within: float) -> Any:
            assert used_within == 60.0
            return Endless()

    hub: Any = Keeping()
    async with renewal.renewing_ahead(hub, 60.0):
        await asyncio.sleep(0)
    assert ended == ["run"]
    async with renewal.renewing_ahead(hub, None):
        pass
    assert ended == ["run"]
