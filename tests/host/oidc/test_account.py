"""``/account``: which applications reach it, and how a person stops one."""

from __future__ import annotations

import pytest

from tests.host.conftest import BOB, Browser, Running
from tests.host.oidc.conftest import App

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_an_application_is_listed_until_it_is_removed(
    shop: App, page_app: App, served: Running, alice: Browser
) -> None:
    assert "Applications with access" not in (await alice.get("/account")).text
    first = await shop.tokens(alice, scope="openid offline_access identities")
    second = await shop.tokens(alice, scope="openid email")
    kept = await page_app.tokens(alice)
    page = (await alice.get("/account")).text
    assert page.count('name="application" value="shop"') == 1
    assert "<code>email</code> <code>identities</code> <code>offline_access</code>" in page
    done = await alice.form("/account/applications", application="shop")
    assert done.headers["location"] == "/account?done=application_removed"
    page = (await alice.get("/account", query={"done": "application_removed"})).text
    assert "has no access any more" in page
    assert 'value="shop"' not in page
    for tokens in (first, second):
        assert (await shop.get("/oidc/me", tokens["access_token"])).status_code == 401
    assert (await shop.refresh(first["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await page_app.refresh(kept["refresh_token"])).status_code == 200
    facts = await served.host.trail.of_owner((await alice.user())["claims"]["sub"])
    ended = [(fact.actor, fact.outcome) for fact in facts if fact.kind == "application.ended"]
    assert [outcome for _, outcome in ended] == ["removed"]


async def test_another_person_s_is_not_found(shop: App, served: Running, alice: Browser) -> None:
    tokens = await shop.tokens(alice)
    bob = served.browser()
    served.at_the_provider_sits(BOB)
    await bob.sign_in()
    for name in ("shop", "unknown", "", "shop\0"):
        assert (await bob.form("/account/applications", application=name)).status_code == 404
    forged = await alice.post("/account/applications", form={"application": "shop", "csrf_token": "x"})
    assert forged.status_code == 403
    assert (await shop.get("/oidc/me", tokens["access_token"])).status_code == 200
