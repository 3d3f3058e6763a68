"""Signing in with a real browser, host and provider on different sites."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import Site

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def sign_in(page: Page, site: Site, *, button: str = "Acme", person: str = "Alice Example") -> None:
    await page.goto(f"{site.base}/sign-in")
    await page.get_by_role("link", name=f"Continue with {button}").click()
    await allow(page, person)
    await page.wait_for_url(f"{site.base}/")


async def allow(page: Page, person: str = "Alice Example") -> None:
    choice = page.get_by_role("radio", name=person)
    if await choice.count():
        await choice.check()
    await page.get_by_role("button", name="Allow").click()


async def heading(page: Page) -> str:
    return await page.locator("h1").inner_text()


@pytest.mark.parametrize("button", ["Acme", "Form Poster"])
async def test_a_person_signs_in_across_sites(page: Page, site: Site, button: str) -> None:
    """By GET, and by form_post, whose cross-site POST carries no cookie."""
    await sign_in(page, site, button=button)
    assert await heading(page) == "You are signed in"
    assert await page.get_by_text("Alice Example").is_visible()
    user = await (await page.request.get(f"{site.base}/user")).json()
    assert user["claims"]["email"] == "alice@example.test"


async def test_scripts_read_no_cookie(page: Page, site: Site) -> None:
    await sign_in(page, site)
    assert await page.evaluate("document.cookie") == ""


async def test_signing_in_needs_no_mouse(page: Page, site: Site) -> None:
    await page.goto(f"{site.base}/sign-in")
    await page.keyboard.press("Tab")
    focused = page.locator(":focus")
    assert await focused.inner_text() == "Continue with Acme"
    assert await focused.evaluate("e => getComputedStyle(e).outlineStyle") == "solid"
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"{site.provider.issuer}/**")
    button = page.get_by_role("button", name="Allow")
    for _ in range(10):
        await page.keyboard.press("Tab")
        if await button.evaluate("e => e === document.activeElement"):
            break
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"{site.base}/")
    await page.keyboard.press("Tab")
    assert await page.locator(":focus").inner_text() == "Your account"
    await page.keyboard.press("Tab")
    assert await page.locator(":focus").inner_text() == "Sign out"


async def test_return_to_is_where_the_person_ends_up(page: Page, site: Site) -> None:
    await page.goto(f"{site.base}/sign-in?return_to=/sign-in%3Ffrom%3Dhere")
    await page.get_by_role("link", name="Continue with Acme").click()
    await allow(page)
    await page.wait_for_url(f"{site.base}/sign-in?from=here")


async def test_two_tabs_both_sign_in(page: Page, site: Site) -> None:
    other = await page.context.new_page()
    for tab in (page, other):
        await tab.goto(f"{site.base}/sign-in/acme")
    await allow(other)
    await other.wait_for_url(f"{site.base}/")
    await allow(page)
    await page.wait_for_url(f"{site.base}/")
    assert await heading(page) == "You are signed in"


async def test_going_back_after_signing_in_does_no_harm(page: Page, site: Site) -> None:
    await sign_in(page, site)
    for _ in range(4):
        await page.go_back()
        if page.url == f"{site.base}/sign-in":
            break
    assert await heading(page) == "You are signed in", "the page of before was shown from a cache"
    await page.go_forward()
    await page.goto(f"{site.base}/")
    assert await heading(page) == "You are signed in"


async def test_a_callback_opened_again_says_so_and_leads_on(page: Page, site: Site) -> None:
    seen: list[str] = []
    page.on("request", lambda request: seen.append(request.url))
    await sign_in(page, site)
    (callback,) = [url for url in seen if "/callback/acme" in url]
    answer = await page.goto(callback)
    assert answer is not None
    assert answer.status == 400
    assert await heading(page) == "This sign-in is already done"
    await page.get_by_role("link", name="Continue").click()
    assert await heading(page) == "You are signed in"


async def test_a_sign_in_that_takes_too_long_can_be_started_again(page: Page, site: Site) -> None:
    await page.goto(f"{site.base}/sign-in/acme")
    async with site.later(601):
        await allow(page)
        await page.wait_for_url(re.compile("/callback/acme"))
        assert await heading(page) == "That took too long"
        await page.get_by_role("link", name="Start again").click()
        assert await heading(page) == "Sign in"


async def test_denied_consent_is_an_error_page_that_leads_back(page: Page, site: Site) -> None:
    await page.goto(f"{site.base}/sign-in/acme")
    await page.get_by_role("button", name="Cancel").click()
    await page.wait_for_url(re.compile("/callback/acme"))
    assert await heading(page) == "Sign-in was cancelled"
    await page.get_by_role("link", name="Start again").click()
    await page.wait_for_url(f"{site.base}/sign-in")


async def test_a_provider_that_is_down_is_named(page: Page, site: Site) -> None:
    answer = await page.goto(f"{site.base}/sign-in/down")
    assert answer is not None
    assert answer.status == 503
    assert await heading(page) == "Downtime Industries International cannot be reached"


async def meet_bob(page: Page, site: Site) -> None:
    """Signed in as Alice, come back from the provider as Bob."""
    await sign_in(page, site)
    await page.context.clear_cookies(domain="localhost")
    await page.goto(f"{site.base}/sign-in/acme")
    await allow(page, "Bob Example")
    await page.wait_for_selector("form.choice")


@pytest.mark.parametrize(
    ("button", "name"),
    [("Stay signed in as", "Alice Example"), ("Sign out and continue as", "Bob Example")],
)
async def test_a_signed_in_person_who_meets_another_account_is_asked(
    page: Page, site: Site, button: str, name: str
) -> None:
    await meet_bob(page, site)
    assert await heading(page) == "Which account do you want to use?"
    await page.get_by_role("button", name=button).click()
    await page.wait_for_url(f"{site.base}/")
    assert await page.locator(".person .name").inner_text() == name


async def test_signing_out_ends_both_sessions_and_comes_back(page: Page, site: Site) -> None:
    await sign_in(page, site)
    before = site.provider.requests.count("end_session")
    await page.get_by_role("button", name="Sign out").click()
    await page.wait_for_url(f"{site.base}/signed-out")
    assert await heading(page) == "You are signed out"
    assert site.provider.requests.count("end_session") == before + 1
    user = await (await page.request.get(f"{site.base}/user")).json()
    assert user == {"isAuthenticated": False}


async def test_a_link_from_another_site_only_asks_to_sign_out(page: Page, site: Site) -> None:
    await sign_in(page, site)
    await page.goto(f"{site.provider.issuer}/.well-known/openid-configuration")
    await page.evaluate("address => { location = address }", f"{site.base}/sign-out")
    await page.wait_for_url(f"{site.base}/sign-out")
    assert await heading(page) == "Sign out?"
    await page.get_by_role("link", name="Stay signed in").click()
    assert await heading(page) == "You are signed in"


async def test_a_form_of_another_site_signs_nobody_out(page: Page, site: Site) -> None:
    await sign_in(page, site)
    await page.goto(f"{site.provider.issuer}/.well-known/openid-configuration")
    await page.evaluate(
        """address => {
            const form = document.createElement("form");
            form.method = "post";
            form.action = address;
            document.body.append(form);
            form.submit();
        }""",
        f"{site.base}/sign-out",
    )
    await page.wait_for_url(f"{site.base}/sign-out")
    assert await heading(page) == "This request was not accepted"
    await page.goto(f"{site.base}/")
    assert await heading(page) == "You are signed in"
