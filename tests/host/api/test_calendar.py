"""A calendar application, request by request: least scope at sign-in, more when the person asks for more."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.host.api.conftest import CALLBACK, Open, Page, api_of, asked
from tests.host.conftest import BASE, Running

READ = "https://www.googleapis.com/auth/calendar.readonly"
WRITE = "https://www.googleapis.com/auth/calendar"
MAIL = "https://www.googleapis.com/auth/gmail.send"
DRIVE = "https://www.googleapis.com/auth/drive.file"

GOOGLE = f"""
[connectors.google-connector-id]
type = "test-oidc"
target = "google"
token_storage = true
[connectors.google-connector-id.config]
clientId = "google-client"
clientSecret = "a-secret-of-nobody"
scope = "openid profile email {READ}"
"""


@pytest.fixture
async def running(start_api: Open) -> Running:
    running = await start_api(acme="", more=GOOGLE)
    provider = running.provider
    provider.scopes_supported += (READ, WRITE, MAIL, DRIVE)
    uris = (CALLBACK, f"{BASE}/callback/google-connector-id")
    provider.register("google-client", secret="a-secret-of-nobody", redirect_uris=uris)
    return running


class Calendar:
    """What the article's page does. Each request goes out exactly as its ``fetch`` would send it."""

    def __init__(self, page: Page, running: Running) -> None:
        self.page, self.running = page, running
        self.user_access_token = ""

    async def sign_in(self) -> None:
        await self.page.browser.sign_in("google-connector-id", return_to="/user")
        await self.page.look()
        await self.renew()

    async def renew(self) -> None:
        answer = await self.page.fetch("POST", "/token", {"scope": "identities tokens verification"})
        assert answer.status_code == 200
        self.user_access_token = answer.json()["access_token"]

    async def fetch(self, path: str, *, method: str = "GET", body: Any = None, typed: bool = False) -> Any:
        """``fetch(path, {method, headers: {Authorization}, body: JSON.stringify(body)})`` of another origin.

        A string body without a content type of its own is sent as ``text/plain;charset=UTF-8``.
        """
        headers = [
            ("Authorization", f"Bearer {self.user_access_token}"),
            ("Accept", "*/*"),
            ("Origin", "https://yourapp.com"),
            ("Sec-Fetch-Site", "cross-site"),
            ("Sec-Fetch-Mode", "cors"),
            ("Sec-Fetch-Dest", "empty"),
        ]
        content = b""
        if body is not None:
            content = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
            headers.append(("Content-Type", "application/json" if typed else "text/plain;charset=UTF-8"))
        request = httpx.Request(method, BASE + path, headers=headers, content=content)
        return await self.page.browser.send(request)

    async def google_token(self) -> str:
        answer = await self.fetch("/my-account/identities/google/access-token")
        assert answer.status_code == 200, answer.text
        return str(answer.json()["accessToken"])

    async def call(self, scope: str) -> int:
        return api_of(self.running, await self.google_token(), scope)


async def test_the_article_from_its_first_request_to_its_last(running: Running) -> None:
    provider, clock = running.provider, running.clock
    calendar = Calendar(Page(running.browser()), running)

    # Least scope at sign-in, and who signed in.
    started = await calendar.page.browser.begin("google-connector-id", return_to="/user")
    assert set(asked(started.headers["location"])["scope"].split()) == {"openid", "profile", "email", READ}
    await calendar.sign_in()
    assert (await calendar.page.look())["claims"]["name"] == "Alice Example"

    # Reading the calendar.
    assert await calendar.call(READ) == 200
    assert await calendar.call(WRITE) == 403

    # An hour later the token has expired, and nobody notices.
    first = await calendar.google_token()
    clock.now += 3700
    await calendar.renew()
    assert api_of(running, first, READ) == 401
    assert await calendar.call(READ) == 200
    assert provider.requests.count("token") == 2

    # More, when the person asks for more.
    verification = await calendar.fetch(
        "/api/verification/social",
        method="POST",
        typed=True,
        body={
            "connectorId": "google-connector-id",
            "redirectUri": CALLBACK,
            "scope": f"{WRITE} {MAIL}",
        },
    )
    assert verification.status_code == 201
    record, uri = (verification.json()[name] for name in ("verificationRecordId", "authorizationUri"))
    assert {WRITE, MAIL} <= set(asked(uri)["scope"].split())
    landing = await provider.visit(uri)
    assert landing.uri == CALLBACK
    verified = await calendar.fetch(
        "/api/verification/social/verify",
        method="POST",
        typed=True,
        body={"verificationRecordId": record, "connectorData": dict(landing.parameters)},
    )
    assert verified.status_code == 200
    # Nothing changes before the application says so.
    assert await calendar.call(WRITE) == 403
    patched = await calendar.fetch(
        "/my-account/identities/google/access-token",
        method="PATCH",
        body={"socialVerificationId": record},
    )
    assert patched.status_code == 200
    assert {READ, WRITE, MAIL} <= set(patched.json()["scope"].split())
    assert [await calendar.call(scope) for scope in (READ, WRITE, MAIL, DRIVE)] == [200, 200, 200, 403]

    # It outlives the access token …
    clock.now += 3700
    await calendar.renew()
    assert [await calendar.call(scope) for scope in (READ, WRITE, MAIL)] == [200, 200, 200]

    # … and the session: who signs in again, with the least scope, has what was granted.
    assert (await calendar.page.browser.post("/sign-out")).status_code == 200
    gone = await calendar.fetch("/my-account/identities/google/access-token")
    assert gone.status_code == 401
    await calendar.sign_in()
    assert [await calendar.call(scope) for scope in (READ, WRITE, MAIL)] == [200, 200, 200]
    clock.now += 3700
    await calendar.renew()
    assert [await calendar.call(scope) for scope in (READ, WRITE, MAIL)] == [200, 200, 200]
    assert provider.families_revoked == 0


async def test_a_scope_that_was_unticked_is_told_by_name(running: Running) -> None:
    calendar = Calendar(Page(running.browser()), running)
    await calendar.sign_in()
    running.provider.refused_scopes = frozenset({MAIL})
    verification = await calendar.fetch(
        "/api/verification/social",
        method="POST",
        body={
            "connectorId": "google-connector-id",
            "redirectUri": CALLBACK,
            "scope": f"{WRITE} {MAIL}",
        },
    )
    record, uri = (verification.json()[name] for name in ("verificationRecordId", "authorizationUri"))
    landing = await running.provider.visit(uri)
    body = {"verificationRecordId": record, "connectorData": dict(landing.parameters)}
    await calendar.fetch("/api/verification/social/verify", method="POST", body=body)
    patched = await calendar.fetch(
        "/my-account/identities/google/access-token", method="PATCH", body={"socialVerificationId": record}
    )
    assert patched.status_code == 200
    assert MAIL not in patched.json()["scope"]
    refused = await calendar.fetch(f"/my-account/identities/google/access-token?scope={MAIL}")
    problem = refused.json()
    assert (refused.status_code, problem["code"], problem["missing"]) == (403, "scope_required", [MAIL])
    assert await calendar.call(WRITE) == 200
