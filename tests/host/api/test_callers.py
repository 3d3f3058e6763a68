"""Who may call what: over every route, without a session, from another site, with less than it needs."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from connectors_host.api.bearer import LIFETIME, SCOPES
from connectors_host.api.routes import routes
from joserfc import jwt
from joserfc.jwk import OctKey
from starlette.routing import Route

from tests.host.api.conftest import CALLBACK, App, Page
from tests.host.conftest import BASE, Running

SAFE = {"GET"}
GUARDED = "/access-token"

TABLE = [
    (method, route.path)
    for route in routes()
    if isinstance(route, Route) and route.path != "/openapi.json"
    for method in sorted(route.methods or ())
]
OF_PEOPLE = [row for row in TABLE if not row[1].startswith(("/api/users/", "/continue/"))]
BEARERS = [row for row in OF_PEOPLE if row[1] != "/token"]


def filled(path: str) -> str:
    for name, value in (("target", "acme"), ("id", "x"), ("owner", "user_0"), ("handle", "x~y")):
        path = path.replace(f"{{{name}}}", value)
    return path


def needed(path: str) -> str:
    if "verification" in path:
        return "verification"
    return "tokens" if path.endswith("/access-token") else "identities"


def test_no_route_is_outside_the_table() -> None:
    assert len(TABLE) == len(set(TABLE)) >= 30


@pytest.fixture
async def page(served: Running) -> Page:
    return await Page.signed_in(served)


@pytest.fixture
async def app(page: Page) -> App:
    return await page.token()


async def test_without_a_session_every_route_says_so(served: Running) -> None:
    stranger = Page(served.browser())
    for method, path in OF_PEOPLE:
        answer = await stranger.fetch(method, filled(path), {})
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated"), (method, path)
        assert answer.headers["www-authenticate"].startswith("Bearer"), (method, path)
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    "authorization",
    ["Bearer x", "Bearer", "", "Basic eDp4", "bearer a.b.c", "Token x", "Bearer " + "x" * 5000],
)
async def test_a_present_authorization_is_never_a_reason_to_look_at_the_cookie(
    page: Page, authorization: str
) -> None:
    for method, path in OF_PEOPLE:
        answer = await page.fetch(method, filled(path), {}, headers={"Authorization": authorization})
        assert answer.status_code == 401, (method, path)
        assert answer.headers["www-authenticate"].startswith("Bearer"), (method, path)


@pytest.mark.parametrize(
    "forged",
    [
        {"X-CSRF-Token": None},
        {"X-CSRF-Token": "x"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.test"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": None, "Origin": "https://evil.test"},
        {"Sec-Fetch-Site": None, "Origin": "null"},
        {"Sec-Fetch-Site": None},
        {"Content-Type": "text/plain"},
        {"Content-Type": None},
        {"Content-Type": "application/x-www-form-urlencoded"},
    ],
)
async def test_another_site_changes_nothing_with_the_cookie(
    page: Page, served: Running, forged: dict[str, str | None]
) -> None:
    for method, path in OF_PEOPLE:
        read = method in SAFE
        if read and (not path.endswith(GUARDED) or "Content-Type" in forged):
            continue
        answer = await page.fetch(method, filled(path), {}, headers=forged)
        assert (answer.status_code, answer.json()["code"]) == (403, "csrf_failed"), (method, path)
    assert (await page.browser.user())["isAuthenticated"] is True


async def test_an_old_browser_is_known_by_its_origin(page: Page) -> None:
    old: dict[str, str | None] = {
        "Sec-Fetch-Site": None, "Sec-Fetch-Mode": None, "Sec-Fetch-Dest": None, "Origin": BASE,
    }  # fmt: skip
    assert (await page.fetch("POST", "/token", {}, headers=old)).status_code == 200
    answer = await page.fetch("GET", "/my-account/identities/acme/access-token", headers=old)
    assert answer.status_code == 200


async def test_every_route_needs_its_scope(page: Page) -> None:
    for scope in SCOPES:
        app = await page.token(scope)
        for method, path in BEARERS:
            if scope == needed(path):
                continue
            answer = await app.fetch(method, filled(path), {})
            assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope"), (method, path)
            challenge = answer.headers["www-authenticate"]
            assert challenge == f'Bearer error="insufficient_scope", scope="{needed(path)}"'


async def test_with_its_scope_no_route_says_unauthenticated_or_forbidden(page: Page) -> None:
    for scope in ("tokens", "verification", "identities"):
        for method, path in BEARERS:
            if needed(path) == scope and path not in ("/my-account", "/api/my-account"):
                page = await Page.signed_in(_running_of(page))
                answer = await (await page.token(scope)).fetch(method, filled(path), {})
                assert answer.status_code in (200, 204, 400, 404, 422), (method, path, answer.text)


def _running_of(page: Page) -> Running:
    return Running(page.browser.app, page.browser.provider, None, BASE)  # type: ignore[arg-type]


async def test_a_bearer_needs_neither_content_type_nor_origin(app: App) -> None:
    body = json.dumps({"connectorId": "acme", "redirectUri": CALLBACK}).encode()
    for kind in ("text/plain;charset=UTF-8", "application/json", "application/octet-stream"):
        headers = {"Content-Type": kind, "Origin": "https://yourapp.com", "Sec-Fetch-Site": "cross-site"}
        answer = await app.fetch("POST", "/api/verification/social", body, headers=headers)
        assert answer.status_code == 201


async def test_the_cookie_beside_a_good_bearer_adds_nothing(page: Page) -> None:
    app = await page.token("profile")
    answer = await app.fetch("GET", "/my-account/identities", headers={"Cookie": page.headers["Cookie"]})
    assert answer.status_code == 403


async def test_head_reads_no_token(app: App) -> None:
    answer = await app.fetch("HEAD", "/my-account/identities/acme/access-token")
    assert answer.status_code == 405


class TestToken:
    async def test_it_is_what_rfc_9068_says(self, page: Page, served: Running) -> None:
        answer = await page.fetch("POST", "/token", {"scope": "tokens verification"})
        said = answer.json()
        assert (answer.status_code, said["token_type"], said["expires_in"]) == (200, "Bearer", LIFETIME)
        assert answer.headers["cache-control"] == "no-store"
        header, claims = (
            json.loads(base64.urlsafe_b64decode(part + "==")) for part in said["access_token"].split(".")[:2]
        )
        assert (header["typ"], header["alg"]) == ("at+jwt", "RS256")
        now = int(served.clock.now)
        owner = (await page.look())["claims"]["sub"]
        assert claims.pop("jti")
        assert claims == {
            "iss": BASE, "aud": BASE, "sub": owner, "client_id": BASE, "scope": "tokens verification",
            "iat": now, "exp": now + 600, "auth_time": now,
        }  # fmt: skip

    async def test_its_default_is_the_profile(self, page: Page) -> None:
        token = (await page.fetch("POST", "/token", {})).json()["access_token"]
        said = await page.send("GET", "/user", None, {"Authorization": f"Bearer {token}"}, {})
        assert said.json()["claims"]["name"] == "Alice Example"
        assert "csrfToken" not in said.json()

    async def test_user_tells_nothing_for_another_scope(self, app: App) -> None:
        assert (await app.fetch("GET", "/user")).json() == {"isAuthenticated": False}

    @pytest.mark.parametrize("scope", ["admin", "tokens admin", "TOKENS", "tokens  verification", " "])
    async def test_unknown_scopes_are_refused(self, page: Page, scope: str) -> None:
        refused = await page.fetch("POST", "/token", {"scope": scope})
        assert (refused.status_code, refused.json()["code"]) == (400, "invalid_scope")

    async def test_no_token_brings_forth_another(self, app: App) -> None:
        assert (await app.fetch("POST", "/token", {"scope": "profile"})).status_code == 401

    async def test_it_ends_after_ten_minutes(self, app: App, served: Running) -> None:
        served.clock.now += 599
        assert (await app.fetch("GET", "/my-account/identities")).status_code == 200
        served.clock.now += 2
        assert (await app.fetch("GET", "/my-account/identities")).status_code == 401

    async def test_it_ends_with_the_session(self, app: App, page: Page) -> None:
        await page.browser.post("/sign-out")
        refused = await app.fetch("GET", "/my-account/identities")
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"] == 'Bearer error="invalid_token"'

    async def test_it_never_outlives_the_session(self, served: Running, page: Page) -> None:
        session = await served.host.session(_request(served, page))
        assert session is not None
        served.clock.now = session.expires_at - 60
        database = served.host.hub.database
        await database.run([("UPDATE host_sessions SET last_seen_at = :now", {"now": served.clock.now})])
        said = (await page.fetch("POST", "/token", {})).json()
        assert said["expires_in"] <= 60

    async def test_who_reads_the_database_can_name_no_token(self, app: App, served: Running) -> None:
        """Nor would the signing key suffice, if they had that."""
        key = await served.host.signing_keys.current()
        bearers = await served.host.hub.database.fetch("SELECT * FROM host_bearers")
        claims = json.loads(base64.urlsafe_b64decode(app.token.split(".")[1] + "=="))
        assert claims["jti"] not in repr(bearers)
        claims["jti"] = "guessed" * 6
        forged = jwt.encode({"alg": "RS256", "typ": "at+jwt", "kid": key.kid}, claims, key)
        assert (await App(app.page, forged).fetch("GET", "/my-account/identities")).status_code == 401

    @pytest.mark.parametrize(
        "change",
        [
            {"aud": "https://other.test"},
            {"aud": [BASE]},
            {"iss": "https://other.test"},
            {"jti": None},
            {"jti": 7},
        ],
    )
    async def test_other_claims_are_refused(self, app: App, served: Running, change: dict[str, Any]) -> None:
        claims = json.loads(base64.urlsafe_b64decode(app.token.split(".")[1] + "=="))
        forged = await self.signed(served, {"typ": "at+jwt"}, {**claims, **change})
        assert (await App(app.page, forged).fetch("GET", "/my-account/identities")).status_code == 401

    async def test_a_scope_that_was_not_given_is_not_believed(self, page: Page, served: Running) -> None:
        app = await page.token("profile")
        claims = json.loads(base64.urlsafe_b64decode(app.token.split(".")[1] + "=="))
        forged = await self.signed(served, {"typ": "at+jwt"}, {**claims, "scope": " ".join(SCOPES)})
        assert (await App(app.page, forged).fetch("GET", "/my-account/identities")).status_code == 403

    @pytest.mark.parametrize("header", [{"typ": "JWT"}, {}, {"typ": "at+jwt", "alg": "PS256"}])
    async def test_other_headers_are_refused(self, app: App, served: Running, header: dict[str, str]) -> None:
        claims = json.loads(base64.urlsafe_b64decode(app.token.split(".")[1] + "=="))
        forged = await self.signed(served, header, claims)
        assert (await App(app.page, forged).fetch("GET", "/my-account/identities")).status_code == 401

    async def test_neither_no_algorithm_nor_one_with_the_public_key(self, app: App, served: Running) -> None:
        claims = json.loads(base64.urlsafe_b64decode(app.token.split(".")[1] + "=="))
        public = (await served.host.signing_keys.current()).as_pem(private=False)
        kid = (await served.host.signing_keys.current()).kid
        shared = jwt.encode(
            {"alg": "HS256", "typ": "at+jwt", "kid": kid}, claims, OctKey.import_key(base64.b64encode(public))
        )
        head = base64.urlsafe_b64encode(b'{"alg":"none","typ":"at+jwt"}').rstrip(b"=").decode()
        for forged in (shared, f"{head}.{app.token.split('.')[1]}."):
            assert (await App(app.page, forged).fetch("GET", "/my-account/identities")).status_code == 401

    @staticmethod
    async def signed(served: Running, header: dict[str, str], claims: dict[str, Any]) -> str:
        key = await served.host.signing_keys.current()
        algorithm = header.get("alg", "RS256")
        return jwt.encode({"alg": algorithm, "kid": key.kid, **header}, claims, key, algorithms=[algorithm])

    async def test_hosts_on_one_database_use_one_key(self, served: Running, page: Page) -> None:
        from connectors_host.api.bearer import Bearers
        from connectors_host.signing_keys import SigningKeys

        database = served.host.hub.database
        session = await served.host.session(_request(served, page))
        assert session is not None
        clock = served.clock
        all_keys = [SigningKeys(served.host.hub, clock=clock) for _ in range(3)]
        hosts = [Bearers(database, keys=keys, issuer=BASE, clock=clock) for keys in all_keys]
        issued = await hosts[0].issue(session, ("tokens",))
        for host in hosts:
            opened = await host.open(issued.access_token)
            assert opened is not None
            assert opened.scopes == {"tokens"}
        assert len(await database.fetch("SELECT * FROM host_signing_keys")) == 1

    async def test_expired_ones_are_swept(self, served: Running, page: Page) -> None:
        await page.token()
        served.clock.now += 3600
        await page.token()
        assert len(await served.host.hub.database.fetch("SELECT * FROM host_bearers")) == 1


def _request(served: Running, page: Page) -> Any:
    from starlette.requests import Request

    cookie = page.headers["Cookie"].encode()
    return Request({"type": "http", "headers": [(b"cookie", cookie)], "app": served.app})
