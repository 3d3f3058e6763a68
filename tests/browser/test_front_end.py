"""The front end of the examples in a real browser: HTML and ``fetch`` on the four routes, OAuth 2.0."""

from __future__ import annotations

import importlib.util
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from connectors_host.server import address, listen

from connectors_core.testing.provider import Provider
from tests.browser.conftest import SECRET
from tests.canary import Canary
from tests.serving import serving

if TYPE_CHECKING:
    from playwright.async_api import Page

EXAMPLE = Path(__file__).parents[2] / "examples" / "front_end" / "app.py"

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def front_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, canary: Canary) -> AsyncIterator[str]:
    """Its address; the provider is on another site and asks for consent."""
    listener = listen("127.0.0.1", 0)
    base = address(listener)
    provider = Provider(openid=False, consent="page")
    provider.register("client-1", secret=SECRET, redirect_uris=(f"{base}/api/logto/sign-in-callback",))
    async with provider.serving():
        environment = {
            "BASE_URL": base,
            "COOKIE_SECRET": canary.secret("cookie-secret"),
            "CLIENT_ID": "client-1",
            "CLIENT_SECRET": SECRET,
            "AUTHORIZE": provider.url("authorize"),
            "TOKEN": provider.url("token"),
            "USER_INFO": provider.url("user"),
            "ALLOW_PRIVATE_NETWORK": "1",
        }
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)
        spec = importlib.util.spec_from_file_location("example_front_end", EXAMPLE)
        assert spec is not None
        assert spec.loader is not None
        example = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(example)
        async with serving(example.app, listener):
            yield base
    for secret in provider.secrets():
        canary.watch(secret, "a secret of the provider's")


async def test_a_person_signs_in_reloads_and_signs_out(page: Page, front_end: str) -> None:
    await page.goto(front_end)
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("button", name="Allow").click()
    await page.wait_for_url(f"{front_end}/")
    await page.get_by_text("Hello, Alice Example").wait_for()
    await page.reload()
    await page.get_by_text("Hello, Alice Example").wait_for()
    assert await page.evaluate("document.cookie") == ""
    await page.get_by_role("button", name="Sign out").click()
    await page.get_by_role("button", name="Sign in").wait_for()
    user = await (await page.request.get(f"{front_end}/api/logto/user")).json()
    assert user == {"isAuthenticated": False}


async def test_another_site_signs_nobody_out_in_a_browser(page: Page, front_end: str) -> None:
    await page.goto(front_end)
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("button", name="Allow").click()
    await page.get_by_text("Hello, Alice Example").wait_for()
    await page.goto(front_end.replace("127.0.0.1", "localhost"))
    await page.evaluate("address => location.assign(address)", f"{front_end}/api/logto/sign-out")
    await page.get_by_role("heading", name="Sign out?").wait_for()
    await page.goto(front_end)
    await page.get_by_text("Hello, Alice Example").wait_for()
    await page.goto("about:blank")
    await page.goto(front_end.replace("127.0.0.1", "localhost"))
    await page.evaluate("address => location.assign(address)", f"{front_end}/api/logto/sign-out")
    await page.get_by_role("button", name="Sign out").click()
    await page.wait_for_url(f"{front_end}/")
    await page.get_by_role("button", name="Sign in").wait_for()
