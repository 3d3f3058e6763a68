"""Applications with SDKs that others wrote sign people in at the host, with Google, in a real browser."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from connectors_host import create_app
from connectors_host.server import address, listen

from connectors_core.testing.profiles.google import GOOGLE
from connectors_core.testing.provider import Client, Provider
from tests.browser.conftest import SECRET, Clock, give_up, write_keys
from tests.canary import Canary
from tests.interop.conftest import running
from tests.serving import configured, serving

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = pytest.mark.asyncio(loop_scope="session")

PARTIES = Path(__file__).parents[1] / "interop" / "relying_parties"
APP_SECRET = "fake-secret-of-the-application"

CONFIGURATION = """
[host]
base_url = "{base}"
database = "sqlite:///{folder}/host.db"
allow_private_network = true
vault_keys = "file:keys.json"

[connectors.google-main]
type = "google"
token_storage = true
[connectors.google-main.config]
issuer = "{issuer}"
clientId = "client-1"
clientSecret = "{secret}"
offlineAccess = true

[apps.bookstore]
secret = "literal:{app_secret}"
redirect_uris = ["{flask}/callback"]
post_logout_redirect_uris = ["{flask}/"]
may_read_tokens = ["google"]

[apps.shop]
secret = "literal:{app_secret}"
redirect_uris = ["{next}/api/logto/sign-in-callback"]
post_logout_redirect_uris = ["{next}"]
"""


class Place:
    """The host, Google, and two applications."""

    def __init__(self, base: str, google: Provider, flask: str, next: str) -> None:
        self.base = base
        self.google = google
        self.flask = flask
        self.next = next


@contextmanager
def application(*command: str) -> Iterator[str]:
    """A process of an application; yields its address."""
    with running([*command], cwd=PARTIES) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, f"{command[-2]} did not start"
        yield json.loads(line)["issuer"]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def place(tmp_path_factory: pytest.TempPathFactory, program: Any) -> AsyncIterator[Place]:
    if importlib.util.find_spec("logto") is None:
        give_up("pip install logto")
    if not (PARTIES / "node_modules" / "@logto").is_dir():
        give_up("cd tests/interop/relying_parties && npm ci")
    folder = tmp_path_factory.mktemp("applications")
    listener = listen("127.0.0.1", 0)
    base = address(listener)
    async with AsyncExitStack() as stack:
        flask = stack.enter_context(
            application(sys.executable, "-W", "ignore", "logto_flask.py", base, "bookstore", APP_SECRET)
        )
        known = {"appId": "shop", "appSecret": APP_SECRET, "endpoint": base}
        shop = stack.enter_context(application(program("node"), "logto_next.mjs", json.dumps(known)))
        google = GOOGLE.provider(
            consent="page",
            clients={
                "client-1": Client(
                    secret=SECRET,
                    redirect_uris=(f"{base}/callback/google-main",),
                    post_logout_redirect_uris=(f"{base}/signed-out",),
                ),
            },
        )
        await stack.enter_async_context(google.serving())
        write_keys(folder)
        text = CONFIGURATION.format(
            base=base,
            folder=folder,
            issuer=google.issuer,
            secret=SECRET,
            app_secret=APP_SECRET,
            flask=flask,
            next=shop,
        )
        app = create_app(configured(folder, text), clock=Clock())
        await stack.enter_async_context(serving(app, listener))
        yield Place(base, google, flask, shop)


async def continue_with_google(page: Page) -> None:
    await page.get_by_role("link", name="Continue with Google").click()
    await page.get_by_role("button", name="Allow").click()


async def test_the_flask_sdk_signs_in_reads_a_token_and_signs_out(
    page: Page, place: Place, canary: Canary
) -> None:
    await page.goto(f"{place.flask}/")
    await page.get_by_role("link", name="サインイン").click()
    assert page.url.startswith(f"{place.base}/sign-in?return_to=")
    await continue_with_google(page)
    await page.wait_for_url(f"{place.flask}/")
    assert "認証されています" in await page.content()

    answer = await page.goto(f"{place.flask}/google-token")
    assert answer is not None
    told = await answer.json()
    assert told["status"] == 200, told
    canary.watch(told["token"]["access_token"], "an access token of Google")
    assert told["token"]["access_token"] in place.google.secrets()
    person = GOOGLE.person.claims
    for claims in (told["claims"], told["user"]):
        assert (claims["name"], claims["picture"]) == (person["name"], person["picture"])
        assert not claims["email"]

    await page.goto(f"{place.flask}/")
    await page.get_by_role("link", name="サインアウト").click()
    assert await page.locator("h1").inner_text() == "Sign out?"
    await page.get_by_role("button", name="Sign out").click()
    await page.wait_for_url(f"{place.flask}/")
    assert "認証されていません" in await page.content()
    await page.goto(f"{place.base}/")
    assert await page.locator("h1").inner_text() == "Sign in"


async def test_the_flask_sdk_opens_the_sign_up(page: Page, place: Place) -> None:
    await page.goto(f"{place.flask}/sign-up")
    assert page.url.startswith(f"{place.base}/sign-up?return_to=")
    await continue_with_google(page)
    await page.wait_for_url(f"{place.flask}/")
    assert "認証されています" in await page.content()


async def test_the_next_sdk_does_its_four_routes(page: Page, place: Place) -> None:
    await page.goto(place.next)
    await page.get_by_text("Nobody").wait_for()
    await page.get_by_role("button", name="Sign in").click()
    await continue_with_google(page)
    await page.get_by_text("Hello user_").wait_for()
    answer = await page.goto(f"{place.next}/api/logto/user")
    assert answer is not None
    user = await answer.json()
    assert user["isAuthenticated"] is True
    assert user["claims"]["iss"] == f"{place.base}/oidc"
    assert user["claims"]["name"] == GOOGLE.person.claims["name"]
    (cookie,) = [each for each in await page.context.cookies() if each["name"] == "logto_shop"]
    assert len(cookie["value"]) < 4096

    await page.goto(place.next)
    await page.get_by_role("button", name="Sign out").click()
    await page.get_by_role("button", name="Sign out").click()
    await page.wait_for_url(f"{place.next}/")
    await page.get_by_text("Nobody").wait_for()


async def test_one_session_serves_both(page: Page, place: Place) -> None:
    await page.goto(f"{place.next}/api/logto/sign-in")
    await continue_with_google(page)
    await page.get_by_text("Hello user_").wait_for()
    await page.goto(f"{place.flask}/sign-in")
    await page.wait_for_url(f"{place.flask}/")
    assert "認証されています" in await page.content()
