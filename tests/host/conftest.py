"""The host in this process, a provider behind its sender, and a browser without a network."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack
from functools import cache, partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from connectors_google import Google
from connectors_host import create_app, signing_key
from connectors_host.app import own_migrations
from connectors_host.host import Host
from joserfc.jwk import RSAKey
from starlette.applications import Starlette

from connectors_core.http import HttpSender
from connectors_core.hub import Hub
from connectors_core.metadata import ConnectorMetadata
from connectors_core.oidc import OIDCConnector
from connectors_core.storage.migrations import upgrade
from connectors_core.testing.plugin import Clock
from connectors_core.testing.provider import Client, Person, Provider
from tests import browsing
from tests.canary import Canary
from tests.serving import configured

BASE = "https://host.test"

BOB = Person(
    sub="bob-1", claims={"name": "Bob Example", "email": "bob@example.test", "email_verified": False}
)


class TestOIDC(OIDCConnector):
    __test__ = False
    id = "test-oidc"
    metadata = ConnectorMetadata(name={"en": "Acme", "ja": "アクメ"})
    issuer = "https://provider.test"


class PostingOIDC(TestOIDC):
    id = "posting-oidc"
    metadata = ConnectorMetadata(name={"en": "Poster"})
    response_mode = "form_post"


class UnreachableOIDC(TestOIDC):
    id = "down-oidc"
    metadata = ConnectorMetadata(name={"en": "Downtime"})
    issuer = "https://down.test"


class Browser(browsing.Browser):
    """A browser that knows this host's connectors and pages."""

    def __init__(self, app: Starlette, provider: Provider, base: str = BASE) -> None:
        super().__init__(browsing.wired(app), provider, base)
        self.app = app

    async def begin(self, connector: str = "acme", **query: str) -> httpx.Response:
        return await super().begin(connector, **query)

    async def form(self, path: str, **fields: str) -> httpx.Response:
        """Post a form of a page of this session."""
        token = (await self.user()).get("csrfToken", "")
        return await self.post(path, form={"csrf_token": token, **fields})

    async def begin_at_account(self, path: str, **fields: str) -> httpx.Response:
        """Post a form of ``/account`` and follow the page in between to the provider's door."""
        page = await self.form(path, **fields)
        assert page.status_code == 200, page.text
        (href,) = set(re.findall(r"/account/continue\?h=[\w%-]+", page.text))
        return await self.get(href)

    async def link(self, connector: str = "posting") -> httpx.Response:
        return await self.come_back(await self.begin_at_account("/account/link", connector=connector))


class Running:
    """An open host with all that stands around it."""

    def __init__(self, app: Starlette, provider: Provider, clock: Clock, base: str) -> None:
        self.app = app
        self.provider = provider
        self.clock = clock
        self.base = base

    @property
    def host(self) -> Host:
        found: Host = self.app.state.host
        return found

    def browser(self) -> Browser:
        return Browser(self.app, self.provider, self.base)

    def at_the_provider_sits(self, person: Person) -> None:
        """From now on this is who the provider authorizes."""
        self.provider.people = {person.sub: person}


CONFIGURATION = """
[host]
base_url = "{base}"
database = "{database}"
{host}

[connectors.acme]
type = "test-oidc"
{acme}
[connectors.acme.config]
clientId = "client-1"
clientSecret = "{secret}"

[connectors.posting]
type = "posting-oidc"
{posting}
[connectors.posting.config]
clientId = "client-1"
clientSecret = "{secret}"

[connectors.down]
type = "down-oidc"
[connectors.down.config]
clientId = "client-1"
clientSecret = "{secret}"
{more}
"""

Start = Callable[..., Any]


async def open_host(
    stack: AsyncExitStack,
    folder: Path,
    canary: Canary,
    *,
    base: str = BASE,
    host: str = "",
    acme: str = "",
    posting: str = "",
    more: str = "",
    database: str | None = None,
    plugins: Iterable[object] = (),
) -> Running:
    """A host with its files in ``folder``, open as long as ``stack`` is."""
    secret = canary.secret("client-secret")
    clock = Clock()
    callbacks = tuple(f"{base}/callback/{name}" for name in ("acme", "posting", "down"))
    provider = Provider(
        clock=clock,
        clients={"client-1": Client(secret=secret, redirect_uris=callbacks)},
    )
    text = CONFIGURATION.format(
        base=base,
        database=database or f"sqlite:///{folder}/host.db",
        host=host,
        acme=acme,
        posting=posting,
        more=more,
        secret=secret,
    )
    configuration = configured(folder, text, TestOIDC, PostingOIDC, UnreachableOIDC, Google)
    sender = HttpSender(transport=provider.transport())
    hub = Hub.from_config(configuration, sender=sender, clock=clock)
    app = create_app(configuration, hub=hub, clock=clock, plugins=plugins)
    await stack.enter_async_context(app.router.lifespan_context(app))
    stack.push_async_callback(sender.aclose)
    return Running(app, provider, clock, base)


@pytest.fixture
async def start(tmp_path: Path, canary: Canary) -> AsyncIterator[Start]:
    """``await start(host="sign_up = false", acme="order = 1", more="…")``: an open host."""
    async with AsyncExitStack() as stack:
        yield partial(open_host, stack, tmp_path, canary)


@pytest.fixture
async def running(start: Start) -> Running:
    opened: Running = await start()
    return opened


@pytest.fixture(scope="session")
def make_key_once() -> Callable[[], RSAKey]:
    return cache(signing_key.new_signing_key)


@pytest.fixture
def one_signing_key(make_key_once: Callable[[], RSAKey], monkeypatch: pytest.MonkeyPatch) -> None:
    """Making an RSA key takes longer than the tests that need one."""
    monkeypatch.setattr(signing_key, "new_signing_key", make_key_once)


@pytest.fixture(scope="module")
def postgresql(new_postgres_database: Callable[[], str]) -> str:
    """A database of the module's own on PostgreSQL, with the core's schema and the host's."""
    url = new_postgres_database()
    upgrade(url)
    upgrade(url, own_migrations())
    return url
