"""A real Chromium, the host on http://127.0.0.1 and a provider on http://localhost: two sites."""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from connectors_host import create_app
from connectors_host.server import address, listen

from connectors_core.metadata import ConnectorMetadata
from connectors_core.oidc import OIDCConnector
from connectors_core.testing.provider import Client, Person, Provider
from tests.canary import Canary
from tests.serving import configured, serving

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext, Page

PEOPLE = {
    "alice-1": Person(),
    "bob-1": Person(sub="bob-1", claims={"name": "Bob Example", "email": "bob@example.test"}),
    "carol-1": Person(
        sub="carol-1",
        claims={"name": "Carol Example", "email": "carol@example.test", "email_verified": True},
    ),
    "dave-1": Person(
        sub="dave-1", claims={"name": "Dave Example", "email": "dave@example.test", "email_verified": True}
    ),
}
SECRET = "fake-client-secret-of-the-browser-tests"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

LIGHT = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24">
<path fill="#1d4ed8" d="M12 2 2 22h20z"/></svg>"""
DARK = LIGHT.replace("#1d4ed8", "#93c5fd")

KEYS = '{"keys": [{"kty": "oct", "kid": "key-1", "k": "ZmFrZS1rZXktb2YtdGhlLWJyb3dzZXItdGVzdHMhISE"}]}'

CONFIGURATION = """
[host]
base_url = "{base}"
database = "sqlite:///{folder}/host.db"
allow_private_network = true
vault_keys = "file:keys.json"

[connectors.acme]
type = "browser-query"
name = {{ en = "Acme", ja = "アクメ" }}
logo = "{folder}/light.svg"
logo_dark = "{folder}/dark.svg"
sync_profile = "sign_in"
token_storage = true
requestable_scopes = ["calendar"]
order = 1
[connectors.acme.config]
clientId = "client-1"
clientSecret = "{secret}"

[connectors.poster]
type = "browser-form-post"
name = {{ en = "Form Poster" }}
linking = "never"
order = 2
[connectors.poster.config]
clientId = "client-1"
clientSecret = "{secret}"

[connectors.down]
type = "browser-down"
name = {{ en = "Downtime Industries International" }}
order = 3
[connectors.down.config]
clientId = "client-1"
clientSecret = "{secret}"

[connectors.second]
type = "browser-query"
target = "second"
name = {{ en = "Second Choice" }}
email_domains = ["example.test"]
order = 4
[connectors.second.config]
clientId = "client-1"
clientSecret = "{secret}"
"""


class Clock:
    """The time of day, moved ahead by tests."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


class Site:
    """The host and the provider, both on sockets."""

    def __init__(self, base: str, provider: Provider, clock: Clock) -> None:
        self.base = base
        self.provider = provider
        self.clock = clock

    @asynccontextmanager
    async def later(self, seconds: float) -> AsyncIterator[None]:
        self.clock.ahead += seconds
        try:
            yield
        finally:
            self.clock.ahead -= seconds


def write_keys(folder: Path) -> None:
    """``vault_keys = "file:keys.json"`` of a host in ``folder``."""
    file = folder / "keys.json"
    file.write_text(KEYS)
    file.chmod(0o600)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    folder = tmp_path_factory.mktemp("browser")
    (folder / "light.svg").write_text(LIGHT)
    (folder / "dark.svg").write_text(DARK)
    clock = Clock()
    listener = listen("127.0.0.1", 0)
    base = address(listener)
    client = Client(
        secret=SECRET,
        redirect_uris=tuple(f"{base}/callback/{name}" for name in ("acme", "poster", "down", "second")),
        post_logout_redirect_uris=(f"{base}/signed-out",),
    )
    provider = Provider(clock=clock, consent="page", people=PEOPLE, clients={"client-1": client})
    async with provider.serving():

        class Query(OIDCConnector):
            id = "browser-query"
            metadata = ConnectorMetadata(name={"en": "Query"})
            issuer = provider.issuer

        class FormPost(Query):
            id = "browser-form-post"
            response_mode = "form_post"

        class Down(Query):
            id = "browser-down"
            issuer = "http://localhost:1"

        write_keys(folder)
        text = CONFIGURATION.format(base=base, folder=folder, secret=SECRET)
        app = create_app(configured(folder, text, Query, FormPost, Down), clock=clock)
        async with serving(app, listener):
            yield Site(base, provider, clock)


@pytest.fixture(autouse=True)
def _secrets_are_watched(site: Site, canary: Canary) -> Iterator[None]:
    yield
    for secret in site.provider.secrets():
        canary.watch(secret, "a secret of the provider's")
    for asked in site.provider.requests:
        for name in ("state", "nonce", "code", "code_verifier"):
            if name in asked.parameters:
                canary.watch(asked.parameters[name], name)


@pytest.fixture(scope="session")
def axe_script() -> str:
    """axe-core, as axe-playwright-python bundles it."""
    spec = importlib.util.find_spec("axe_playwright_python")
    if spec is None or spec.origin is None:
        give_up("pip install axe-playwright-python")
    return (Path(spec.origin).parent / "axe.min.js").read_text(encoding="utf-8")


def give_up(cure: str) -> Any:
    """Skip for want of something, or fail where everything must run."""
    tell = pytest.fail if os.environ.get("CONNECTORS_REQUIRE_ALL") else pytest.skip
    return tell(f"browser tests need: {cure}")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium(program: Any) -> AsyncIterator[Browser]:
    if importlib.util.find_spec("playwright") is None:
        give_up("pip install playwright")
    try:
        path = program(*CHROMIUM)
    except pytest.skip.Exception:
        give_up("apt-get install chromium")
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def context(chromium: Browser) -> AsyncIterator[BrowserContext]:
    """A browser that was never here, and complains about what the pages' policy forbids."""
    opened = await chromium.new_context(locale="en-GB")
    opened.set_default_timeout(10_000)
    complaints: list[str] = []
    opened.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    yield opened
    await opened.close()
    assert not [text for text in complaints if "Content Security Policy" in text]


@pytest_asyncio.fixture(loop_scope="session")
async def page(context: BrowserContext) -> Page:
    return await context.new_page()
