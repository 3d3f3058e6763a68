"""Every page, light and dark, wide and 360 px narrow, held to axe-core's rules."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import Site
from tests.browser.test_account import meet_again, prove
from tests.browser.test_sign_in import meet_bob, sign_in

if TYPE_CHECKING:
    from playwright.async_api import Page

Go = Callable[["Page", Site], Awaitable[None]]

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def signed_in(page: Page, site: Site) -> None:
    await sign_in(page, site)
    await page.locator("summary").click()


async def denied(page: Page, site: Site) -> None:
    await page.goto(f"{site.base}/sign-in/acme")
    await page.get_by_role("button", name="Cancel").click()
    await page.wait_for_selector(".sign")


async def sign_out_question(page: Page, site: Site) -> None:
    await sign_in(page, site)
    await page.goto(f"{site.provider.issuer}/.well-known/openid-configuration")
    await page.evaluate("address => { location = address }", f"{site.base}/sign-out")
    await page.wait_for_url(f"{site.base}/sign-out")


async def end_session(page: Page, site: Site) -> None:
    await sign_in(page, site)
    await page.goto(f"{site.base}/oidc/session/end")


async def signing_out(page: Page, site: Site) -> None:
    """The page between here and the provider, which never answers."""
    await page.route("**/sign-out/provider?*", lambda route: route.fulfill(status=204))
    await sign_in(page, site)
    await page.get_by_role("button", name="Sign out").click(no_wait_after=True)
    await page.get_by_role("heading", name="Signing you out at Acme").wait_for()


async def account(page: Page, site: Site) -> None:
    await sign_in(page, site)
    await page.goto(f"{site.base}/account")


async def account_later(page: Page, site: Site) -> None:
    await sign_in(page, site)
    site.clock.ahead += 601
    try:
        await page.goto(f"{site.base}/account/confirm")
        await page.goto(f"{site.base}/account")
    finally:
        site.clock.ahead -= 601


async def refused_delete(page: Page, site: Site) -> None:
    await sign_in(page, site)
    async with site.later(601):
        await page.goto(f"{site.base}/account/delete")


async def confirm(page: Page, site: Site) -> None:
    await sign_in(page, site)
    await page.goto(f"{site.base}/account/confirm")


async def delete(page: Page, site: Site) -> None:
    await sign_in(page, site)
    await page.goto(f"{site.base}/account/delete")


async def leaving(page: Page, site: Site) -> None:
    await page.route("**/account/continue?*", lambda route: route.fulfill(status=204))
    await account(page, site)
    button = page.get_by_role("button", name="Continue with Second Choice")
    await button.click(no_wait_after=True)
    await page.get_by_role("heading", name="On to Second Choice").wait_for()


async def before(page: Page, site: Site) -> None:
    await meet_again(page, site, "Dave Example")


async def link_question(page: Page, site: Site) -> None:
    await meet_again(page, site, "Dave Example")
    await prove(page, "Dave Example")


def at(path: str) -> Go:
    async def go(page: Page, site: Site) -> None:
        await page.goto(site.base + path)

    return go


PAGES = {
    "sign-in": at("/sign-in"),
    "sign-up": at("/sign-up"),
    "signed-in": signed_in,
    "denied": denied,
    "not found": at("/nothing-here"),
    "unavailable": at("/sign-in/down"),
    "switch": meet_bob,
    "account": account,
    "account, later": account_later,
    "delete refused": refused_delete,
    "confirm": confirm,
    "delete": delete,
    "leaving": leaving,
    "been here before": before,
    "link question": link_question,
    "sign-out": sign_out_question,
    "sign-out of an application": end_session,
    "signing out": signing_out,
    "signed-out": at("/signed-out"),
}


@pytest.mark.parametrize("go", PAGES.values(), ids=PAGES.keys())
async def test_axe_finds_nothing(
    page: Page, site: Site, axe_script: str, go: Callable[..., Awaitable[None]]
) -> None:
    await go(page, site)
    await hold_to_the_rules(page, axe_script)


async def hold_to_the_rules(page: Page, axe_script: str) -> None:
    """Fail where axe-core finds something, or the page is wider than its window."""
    cdp = await page.context.new_cdp_session(page)
    await cdp.send("Page.setBypassCSP", {"enabled": True})
    for scheme in ("light", "dark"):
        for width in (1200, 360):
            await page.set_viewport_size({"width": width, "height": 800})
            await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            await page.evaluate(axe_script)
            found = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
            told = [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found["violations"]]
            assert told == [], (scheme, width)
            overflow = await page.evaluate("document.documentElement.scrollWidth > innerWidth")
            assert not overflow, (scheme, width)


async def test_the_logo_follows_the_colour_scheme(page: Page, site: Site) -> None:
    await page.emulate_media(color_scheme="light")
    await page.goto(f"{site.base}/sign-in")
    logo = page.locator(".provider img").first
    assert (await logo.evaluate("e => e.currentSrc")).endswith("/logo/acme")
    assert await logo.evaluate("e => e.naturalWidth") > 0
    await page.emulate_media(color_scheme="dark")
    while not (await logo.evaluate("e => e.currentSrc")).endswith("/logo/acme?dark"):
        await page.evaluate("new Promise(requestAnimationFrame)")


@pytest.mark.parametrize(("locale", "language"), [("ja-JP", "ja"), ("fr-FR", "en")])
async def test_the_page_is_marked_with_its_language(
    chromium: object, site: Site, locale: str, language: str
) -> None:
    context = await chromium.new_context(locale=locale)  # type: ignore[attr-defined]
    page = await context.new_page()
    await page.goto(f"{site.base}/sign-in")
    assert await page.locator("html").get_attribute("lang") == language
    await context.close()
