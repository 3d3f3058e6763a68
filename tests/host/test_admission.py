"""Somebody signs in while the way in that they use is taken away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from connectors_host.hookspecs import Action, SignIn, hookimpl
from connectors_host.linking import unlink
from connectors_host.personal_data import delete_account

from tests.host.conftest import BOB, Browser, Running, Start
from tests.host.test_linking import identities, owner, signed_up

SESSION = "__Host-connectors-session"
Meanwhile = Callable[[Running, str], Awaitable[None]]


class Meddler:
    """Holds a sign-in until ``meanwhile`` is done."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.meanwhile: Callable[[], Any] | None = None

    @hookimpl
    def admit_sign_in(self, event: SignIn) -> None:
        if self.meanwhile is not None and event.action is Action.SIGN_IN:
            asyncio.run_coroutine_threadsafe(self.meanwhile(), self.loop).result(10)


async def unlinking(running: Running, account: str) -> None:
    """Take ``posting`` from the account, which keeps ``acme``."""
    for identity in await running.host.hub.identities(account):
        if identity.connector == "posting":
            assert await unlink(running.host, identity)


async def deleting(running: Running, account: str) -> None:
    await delete_account(running.host, account)


async def with_two(running: Running) -> tuple[Browser, str]:
    browser = await signed_up(running)
    running.at_the_provider_sits(BOB)
    await browser.link("posting")
    return browser, await owner(browser)


async def rows(running: Running, account: str) -> tuple[int, int, int]:
    """Accounts, sessions and identities of that person."""
    host = running.host
    found = await host.accounts.find(account)
    return (
        int(found is not None),
        len(await host.sessions.of_owner(account)),
        len(await host.hub.identities(account)),
    )


@pytest.mark.parametrize(
    ("meanwhile", "left"),
    [(unlinking, (1, 1, 1)), (deleting, (0, 0, 0))],
    ids=["unlinked", "deleted"],
)
async def test_a_way_in_that_is_taken_while_a_plugin_thinks_lets_nobody_in(
    start: Start, meanwhile: Meanwhile, left: tuple[int, int, int]
) -> None:
    meddler = Meddler()
    running = await start(plugins=[meddler], posting='sync_profile = "sign_in"')
    _, account = await with_two(running)
    meddler.meanwhile = lambda: meanwhile(running, account)
    browser = running.browser()
    page = await browser.sign_in("posting")
    assert (page.status_code, "transaction_expired" in page.text) == (400, True)
    assert SESSION not in browser.cookies
    assert await rows(running, account) == left


@pytest.mark.parametrize(
    ("meanwhile", "left"),
    [(unlinking, (1, 1, 1)), (deleting, (0, 0, 0))],
    ids=["unlinked", "deleted"],
)
async def test_a_way_in_that_is_taken_just_before_the_session_begins_lets_nobody_in(
    running: Running, monkeypatch: pytest.MonkeyPatch, meanwhile: Meanwhile, left: tuple[int, int, int]
) -> None:
    _, account = await with_two(running)
    begin = running.host.sessions.start

    async def late(*given: Any, **options: Any) -> Any:
        await meanwhile(running, account)
        return await begin(*given, **options)

    monkeypatch.setattr(running.host.sessions, "start", late)
    browser = running.browser()
    page = await browser.sign_in("posting")
    assert (page.status_code, "transaction_expired" in page.text) == (400, True)
    assert SESSION not in browser.cookies
    assert await rows(running, account) == left


async def test_a_way_in_that_went_to_somebody_else_meanwhile_lets_in_as_nobody(start: Start) -> None:
    meddler = Meddler()
    running = await start(plugins=[meddler])
    _, account = await with_two(running)
    other = running.browser()

    async def moved() -> None:
        meddler.meanwhile = None
        await unlinking(running, account)
        await other.sign_in("posting")

    meddler.meanwhile = moved
    browser = running.browser()
    assert (await browser.sign_in("posting")).status_code == 400
    assert SESSION not in browser.cookies
    assert await rows(running, account) == (1, 1, 1)
    assert await identities(running, other) == ["posting"]
    assert await owner(other) != account
