"""A person's account with a real browser: linking with proof, unlinking, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import Site
from tests.browser.test_sign_in import allow, heading, sign_in

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def meet_again(page: Page, site: Site, person: str) -> None:
    """Somebody with an account comes back by another provider, in a browser that forgot them."""
    await sign_in(page, site, person=person)
    await page.context.clear_cookies()
    await page.goto(f"{site.base}/sign-in")
    await page.get_by_role("link", name="Continue with Second Choice").click()
    await allow(page, person)
    await page.get_by_role("heading", name="Have you been here before?").wait_for()


async def prove(page: Page, person: str) -> None:
    await page.get_by_role("link", name="Continue with Acme").click()
    if await page.get_by_role("button", name="Allow").count():
        await allow(page, person)
    await page.wait_for_selector("form.choice")


async def test_linking_with_proof_then_unlinking_down_to_the_last_way_in(page: Page, site: Site) -> None:
    await meet_again(page, site, "Carol Example")
    await prove(page, "Carol Example")
    assert await heading(page) == "Link Second Choice to your account?"
    await page.get_by_role("button", name="Link Second Choice").click()
    await page.wait_for_url(f"{site.base}/")
    await page.get_by_role("link", name="Your account").click()
    cards = page.locator("article.identity")
    assert await cards.locator("h3").all_inner_texts() == ["Acme", "Second Choice"]

    other = await page.context.new_page()
    await other.goto(f"{site.base}/account")
    await page.get_by_role("article", name="Acme").get_by_role("button", name="Unlink").click()
    await page.wait_for_url(f"{site.base}/account?done=unlinked")
    assert await page.get_by_role("status").inner_text() == "The account is unlinked."
    assert await page.get_by_role("button", name="Unlink").count() == 0
    assert await page.get_by_text("This is your only way to sign in").is_visible()

    await other.get_by_role("article", name="Second Choice").get_by_role("button", name="Unlink").click()
    assert await heading(other) == "This is your only way to sign in"
    await other.get_by_role("link", name="Back to your account").click()
    assert await other.locator("article.identity h3").all_inner_texts() == ["Second Choice"]


async def test_linking_from_the_account_page_crosses_to_the_provider_and_back(page: Page, site: Site) -> None:
    await sign_in(page, site, person="Bob Example")
    await page.goto(f"{site.base}/account")
    await page.get_by_role("button", name="Continue with Second Choice").click()
    await allow(page, "Bob Example")
    await page.wait_for_url(f"{site.base}/account?done=linked")
    assert await page.get_by_role("status").inner_text() == "The account is linked."


async def test_what_needs_a_recent_sign_in_leads_through_one(page: Page, site: Site) -> None:
    await sign_in(page, site)
    async with site.later(601):
        await page.goto(f"{site.base}/account")
        assert await page.get_by_text("first sign in again").is_visible()
        await page.get_by_role("button", name="Continue with Second Choice").click()
        assert await heading(page) == "First confirm that it is you"
        await page.get_by_role("link", name="Confirm that it is you").click()
        await page.get_by_role("link", name="Continue with Acme").click()
        await allow(page)
        await page.wait_for_url(f"{site.base}/account")
        assert not await page.get_by_text("first sign in again").count()


async def test_asking_for_more_shows_what_was_granted(page: Page, site: Site) -> None:
    await sign_in(page, site)
    await page.goto(f"{site.base}/account")
    card = page.get_by_role("article", name="Acme")
    if await card.get_by_label("calendar").count():
        await card.get_by_label("calendar").check()
        await card.get_by_role("button", name="Reconnect").click()
        await allow(page)
        await page.wait_for_url(f"{site.base}/account?done=reconnected")
    scope = card.locator(".scopes li", has_text="calendar")
    assert await scope.inner_text() == "calendar granted"
