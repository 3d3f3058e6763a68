"""``connectors demo`` with a real browser: the five steps that it tells people to try, and what may go wrong.

``CONNECTORS_SCREENSHOTS=docs/images`` has the pictures of README.md taken anew.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
import pytest_asyncio
from connectors_demo.together import Demo, running
from connectors_host.server import listen

from tests.browser.conftest import Clock
from tests.browser.test_accessibility import hold_to_the_rules
from tests.canary import Canary

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, Page

pytestmark = pytest.mark.asyncio(loop_scope="session")

LIFETIME = 120


class Walk:
    """A person who tries the demo."""

    def __init__(self, page: Page, demo: Demo, clock: Clock) -> None:
        self.page, self.demo, self.clock = page, demo, clock

    async def press(self, name: str) -> None:
        await self.page.get_by_role("button", name=name).click()

    async def open_sign_in(self) -> None:
        await self.page.goto(self.demo.app)
        await self.page.get_by_role("link", name="Sign in").click()
        await self.page.wait_for_url(f"{self.demo.host}/sign-in**")

    async def continue_with_google(self) -> None:
        await self.page.get_by_role("link", name="Continue with Google").click()

    async def sign_in(self, person: str = "Alice Example") -> None:
        await self.open_sign_in()
        await self.continue_with_google()
        await self.press(person)
        await self.press("Continue")
        await self.at_home()

    async def at_home(self) -> None:
        await self.page.wait_for_url(f"{self.demo.app}/")
        await self.page.get_by_role("heading", level=1).get_by_text("Hello").wait_for()

    async def allow(self, *boxes: str) -> None:
        """Tick boxes at Google, and come back."""
        for box in boxes:
            await self.page.get_by_label(box).check()
        await self.press("Continue")
        await self.at_home()

    async def allowed(self) -> list[str]:
        return await self.page.locator(".scopes li").all_inner_texts()

    async def entries(self) -> list[str]:
        return await self.page.locator(".entries b").all_inner_texts()

    async def notice(self) -> str:
        return await self.page.get_by_role("status").inner_text()

    async def picture(self, name: str, *, width: int, height: int) -> None:
        folder = os.environ.get("CONNECTORS_SCREENSHOTS")
        if folder:
            await self.page.set_viewport_size({"width": width, "height": height})
            await self.page.wait_for_load_state("networkidle")
            await self.page.screenshot(path=Path(folder, f"demo-{name}.png"))


@pytest_asyncio.fixture(loop_scope="session")
async def demo(clock: Clock) -> AsyncIterator[Demo]:
    async with running(
        (listen("127.0.0.1", 0), listen("127.0.0.1", 0)), lifetime=LIFETIME, clock=clock
    ) as up:
        yield up


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest_asyncio.fixture(loop_scope="session")
async def walk(page: Page, demo: Demo, clock: Clock, canary: Canary) -> AsyncIterator[Walk]:
    yield Walk(page, demo, clock)
    assert demo.google is not None
    for secret in (*demo.secrets, *demo.google.provider.secrets()):
        canary.watch(secret, "a secret of the demo's")


async def test_the_five_steps(walk: Walk) -> None:
    page, google = walk.page, walk.demo.google
    assert google is not None
    requests = google.provider.requests
    await page.clock.install()

    # 1: sign in, with the least that will do
    await walk.open_sign_in()
    await page.frame_locator("iframe").get_by_role("button", name="Not now").click()
    await walk.picture("sign-in", width=560, height=480)
    await walk.continue_with_google()
    await walk.press("Alice Example")
    assert await page.get_by_role("checkbox").count() == 0
    await walk.allow()
    assert await walk.allowed() == ["know who you are"]
    assert requests.last("authorize").parameters["scope"] == "openid email profile"

    # 2: the calendar; the box stays unticked at first
    await walk.press("Show my day")
    await walk.allow()
    assert await walk.notice() == "You did not let me see your events."
    assert (await walk.allowed(), await walk.entries()) == (["know who you are"], [])
    await walk.press("Show my day")
    await walk.allow("See and download your calendars")
    assert await walk.allowed() == ["know who you are", "see your events"]
    day = ["Stand-up", "Lunch with the design group", "Review of the quarter"]
    assert await walk.entries() == day

    # 3: the token expires, and comes back
    first = requests.last("resource").headers["authorization"]
    timer, refreshes = page.get_by_role("timer"), page.locator("#refreshes")
    assert (await timer.inner_text()).startswith("good for 1")
    await page.clock.fast_forward(1000 * LIFETIME)
    assert (await timer.inner_text()).startswith("expired")
    assert await refreshes.inner_text() == "not yet"
    walk.clock.ahead += LIFETIME
    answer = await page.request.get(
        f"{google.url}/calendar/v3/calendars/primary/events", headers={"authorization": first}
    )
    assert answer.status == 401
    await page.get_by_role("link", name="Read again").click()
    await walk.at_home()
    assert await refreshes.inner_text() == "once, unseen"
    assert (await timer.inner_text()).startswith("good for 1")
    assert await walk.entries() == day
    assert requests.count("token", grant_type="refresh_token") == 1

    # 4: more, when the person wants more
    await walk.press("Let me plan meetings")
    await walk.press("Cancel")
    await walk.at_home()
    assert await walk.notice() == "You said no, and nothing has changed."
    await walk.press("Let me plan meetings")
    await walk.allow("See and change the events of your calendars")
    await page.get_by_label("What about?").fill("Coffee with Bob")
    await walk.press("Put it into my calendar")
    await walk.at_home()
    assert "Coffee with Bob" in await walk.entries()
    await walk.press("Prepare my meetings")
    await page.get_by_label("See your e-mail messages and settings").check()
    await walk.picture("consent", width=560, height=480)
    await walk.press("Continue")
    await walk.at_home()
    assert await walk.notice() == "You did not let me see the names of your documents."
    await walk.press("Prepare my meetings")
    assert await page.get_by_role("checkbox").count() == 1
    await walk.allow("See information about your Drive files")
    everything = ["know who you are", "see your events", "change your events", "read your mail"]
    assert await walk.allowed() == [*everything, "see the names of your documents"]
    found = await walk.entries()
    assert {"Coffee with Bob", "Agenda for the review", "Figures"} <= {*found}
    await page.get_by_role("link", name="What the host keeps about you").click()
    scopes = page.locator(".scopes li")
    assert [text.split()[-1] for text in await scopes.all_inner_texts()] == ["granted"] * 7
    assert await page.get_by_text("not granted").count() == 0
    await page.goto(walk.demo.app)
    await page.clock.fast_forward(2000 * LIFETIME // 3)
    await walk.picture("day", width=1000, height=1060)

    # 5: out and in again, without another consent
    await walk.press("Sign out")
    await page.get_by_role("link", name="Sign in").wait_for()
    assert (await (await page.request.get(f"{walk.demo.host}/user")).json())["isAuthenticated"] is False
    await walk.open_sign_in()
    await walk.continue_with_google()
    await walk.at_home()
    assert requests.last("authorize").parameters["scope"] == "openid email profile"
    assert await walk.entries() == found
    # The application's own token is over, too: the host knows the person still, and asks nothing.
    walk.clock.ahead += 3700
    await page.reload()
    await walk.at_home()
    assert len(await walk.entries()) > 0
    assert len(await walk.allowed()) == 5


async def test_who_comes_by_one_tap_is_known_and_has_no_token_until_more_is_wanted(walk: Walk) -> None:
    await walk.open_sign_in()
    await walk.page.frame_locator("iframe").get_by_role("button", name="Continue as Alice").click()
    await walk.at_home()
    assert await walk.page.get_by_text("The host has no token of Google’s for you yet.").is_visible()
    assert await walk.page.get_by_role("status").count() == 0
    await walk.press("Show my day")
    await walk.press("Alice Example")
    await walk.allow("See and download your calendars")
    assert await walk.entries() != []
    walk.clock.ahead += LIFETIME
    await walk.page.get_by_role("link", name="Read again").click()
    assert await walk.page.locator("#refreshes").inner_text() == "once, unseen"


async def test_what_was_revoked_at_google_is_asked_for_again(walk: Walk) -> None:
    await walk.sign_in()
    await walk.press("Show my day")
    await walk.allow("See and download your calendars")
    assert walk.demo.google is not None
    for grant in walk.demo.google.provider.ledger.grants:
        grant.revoked = "revocation"
    await walk.page.reload()
    assert await walk.notice() == "Google refused to answer (401). Let me ask again."
    walk.clock.ahead += LIFETIME
    await walk.page.reload()
    assert await walk.page.get_by_text("The host has no token of Google’s for you yet.").is_visible()
    await walk.press("Show my day")
    await walk.allow("See and download your calendars")
    assert await walk.entries() != []


async def test_the_day_is_reached_without_a_mouse(walk: Walk) -> None:
    page = walk.page

    async def go_to(name: str, role: str) -> None:
        wanted = page.get_by_role(role, name=name).first  # type: ignore[arg-type]
        await wanted.wait_for()
        for _ in range(20):
            await page.keyboard.press("Tab")
            if await wanted.evaluate("e => e === document.activeElement"):
                assert await wanted.evaluate("e => getComputedStyle(e).outlineStyle") == "solid"
                return
        raise AssertionError(f"Tab does not reach {name}")

    await page.goto(walk.demo.app)
    for role, name, key in (
        ("link", "Sign in", "Enter"),
        ("link", "Continue with Google", "Enter"),
        ("button", "Bob Example", "Enter"),
        ("button", "Continue", "Enter"),
        ("button", "Show my day", "Enter"),
        ("checkbox", "See and download your calendars", "Space"),
        ("button", "Continue", "Enter"),
    ):
        await go_to(name, role)
        await page.keyboard.press(key)
    await walk.at_home()
    assert await walk.entries() != []


async def test_axe_finds_nothing_on_its_pages(walk: Walk, axe_script: str) -> None:
    page = walk.page
    await page.goto(walk.demo.app)
    await hold_to_the_rules(page, axe_script)
    await page.get_by_role("link", name="Sign in").click()
    await page.frame_locator("iframe").get_by_role("button", name="Continue as Alice").wait_for()
    await hold_to_the_rules(page, axe_script)
    await walk.continue_with_google()
    await hold_to_the_rules(page, axe_script)
    await walk.press("Alice Example")
    await walk.allow()
    await walk.press("Prepare my meetings")
    await hold_to_the_rules(page, axe_script)
    await walk.allow("See your e-mail messages and settings", "See information about your Drive files")
    await walk.press("Let me plan meetings")
    await walk.allow("See and change the events of your calendars")
    await hold_to_the_rules(page, axe_script)


async def test_a_form_of_another_site_does_nothing(walk: Walk, context: BrowserContext) -> None:
    await walk.sign_in()
    assert walk.demo.google is not None
    begun = len(walk.demo.google.provider.requests)
    cookies = {str(each.get("name")): str(each.get("value")) for each in await context.cookies(walk.demo.app)}
    async with httpx.AsyncClient(trust_env=False, cookies=cookies) as client:
        for site in ("cross-site", "same-site"):
            for path in ("/ask/day", "/plan", "/sign-out"):
                answer = await client.post(walk.demo.app + path, headers={"sec-fetch-site": site})
                assert answer.status_code == 403
        unknown = await client.post(f"{walk.demo.app}/ask/x", headers={"sec-fetch-site": "same-origin"})
    assert unknown.status_code == 404
    assert len(walk.demo.google.provider.requests) == begun
    await walk.page.reload()
    await walk.at_home()


async def test_a_callback_of_another_browser_signs_nobody_in(walk: Walk) -> None:
    await walk.open_sign_in()
    async with httpx.AsyncClient(trust_env=False) as client:
        for query in ("", "?code=x&state=y", "?error=access_denied&state=y"):
            answer = await client.get(f"{walk.demo.app}/callback{query}")
            assert answer.status_code == 400
            assert "calendar_session" not in answer.headers.get("set-cookie", "")
        policy = answer.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
