"""What an application's access token reaches: userinfo, ``/user`` and the Account API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
import pytest_asyncio

from connectors_core.events import Event
from connectors_core.testing.provider import Person
from tests.canary import Canary
from tests.host.conftest import BASE, Browser, Running, open_host
from tests.host.oidc.conftest import APPS, CALLBACK, App, app_of, fresh

pytestmark = pytest.mark.asyncio(loop_scope="session")

EVERYTHING = "openid offline_access profile email phone identities tokens verification"
TOKEN = "/my-account/identities/acme/access-token"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def storing(tmp_path_factory: pytest.TempPathFactory, canary: Canary) -> AsyncIterator[Running]:
    apps = APPS.format(secret=canary.secret("app-secret"))
    async with AsyncExitStack() as stack:
        environment = stack.enter_context(pytest.MonkeyPatch.context())
        environment.setenv("HOST_TEST_KEYS", "key-1:ZmFrZS1rZXktb2YtdGhlLWhvc3QtdGVzdHMtMzJiISE=")
        yield await open_host(
            stack,
            tmp_path_factory.mktemp("storing"),
            canary,
            host='vault_keys = "env:HOST_TEST_KEYS"',
            acme="token_storage = true",
            posting='token_storage = true\ntarget = "posting"',
            more=apps.replace("[apps.page]", 'may_read_tokens = ["acme"]\n\n[apps.page]'),
        )


@pytest_asyncio.fixture(loop_scope="session")
async def stored(storing: Running) -> Running:
    """A host that stores tokens, and lets the shop read those of one target."""
    return await fresh(storing)


async def signed_in(running: Running) -> Browser:
    browser = running.browser()
    await browser.sign_in()
    return browser


class TestUserinfo:
    async def test_the_claims_are_those_of_the_scope(self, shop: App, alice: Browser) -> None:
        user = (await alice.user())["claims"]
        for scope, names in (
            ("openid", {"sub"}),
            ("openid profile", {"sub", "name", "picture"}),
            ("openid email", {"sub", "email", "email_verified"}),
        ):
            tokens = await shop.tokens(alice, scope=scope)
            answer = await shop.get("/oidc/me", tokens["access_token"])
            said = answer.json()
            assert {*said} == names
            assert all(user[name] == value for name, value in said.items())
            assert answer.headers["cache-control"] == "no-store"

    async def test_identities_are_told_as_logto_does(self, shop: App, alice: Browser) -> None:
        tokens = await shop.tokens(alice, scope="openid identities")
        said = (await shop.get("/oidc/me", tokens["access_token"])).json()
        (identity,) = said["identities"].values()
        assert identity["userId"] == identity["details"]["id"] == Person().sub
        assert "identities" not in await shop.claims(tokens["id_token"])

    async def test_a_post_is_answered_too(self, shop: App, alice: Browser) -> None:
        tokens = await shop.tokens(alice)
        bearer: dict[str, str | None] = {"Authorization": f"Bearer {tokens['access_token']}"}
        answer = await shop.post("/oidc/me", method="", headers=bearer)
        assert answer.status_code == 200

    async def test_a_cookie_is_no_token(self, alice: Browser) -> None:
        answer = await alice.get("/oidc/me", headers={"Accept": "application/json"})
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")

    async def test_openid_is_needed(self, shop: App, alice: Browser) -> None:
        tokens = await shop.tokens(alice, scope="profile")
        answer = await shop.get("/oidc/me", tokens["access_token"])
        assert answer.status_code == 403
        assert 'error="insufficient_scope", scope="openid"' in answer.headers["www-authenticate"]

    @pytest.mark.parametrize("name", ["id_token", "refresh_token"])
    async def test_another_kind_of_token_is_refused(self, shop: App, alice: Browser, name: str) -> None:
        answer = await shop.get("/oidc/me", (await shop.tokens(alice))[name])
        assert answer.status_code == 401
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]

    async def test_a_token_lives_ten_minutes(self, shop: App, served: Running, alice: Browser) -> None:
        tokens = await shop.tokens(alice)
        served.clock.now += 600
        assert (await shop.get("/oidc/me", tokens["access_token"])).status_code == 401

    async def test_a_token_whose_signature_is_ours_and_whose_jti_is_not(
        self, shop: App, served: Running, alice: Browser
    ) -> None:
        from joserfc import jwt

        tokens = await shop.tokens(alice)
        key = await served.host.signing_keys.current()
        claims = await shop.claims(tokens["access_token"])
        header = {"alg": "RS256", "typ": "at+jwt", "kid": key.kid}
        assert (await shop.get("/oidc/me", jwt.encode(header, claims, key))).status_code == 200
        for change in ({"jti": "x" * 43}, {"jti": 1}, {"aud": "https://other.test"}, {"iss": BASE}):
            forged = jwt.encode(header, claims | change, key)
            assert (await shop.get("/oidc/me", forged)).status_code == 401, change
        as_id_token = jwt.encode({**header, "typ": "JWT"}, claims, key)
        assert (await shop.get("/oidc/me", as_id_token)).status_code == 401

    async def test_a_token_of_an_application_that_is_gone(
        self, shop: App, served: Running, alice: Browser, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tokens = await shop.tokens(alice)
        apps = {name: app for name, app in served.host.configuration.apps.items() if name != "shop"}
        monkeypatch.setattr(type(served.host.configuration), "apps", apps)
        assert (await shop.get("/oidc/me", tokens["access_token"])).status_code == 401


class TestUser:
    async def test_the_claims_are_those_of_the_scope(self, shop: App, alice: Browser) -> None:
        tokens = await shop.tokens(alice, scope="openid profile")
        said = (await shop.get("/user", tokens["access_token"])).json()
        assert said["isAuthenticated"] is True
        assert {*said["claims"]} == {"sub", "name", "picture"}

    async def test_profile_is_needed(self, shop: App, alice: Browser) -> None:
        tokens = await shop.tokens(alice, scope="openid")
        said = (await shop.get("/user", tokens["access_token"])).json()
        assert said == {"isAuthenticated": False}


class TestAccount:
    @pytest.mark.parametrize(
        ("path", "scope"),
        [("/my-account/identities", "identities"), (TOKEN, "tokens"), ("/my-account/export", "identities")],
    )
    async def test_each_route_wants_its_scope(
        self, stored: Running, canary: Canary, path: str, scope: str
    ) -> None:
        browser, rival = await signed_in(stored), app_of(stored, canary, "rival")
        less = await rival.tokens(browser, scope=EVERYTHING.replace(f" {scope}", ""))
        answer = await rival.get(path, less["access_token"])
        assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")
        more = await rival.tokens(browser, scope=scope)
        assert (await rival.get(path, more["access_token"])).status_code == 200

    async def test_verification_begins_with_its_scope(self, stored: Running, canary: Canary) -> None:
        browser, rival = await signed_in(stored), app_of(stored, canary, "rival")
        tokens = await rival.tokens(browser, scope="openid verification")
        answer = await rival._server.request(
            "POST",
            "/api/verification/social",
            headers={"Authorization": f"Bearer {tokens['access_token']}", "Accept": "application/json"},
            cookies=False,
        )
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")

    async def test_verification_leads_to_the_applications_own_addresses(
        self, stored: Running, canary: Canary
    ) -> None:
        browser, rival = await signed_in(stored), app_of(stored, canary, "rival")
        tokens = await rival.tokens(browser, scope="openid verification")
        for uri, status in ((rival.redirect_uri, 201), (CALLBACK, 400)):
            body = {"connectorId": "acme", "redirectUri": uri, "purpose": "tokens"}
            answer = await httpx.AsyncClient(
                transport=httpx.ASGITransport(app=stored.app), base_url=BASE
            ).post(
                "/api/verification/social",
                json=body,
                headers={"Authorization": f"Bearer {tokens['access_token']}"},
            )
            assert answer.status_code == status, answer.text

    async def test_who_may_read_a_target_reads_it_with_the_plain_token(
        self, stored: Running, canary: Canary
    ) -> None:
        browser = await signed_in(stored)
        shop, rival = app_of(stored, canary, "shop"), app_of(stored, canary, "rival")
        plain = await shop.tokens(browser, scope="openid offline_access profile")
        answer = await shop.get(TOKEN, plain["access_token"])
        assert answer.status_code == 200
        canary.watch(answer.json()["access_token"], "a token of the provider")
        other = await rival.tokens(browser, scope="openid offline_access profile")
        assert (await rival.get(TOKEN, other["access_token"])).status_code == 403
        elsewhere = await shop.get(TOKEN.replace("acme", "posting"), plain["access_token"])
        assert elsewhere.status_code == 403
        assert (await shop.get("/my-account/identities", plain["access_token"])).status_code == 403

    async def test_a_read_is_told_to_observers(
        self, stored: Running, canary: Canary, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        told: list[Event] = []
        monkeypatch.setattr(stored.host.configuration.registry.plugins, "observe", told.append)
        browser, rival = await signed_in(stored), app_of(stored, canary, "rival")
        tokens = await rival.tokens(browser, scope="tokens")
        await rival.get(TOKEN, tokens["access_token"])
        reads = [event for event in told if event.name == "tokens.read"]
        assert [event.detail for event in reads] == [{"app": "rival", "outcome": "served"}]

    async def test_a_refreshed_token_makes_no_sign_in_recent(self, stored: Running, canary: Canary) -> None:
        browser, rival = await signed_in(stored), app_of(stored, canary, "rival")
        tokens = await rival.tokens(browser, scope=EVERYTHING)
        stored.clock.now += 601
        renewed = (await rival.refresh(tokens["refresh_token"])).json()
        answer = await rival._server.request(
            "DELETE",
            "/my-account",
            headers={"Authorization": f"Bearer {renewed['access_token']}", "Accept": "application/json"},
            cookies=False,
        )
        assert (answer.status_code, answer.json()["code"]) == (403, "reauthentication_required")


class TestDiscovery:
    async def test_every_endpoint_is_where_logto_has_it(self, served: Running) -> None:
        found = (await served.browser().get("/oidc/.well-known/openid-configuration")).json()
        endpoints = {name: url for name, url in found.items() if name.endswith(("_endpoint", "_uri"))}
        assert endpoints == {
            "authorization_endpoint": f"{BASE}/oidc/auth",
            "token_endpoint": f"{BASE}/oidc/token",
            "userinfo_endpoint": f"{BASE}/oidc/me",
            "jwks_uri": f"{BASE}/oidc/jwks",
            "end_session_endpoint": f"{BASE}/oidc/session/end",
            "revocation_endpoint": f"{BASE}/oidc/token/revocation",
        }
        assert found["issuer"] == f"{BASE}/oidc"

    async def test_nothing_private_is_published(self, served: Running) -> None:
        (key,) = (await served.browser().get("/oidc/jwks")).json()["keys"]
        assert {*key} == {"kty", "n", "e", "kid", "use", "alg"}

    async def test_pages_of_applications_may_call(self, page_app: App, served: Running) -> None:
        async def asked(path: str, origin: str, **more: str | None) -> Any:
            headers: dict[str, str | None] = {"Origin": origin, "Sec-Fetch-Site": "cross-site", **more}
            return await served.browser().request("OPTIONS", path, headers=headers)

        preflight: dict[str, Any] = {"Access-Control-Request-Method": "POST"}
        for path in ("/oidc/token", "/oidc/token/revocation", "/oidc/me", "/oidc/jwks"):
            allowed = await asked(path, "https://page.test", **preflight)
            assert allowed.headers["access-control-allow-origin"] == "https://page.test"
            assert "access-control-allow-credentials" not in allowed.headers
            other = await asked(path, "https://evil.test", **preflight)
            assert "access-control-allow-origin" not in other.headers
        for path in ("/oidc/auth", "/oidc/session/end"):
            closed = await asked(path, "https://page.test", **preflight)
            assert "access-control-allow-origin" not in closed.headers


async def test_the_export_names_the_applications(shop: App, served: Running, alice: Browser) -> None:
    await shop.tokens(alice)
    await shop.code(alice)
    (grant,) = (await alice.get("/account/export")).json()["applications"]
    now = served.clock.now
    assert grant == {
        "client_id": "shop",
        "connector": "acme",
        "scope": "openid offline_access profile email",
        "auth_time": now,
        "created_at": now,
        "expires_at": now + 14 * 86400,
    }
