"""Google One Tap in a real browser: Google's own addresses, played by the test, under the real policy."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio
from connectors_google import Google
from connectors_host import create_app
from connectors_host.server import address, listen

from connectors_core.testing.provider import Client, Provider
from tests.browser.conftest import PEOPLE, SECRET, Clock, Site
from tests.browser.test_sign_in import heading
from tests.serving import configured, serving

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, Page, Route

pytestmark = pytest.mark.asyncio(loop_scope="session")

CONFIGURATION = """
[host]
base_url = "{base}"
database = "sqlite:///{folder}/host.db"
allow_private_network = true

[connectors.google]
type = "google"
[connectors.google.config]
clientId = "client-1"
clientSecret = "{secret}"
issuer = "{issuer}"
oneTap = {{ isEnabled = true }}
"""

SCRIPT = """
const asked = document.getElementById("g_id_onload").dataset;
const frame = document.createElement("iframe");
frame.title = "Sign in with Google";
frame.src = "https://accounts.google.com/gsi/iframe/select?nonce=" + encodeURIComponent(asked.nonce);
document.body.append(frame);
const sheet = document.createElement("link");
sheet.rel = "stylesheet";
sheet.href = "https://accounts.google.com/gsi/style";
document.head.append(sheet);
addEventListener("message", ({ data, origin }) => {
  if (origin !== "https://accounts.google.com") return;
  document.cookie = "g_csrf_token=of-googles-script; path=/";
  const form = document.createElement("form");
  form.method = "post";
  form.action = asked.login_uri;
  for (const [name, value] of [["credential", data], ["g_csrf_token", "of-googles-script"]]) {
    const field = document.createElement("input");
    field.name = name;
    field.value = value;
    form.append(field);
  }
  document.body.append(form);
  form.submit();
});
"""
FRAME = """<!doctype html><title>Google</title><button>Continue as Alice</button><script>
document.querySelector("button").onclick = () => parent.postMessage("{credential}", "*");
</script>"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def tapping(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """A host with One Tap on, and what stands for Google's keys behind it."""
    folder: Path = tmp_path_factory.mktemp("one-tap")
    listener, clock = listen("127.0.0.1", 0), Clock()
    base = address(listener)
    client = Client(secret=SECRET, post_logout_redirect_uris=(f"{base}/signed-out",))
    provider = Provider(clock=clock, people=PEOPLE, clients={"client-1": client})
    async with provider.serving():
        text = CONFIGURATION.format(base=base, folder=folder, secret=SECRET, issuer=provider.issuer)
        async with serving(create_app(configured(folder, text, Google), clock=clock), listener):
            yield Site(base, provider, clock)


async def play_google(
    context: BrowserContext, site: Site, *, credential: Callable[[str], str] | None = None
) -> list[str]:
    """Answer for accounts.google.com; return what was asked of it."""
    asked: list[str] = []

    async def answer(route: Route) -> None:
        url = urlsplit(route.request.url)
        asked.append(url.path)
        if url.path == "/gsi/client":
            await route.fulfill(content_type="text/javascript", body=SCRIPT)
        elif url.path == "/gsi/style":
            await route.fulfill(content_type="text/css", body="iframe { border: 0 }")
        else:
            (nonce,) = parse_qs(url.query)["nonce"]
            made = credential(nonce) if credential else site.provider.credential(nonce=nonce)
            await route.fulfill(content_type="text/html", body=FRAME.replace("{credential}", made))

    await context.route("https://accounts.google.com/**", answer)
    return asked


async def tap(page: Page) -> None:
    await page.frame_locator("iframe").get_by_role("button", name="Continue as Alice").click()


async def is_in(page: Page, site: Site) -> Any:
    return (await (await page.request.get(f"{site.base}/user")).json())["isAuthenticated"]


async def test_a_tap_on_the_sign_in_page_signs_in_and_leads_onward(page: Page, tapping: Site) -> None:
    """The context fixture fails on anything that the page's policy forbids."""
    asked = await play_google(page.context, tapping)
    await page.goto(f"{tapping.base}/sign-in?return_to=/account")
    await tap(page)
    await page.wait_for_url(f"{tapping.base}/account")
    assert await page.get_by_text("Alice Example").first.is_visible()
    assert {"/gsi/client", "/gsi/style", "/gsi/iframe/select"} <= set(asked)
    asked.clear()
    for path in ("/", "/account", "/sign-in"):
        await page.goto(tapping.base + path)
    assert asked == []


async def test_whoever_signed_out_finds_a_new_prompt(page: Page, tapping: Site) -> None:
    await play_google(page.context, tapping)
    await page.goto(f"{tapping.base}/sign-in")
    await tap(page)
    await page.wait_for_url(f"{tapping.base}/")
    await page.get_by_role("button", name="Sign out").click()
    await page.wait_for_url(f"{tapping.base}/signed-out")
    await page.goto(f"{tapping.base}/sign-in")
    await tap(page)
    await page.wait_for_url(f"{tapping.base}/")
    assert await is_in(page, tapping)


async def test_a_prompt_left_open_too_long_says_so_and_starts_again(page: Page, tapping: Site) -> None:
    await play_google(page.context, tapping)
    await page.goto(f"{tapping.base}/sign-in")
    async with tapping.later(601):
        await tap(page)
        await page.wait_for_url(f"{tapping.base}/one-tap/google")
        assert await heading(page) == "That took too long"
        await page.get_by_role("link", name="Start again").click()
        await page.wait_for_url(f"{tapping.base}/sign-in")
        await tap(page)
        await page.wait_for_url(f"{tapping.base}/")


async def test_another_person_s_credential_is_no_prompt_of_this_browser(page: Page, tapping: Site) -> None:
    """What somebody obtained in their own browser signs nobody else in as them."""
    stolen = tapping.provider.credential(nonce="a-nonce-of-another-browser")
    await play_google(page.context, tapping, credential=lambda nonce: stolen)
    await page.goto(f"{tapping.base}/sign-in")
    await tap(page)
    await page.wait_for_url(f"{tapping.base}/one-tap/google")
    assert not await is_in(page, tapping)


async def test_a_form_of_another_site_signs_nobody_in(page: Page, tapping: Site) -> None:
    await page.goto(f"{tapping.provider.issuer}/.well-known/openid-configuration")
    await page.evaluate(
        """([address, credential]) => {
            const form = document.createElement("form");
            form.method = "post";
            form.action = address;
            for (const [name, value] of [["credential", credential], ["g_csrf_token", "x"]]) {
                const field = document.createElement("input");
                field.name = name;
                field.value = value;
                form.append(field);
            }
            document.body.append(form);
            form.submit();
        }""",
        [f"{tapping.base}/one-tap/google", tapping.provider.credential(nonce="n")],
    )
    await page.wait_for_url(f"{tapping.base}/one-tap/google")
    assert await heading(page) == "This request was not accepted"
    assert not await is_in(page, tapping)
