"""Applications that sign their people in at the host."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import pytest_asyncio
from joserfc import jwt
from joserfc.jwk import KeySet

from connectors_core.testing.provider import Person
from tests.canary import Canary
from tests.host.conftest import BASE, Browser, Running, open_host

ISSUER = f"{BASE}/oidc"
CALLBACK = "https://shop.test/callback"
VERIFIER = "a-verifier-that-nobody-else-would-ever-think-of"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
SCOPE = "openid offline_access profile email"

APPS = """
[apps.shop]
secret = "literal:{secret}"
redirect_uris = ["https://shop.test/callback", "https://shop.test/other?kept=1"]
post_logout_redirect_uris = ["https://shop.test/bye"]

[apps.page]
redirect_uris = ["https://page.test/callback"]
origins = ["https://page.test"]

[apps.rival]
secret = "literal:{secret}-of-the-rival"
redirect_uris = ["https://rival.test/callback"]
"""


@pytest.fixture(autouse=True)
def _a_key_is_made_once(one_signing_key: None) -> None: ...


class App:
    """One application: its browser's requests, and those of its server."""

    def __init__(self, running: Running, canary: Canary, *, client_id: str, secret: str | None) -> None:
        self.running = running
        self.client_id = client_id
        self.secret = secret
        self.redirect_uri = CALLBACK.replace("shop", client_id)
        self._server = Browser(running.app, running.provider, running.base)
        self._canary = canary

    def parameters(self, **changed: str | None) -> dict[str, str]:
        """A good authorization request, with what differs; None leaves a parameter out."""
        good = {
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "response_type": "code",
            "scope": SCOPE,
            "state": "the-state-of-this-test",
            "nonce": "the-nonce-of-this-test",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
        }
        return {name: value for name, value in {**good, **changed}.items() if value is not None}

    async def ask(self, browser: Browser, **changed: str | None) -> httpx.Response:
        """Send the browser to the host, as a navigation from the application's site."""
        return await browser.get(
            "/oidc/auth", query=self.parameters(**changed), headers={"Sec-Fetch-Site": "cross-site"}
        )

    async def code(self, browser: Browser, **changed: str | None) -> str:
        """The code for whoever is signed in in ``browser``."""
        answer = landed(await self.ask(browser, **changed))
        assert "error" not in answer, answer
        return self._canary.watch(answer["code"], "a code")

    async def post(
        self, path: str, *, method: str = "basic", headers: dict[str, str | None] | None = None, **form: Any
    ) -> httpx.Response:
        """A request of the application's server, which authenticates by ``method``."""
        own: dict[str, str | None] = {"Accept": "application/json", "Sec-Fetch-Site": None}
        if method == "basic":
            basic = base64.b64encode(f"{self.client_id}:{self.secret}".encode()).decode()
            own["Authorization"] = f"Basic {basic}"
        elif method == "post":
            form = {"client_id": self.client_id, "client_secret": str(self.secret), **form}
        elif method == "none":
            form = {"client_id": self.client_id, **form}
        answer = await self._server.post(path, form=form, headers=own | (headers or {}), cookies=False)
        content = answer.json()
        for name in ("access_token", "refresh_token", "id_token"):
            if name in content:
                self._canary.watch(content[name], f"an {name}")
        return answer

    async def redeem(self, code: str, *, method: str | None = None, **changed: str) -> httpx.Response:
        form: dict[str, Any] = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": VERIFIER,
        }
        return await self.post("/oidc/token", method=method or self.method, **{**form, **changed})

    async def refresh(self, token: str, *, method: str | None = None, **changed: str) -> httpx.Response:
        form: dict[str, Any] = {"grant_type": "refresh_token", "refresh_token": token, **changed}
        return await self.post("/oidc/token", method=method or self.method, **form)

    async def tokens(self, browser: Browser, **changed: str | None) -> dict[str, Any]:
        """All that a sign-in gives."""
        answer = await self.redeem(await self.code(browser, **changed))
        assert answer.status_code == 200, answer.json()
        return dict(answer.json())

    async def get(self, path: str, token: str, **headers: str | None) -> httpx.Response:
        return await self._server.get(
            path,
            headers={
                "Authorization": f"Bearer {token}",
                "Accept": "application/json",
                "Sec-Fetch-Site": None,
                **headers,
            },
            cookies=False,
        )

    @property
    def method(self) -> str:
        return "basic" if self.secret else "none"

    async def claims(self, token: str) -> dict[str, Any]:
        """The claims of a token, verified by the keys that the host publishes."""
        keys = KeySet.import_key_set((await self._server.get("/oidc/jwks")).json())
        return dict(jwt.decode(token, keys, algorithms=["RS256"]).claims)


def landed(answer: httpx.Response) -> dict[str, str]:
    """What the browser brings to the application; the answer says who gives it."""
    assert answer.status_code in (302, 303), answer.text
    there = urlsplit(answer.headers["location"])
    assert there.netloc.endswith(".test"), answer.headers["location"]
    assert there.netloc != "host.test", answer.headers["location"]
    found = parse_qs(there.query, strict_parsing=True, keep_blank_values=True)
    assert all(len(values) == 1 for values in found.values())
    assert found["iss"] == [ISSUER]
    return {name: values[0] for name, values in found.items()}


KEPT = (
    *("connectors_alembic_version", "connectors_host_alembic_version"),
    *("host_signing_keys", "connectors_connector_secrets"),
)
"""Tables that stay from one test to the next; so do the keys of a vault."""


async def fresh(running: Running) -> Running:
    """A host that is open for several tests, as if nothing had happened before."""
    database = running.host.hub.database
    tables = await database.fetch("SELECT name FROM sqlite_master WHERE type = 'table'")
    gone = [name for (name,) in tables if name not in KEPT and not name.startswith("connectors_vault")]
    await database.run([(f"DELETE FROM {name}", {}) for name in gone])
    running.at_the_provider_sits(Person())
    return running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared(tmp_path_factory: pytest.TempPathFactory, canary: Canary) -> AsyncIterator[Running]:
    async with AsyncExitStack() as stack:
        more = APPS.format(secret=canary.secret("app-secret"))
        yield await open_host(stack, tmp_path_factory.mktemp("oidc"), canary, more=more)


@pytest_asyncio.fixture(loop_scope="session")
async def served(shared: Running) -> Running:
    return await fresh(shared)


def app_of(running: Running, canary: Canary, client_id: str) -> App:
    secret = running.host.configuration.apps[client_id].secret
    return App(running, canary, client_id=client_id, secret=secret.get_secret_value() if secret else None)


@pytest.fixture
def shop(served: Running, canary: Canary) -> App:
    """A confidential application."""
    return app_of(served, canary, "shop")


@pytest.fixture
def page_app(served: Running, canary: Canary) -> App:
    """A public one."""
    return app_of(served, canary, "page")


@pytest.fixture
def rival(served: Running, canary: Canary) -> App:
    """Another confidential one."""
    return app_of(served, canary, "rival")


@pytest_asyncio.fixture(loop_scope="session")
async def alice(served: Running) -> Browser:
    """A browser in which Alice is signed in."""
    browser = served.browser()
    await browser.sign_in()
    return browser


@pytest.fixture(autouse=True)
def _states_are_secret(canary: Canary) -> Iterator[None]:
    yield
    for value in ("the-state-of-this-test", "the-nonce-of-this-test", VERIFIER):
        canary.watch(value, "a state, nonce or verifier")
