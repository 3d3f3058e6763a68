"""A host that stores tokens, an application that calls its APIs, and the APIs behind the provider."""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import httpx
import pytest

from connectors_core.testing.provider import Client
from connectors_core.testing.provider.grants import Refused
from tests.host.api.description import as_described
from tests.host.conftest import Browser, Running, Start

CALLBACK = "https://yourapp.com/callback"
OTHER_CALLBACK = "https://yourapp.com/other"
KEYS = "TEST_VAULT_KEYS"

APP = f"""
[apps.calendar]
secret = "not-a-secret-of-anybody"
redirect_uris = ["{CALLBACK}", "{OTHER_CALLBACK}"]
origins = ["https://yourapp.com"]
may_read_tokens = ["acme"]

[apps.nosy]
secret = "another-secret-of-nobody"
"""
SCOPE = 'scope = "openid profile email offline_access"'


@pytest.fixture(autouse=True)
def _a_key_is_made_once(one_signing_key: None) -> None: ...


@pytest.fixture(autouse=True)
def vault_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEYS, "k1:" + base64.b64encode(bytes(32)).decode())


Open = Callable[..., Awaitable[Running]]


@pytest.fixture
def start_api(start: Start) -> Open:
    """``start``, with storage of acme's tokens and two applications."""

    async def open_host(*, acme: str = "token_storage = true", more: str = "", **options: Any) -> Running:
        host = f'vault_keys = "env:{KEYS}"\n' + options.pop("host", "")
        running: Running = await start(acme=acme, host=host, more=APP + more, **options)
        known = running.provider.clients["client-1"]
        running.provider.clients["client-1"] = Client(
            secret=known.secret, redirect_uris=(*known.redirect_uris, CALLBACK, OTHER_CALLBACK)
        )
        running.provider.refresh_tokens = "always"
        return running

    return open_host


@pytest.fixture
async def served(start_api: Open) -> Running:
    return await start_api()


class Page:
    """A page of the host in a person's browser: its ``fetch`` carries what it must."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.csrf = ""

    @classmethod
    async def signed_in(cls, running: Running, connector: str = "acme") -> Page:
        page = cls(running.browser())
        await page.browser.sign_in(connector)
        await page.look()
        return page

    async def look(self) -> dict[str, Any]:
        said = await self.browser.user()
        self.csrf = said.get("csrfToken", "")
        return said

    @property
    def headers(self) -> dict[str, str]:
        return {
            "Accept": "*/*",
            "Sec-Fetch-Site": "same-origin",
            "Sec-Fetch-Mode": "cors",
            "Sec-Fetch-Dest": "empty",
            "Content-Type": "application/json",
            "X-CSRF-Token": self.csrf,
            "Cookie": "; ".join(f"{name}={value}" for name, value in self.browser.cookies.items()),
        }

    async def fetch(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str | None] | None = None,
        **query: str,
    ) -> httpx.Response:
        return await self.send(method, path, body, {**self.headers, **(headers or {})}, query)

    async def send(
        self, method: str, path: str, body: Any, headers: dict[str, str | None] | dict[str, str], query: Any
    ) -> httpx.Response:
        url = urljoin(self.browser.base, path) + (f"?{urlencode(query)}" if query else "")
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        request = httpx.Request(
            method, url, content=content, headers={k: v for k, v in headers.items() if v is not None}
        )
        response = await self.browser.send(request)
        response.request = request
        as_described(response)
        return response

    async def token(self, scope: str = "identities tokens verification") -> App:
        answer = await self.fetch("POST", "/token", {"scope": scope})
        assert answer.status_code == 200, answer.text
        return App(self, answer.json()["access_token"])


@dataclass
class App:
    """An application's front end with a bearer token; it sends no cookie and no content type."""

    page: Page
    token: str = field(repr=False)

    async def fetch(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        **query: str,
    ) -> httpx.Response:
        sent = {"Authorization": f"Bearer {self.token}", "Accept": "*/*", **(headers or {})}
        return await self.page.send(method, path, body, sent, query)

    async def begin(self, **body: str) -> dict[str, Any]:
        wanted = {"connectorId": "acme", "redirectUri": CALLBACK, **body}
        answer = await self.fetch("POST", "/api/verification/social", wanted)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def visit(self, begun: dict[str, Any]) -> dict[str, str]:
        """Send the browser to the provider; return what the application's callback gets."""
        landing = await self.page.browser.provider.visit(begun["authorizationUri"])
        return dict(landing.parameters)

    async def verify(self, begun: dict[str, Any], data: dict[str, Any]) -> httpx.Response:
        body = {"verificationRecordId": begun["verificationRecordId"], "connectorData": data}
        return await self.fetch("POST", "/api/verification/social/verify", body)

    async def verified(self, **body: str) -> str:
        """The id of a record that went all the way."""
        begun = await self.begin(**body)
        answer = await self.verify(begun, await self.visit(begun))
        assert answer.status_code == 200, answer.text
        return str(begun["verificationRecordId"])


def asked(uri: str) -> dict[str, str]:
    """The parameters of an authorization URI."""
    return {name: values[0] for name, values in parse_qs(urlsplit(uri).query).items()}


def api_of(running: Running, token: str, scope: str) -> int:
    """What an API behind the provider answers to ``token`` when it needs ``scope``."""
    try:
        access = running.provider.ledger.live_access_token(token, now=running.clock.now)
    except Refused:
        return 401
    return 200 if scope in access.scopes else 403
