"""Grants on PostgreSQL, with two hosts on one database."""

from __future__ import annotations

import asyncio

from tests.canary import Canary
from tests.host.conftest import Start
from tests.host.oidc.conftest import APPS, app_of


async def test_a_grant_goes_all_the_way_over_two_hosts(start: Start, canary: Canary, postgresql: str) -> None:
    more = APPS.format(secret=canary.secret("app-secret"))
    one, two = await start(database=postgresql, more=more), await start(database=postgresql, more=more)
    shop = app_of(one, canary, "shop")
    there = app_of(two, canary, "shop")
    browser = one.browser()
    await browser.sign_in()
    code = await shop.code(browser)
    tokens = (await there.redeem(code)).json()
    assert (await shop.claims(tokens["id_token"]))["nonce"] == "the-nonce-of-this-test"
    assert (await shop.get("/oidc/me", tokens["access_token"])).status_code == 200
    answers = await asyncio.gather(*(app.refresh(tokens["refresh_token"]) for app in (shop, there) * 3))
    (successor,) = {answer.json()["refresh_token"] for answer in answers}
    assert (await there.refresh(successor)).status_code == 200
    assert (await shop.redeem(code)).json()["error"] == "invalid_grant"
    assert (await there.get("/oidc/me", tokens["access_token"])).status_code == 401
    code = await shop.code(browser)
    for answer in await asyncio.gather(*(app.redeem(code) for app in (shop, there) * 3)):
        if answer.status_code == 200:
            assert (await there.get("/oidc/me", answer.json()["access_token"])).status_code == 401
    rows = await one.host.hub.database.fetch("SELECT code_used_at FROM host_grants")
    assert rows == []
    again = await shop.tokens(browser)
    await one.host.sessions.end_all((await browser.user())["claims"]["sub"])
    assert (await there.refresh(again["refresh_token"])).json()["error"] == "invalid_grant"
