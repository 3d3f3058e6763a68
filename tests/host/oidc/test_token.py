"""``POST /oidc/token``: codes once, refresh tokens in turn, and who may ask."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest
from authlib.oidc.core.util import create_half_hash  # type: ignore[import-untyped]

from tests.host.conftest import BASE, Browser, Running
from tests.host.oidc.conftest import ISSUER, VERIFIER, App

pytestmark = pytest.mark.asyncio(loop_scope="session")


def refused(answer: Any, error: str, status: int = 400) -> None:
    content = answer.json()
    assert (answer.status_code, content["error"]) == (status, error), content
    assert {*content} <= {"error", "error_description"}
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "application/json"


class TestCodes:
    async def test_one_gives_all_that_was_asked_for(self, shop: App, served: Running, alice: Browser) -> None:
        answer = await shop.redeem(await shop.code(alice))
        tokens = answer.json()
        assert answer.headers["cache-control"] == "no-store"
        assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 600)
        assert tokens["scope"] == "openid offline_access profile email"
        now = int(served.clock.now)
        claims = await shop.claims(tokens["id_token"])
        user = await alice.user()
        assert claims.pop("at_hash") == create_half_hash(tokens["access_token"], "RS256").decode()
        assert claims.pop("sid")
        assert claims == user["claims"] | {
            "iss": ISSUER,
            "aud": "shop",
            "iat": now,
            "exp": now + 3600,
            "auth_time": now,
            "nonce": "the-nonce-of-this-test",
        }
        access = await shop.claims(tokens["access_token"])
        assert access.pop("jti")
        assert access == {
            "iss": ISSUER,
            "aud": BASE,
            "sub": user["claims"]["sub"],
            "client_id": "shop",
            "scope": "openid offline_access profile email",
            "iat": now,
            "exp": now + 600,
            "auth_time": now,
        }

    async def test_claims_are_those_of_the_scope(self, shop: App, alice: Browser) -> None:
        tokens = await shop.tokens(alice, scope="openid", nonce=None)
        assert {"name", "email", "nonce"}.isdisjoint(await shop.claims(tokens["id_token"]))
        assert "refresh_token" not in tokens

    async def test_without_openid_there_is_no_id_token(self, shop: App, alice: Browser) -> None:
        tokens = await shop.tokens(alice, scope="profile")
        assert "id_token" not in tokens

    async def test_a_second_use_takes_back_what_the_first_gave(self, shop: App, alice: Browser) -> None:
        code = await shop.code(alice)
        tokens = (await shop.redeem(code)).json()
        assert (await shop.get("/oidc/me", tokens["access_token"])).status_code == 200
        refused(await shop.redeem(code), "invalid_grant")
        assert (await shop.get("/oidc/me", tokens["access_token"])).status_code == 401
        refused(await shop.refresh(tokens["refresh_token"]), "invalid_grant")

    async def test_a_second_use_by_whoever_has_no_verifier_takes_nothing_back(
        self, shop: App, alice: Browser
    ) -> None:
        code = await shop.code(alice)
        tokens = (await shop.redeem(code)).json()
        refused(await shop.redeem(code, code_verifier="x" * 43), "invalid_grant")
        assert (await shop.get("/oidc/me", tokens["access_token"])).status_code == 200

    async def test_of_several_uses_at_once_not_one_lasts(self, shop: App, alice: Browser) -> None:
        code = await shop.code(alice)
        answers = await asyncio.gather(*(shop.redeem(code) for _ in range(4)))
        assert sum(answer.status_code == 200 for answer in answers) <= 1
        for answer in answers:
            if answer.status_code == 200:
                assert (await shop.get("/oidc/me", answer.json()["access_token"])).status_code == 401

    async def test_one_is_good_for_a_minute(self, shop: App, served: Running, alice: Browser) -> None:
        code = await shop.code(alice)
        served.clock.now += 61
        refused(await shop.redeem(code), "invalid_grant")

    async def test_one_ends_with_the_session(self, shop: App, alice: Browser) -> None:
        code = await shop.code(alice)
        await alice.post("/sign-out")
        refused(await shop.redeem(code), "invalid_grant")

    async def test_one_is_for_its_application_alone(self, shop: App, rival: App, alice: Browser) -> None:
        code = await shop.code(alice)
        refused(await rival.redeem(code, redirect_uri=shop.redirect_uri), "invalid_grant")
        assert (await shop.redeem(code)).status_code == 200

    @pytest.mark.parametrize(
        ("changed", "error"),
        [
            ({"code": ""}, "invalid_request"),
            ({"code": "nothing"}, "invalid_grant"),
            ({"code": "a.b"}, "invalid_grant"),
            ({"code": "\x00"}, "invalid_grant"),
            ({"redirect_uri": ""}, "invalid_grant"),
            ({"redirect_uri": "https://shop.test/other?kept=1"}, "invalid_grant"),
            ({"code_verifier": ""}, "invalid_request"),
            ({"code_verifier": "short"}, "invalid_request"),
            ({"code_verifier": "x" * 129}, "invalid_request"),
            ({"code_verifier": VERIFIER[:-1] + "é"}, "invalid_request"),
            ({"code_verifier": VERIFIER + "x"}, "invalid_grant"),
            ({"resource": "https://api.test"}, "invalid_target"),
            ({"organization_id": "one"}, "invalid_target"),
            ({"grant_type": ""}, "invalid_request"),
            ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
            ({"grant_type": "password"}, "unsupported_grant_type"),
            ({"grant_type": "é"}, "unsupported_grant_type"),
        ],
        ids=repr,
    )
    async def test_what_does_not_fit_is_refused_and_uses_nothing_up(
        self, shop: App, alice: Browser, changed: dict[str, str], error: str
    ) -> None:
        code = await shop.code(alice)
        refused(await shop.redeem(changed.pop("code", code), **changed), error)
        assert (await shop.redeem(code)).status_code == 200

    async def test_a_verifier_of_another_request_is_refused(self, shop: App, alice: Browser) -> None:
        other = "b" * 43
        code = await shop.code(alice, code_challenge=other)
        refused(await shop.redeem(code), "invalid_grant")


class TestAuthentication:
    @pytest.mark.parametrize("method", ["basic", "post"])
    async def test_an_application_with_a_secret(self, shop: App, alice: Browser, method: str) -> None:
        assert (await shop.redeem(await shop.code(alice), method=method)).status_code == 200

    async def test_one_that_names_itself_besides(self, shop: App, alice: Browser) -> None:
        assert (await shop.redeem(await shop.code(alice), client_id="shop")).status_code == 200

    async def test_a_public_one(self, page_app: App, alice: Browser) -> None:
        assert (await page_app.redeem(await page_app.code(alice))).status_code == 200

    async def test_encoded_credentials(self, shop: App, alice: Browser) -> None:
        code = await shop.code(alice)
        basic = base64.b64encode(f"sh%6fp:{shop.secret}".encode()).decode()
        answer = await shop.redeem(code, method="none")
        refused(answer, "invalid_client", 401)
        answer = await shop.post(
            "/oidc/token",
            method="",
            headers={"Authorization": f"Basic {basic}"},
            grant_type="authorization_code",
            code=code,
            redirect_uri=shop.redirect_uri,
            code_verifier=VERIFIER,
        )
        assert answer.status_code == 200

    async def test_none_is_not_enough_for_who_has_a_secret(self, shop: App, alice: Browser) -> None:
        answer = await shop.redeem(await shop.code(alice), method="none")
        refused(answer, "invalid_client", 401)
        assert answer.headers["www-authenticate"].startswith("Basic")

    async def test_a_secret_is_too_much_for_who_has_none(self, page_app: App, alice: Browser) -> None:
        code = await page_app.code(alice)
        refused(await page_app.redeem(code, client_secret="anything"), "invalid_client", 401)
        refused(await page_app.redeem(code, method="basic"), "invalid_client", 401)

    @pytest.mark.parametrize("form", [{"client_secret": "wrong"}, {"client_id": "rival"}], ids=repr)
    async def test_two_ways_at_once(self, shop: App, alice: Browser, form: dict[str, str]) -> None:
        answer = await shop.redeem(await shop.code(alice), **form)
        assert answer.status_code in (400, 401)
        assert answer.json()["error"] in ("invalid_request", "invalid_client")

    @pytest.mark.parametrize("header", ["Basic", "Basic !", "Bearer x", "Basic c2hvcDp3cm9uZw==", ""])
    async def test_headers_that_prove_nothing(self, shop: App, alice: Browser, header: str) -> None:
        code = await shop.code(alice)
        form = {"client_id": "shop", "grant_type": "authorization_code", "code": code}
        answer = await shop.post("/oidc/token", method="", headers={"Authorization": header}, **form)
        refused(answer, "invalid_client", 401)

    async def test_an_unknown_application(self, shop: App) -> None:
        answer = await shop.post("/oidc/token", method="none", client_id="nobody", grant_type="refresh_token")
        refused(answer, "invalid_client", 401)

    async def test_a_body_that_is_no_form(self, shop: App) -> None:
        headers: dict[str, str | None] = {"Content-Type": "application/json"}
        refused(await shop.post("/oidc/token", headers=headers, grant_type="x"), "invalid_request")

    async def test_only_posts_are_answered(self, served: Running) -> None:
        for path in ("/oidc/token", "/oidc/token/revocation"):
            assert (await served.browser().get(path)).status_code == 405


class TestRefreshTokens:
    async def test_each_is_followed_by_another(self, shop: App, served: Running, alice: Browser) -> None:
        first = await shop.tokens(alice)
        served.clock.now += 3000
        second = (await shop.refresh(first["refresh_token"])).json()
        assert second["refresh_token"] != first["refresh_token"]
        before, after = [await shop.claims(each["id_token"]) for each in (first, second)]
        assert "nonce" not in after
        assert after["iat"] == before["iat"] + 3000
        for name in ("iss", "sub", "aud", "auth_time", "sid"):
            assert after[name] == before[name]
        assert (await shop.get("/oidc/me", second["access_token"])).status_code == 200

    async def test_a_retry_gets_the_same_answer_for_half_a_minute(
        self, shop: App, served: Running, alice: Browser
    ) -> None:
        first = (await shop.tokens(alice))["refresh_token"]
        second = (await shop.refresh(first)).json()["refresh_token"]
        served.clock.now += 30
        assert (await shop.refresh(first)).json()["refresh_token"] == second
        assert (await shop.refresh(second)).status_code == 200

    async def test_several_at_once_get_one_successor(self, shop: App, alice: Browser) -> None:
        first = (await shop.tokens(alice))["refresh_token"]
        answers = await asyncio.gather(*(shop.refresh(first) for _ in range(4)))
        (second,) = {answer.json()["refresh_token"] for answer in answers}
        assert (await shop.refresh(second)).status_code == 200

    @pytest.mark.parametrize("late", [True, False])
    async def test_a_second_use_ends_the_whole_family(
        self, shop: App, served: Running, alice: Browser, late: bool
    ) -> None:
        first = (await shop.tokens(alice))["refresh_token"]
        second = (await shop.refresh(first)).json()
        latest = second
        if late:
            served.clock.now += 31
        else:
            latest = (await shop.refresh(second["refresh_token"])).json()
        refused(await shop.refresh(first), "invalid_grant")
        refused(await shop.refresh(latest["refresh_token"]), "invalid_grant")
        assert (await shop.get("/oidc/me", latest["access_token"])).status_code == 401

    async def test_one_is_for_its_application_alone(self, shop: App, rival: App, alice: Browser) -> None:
        token = (await shop.tokens(alice))["refresh_token"]
        refused(await rival.refresh(token), "invalid_grant")
        assert (await shop.refresh(token)).status_code == 200

    async def test_a_public_application_has_them_too(self, page_app: App, alice: Browser) -> None:
        token = (await page_app.tokens(alice))["refresh_token"]
        assert (await page_app.refresh(token)).status_code == 200

    async def test_one_waits_for_fourteen_days(self, shop: App, served: Running, alice: Browser) -> None:
        token = (await shop.tokens(alice))["refresh_token"]
        served.clock.now += 14 * 86400 - 1
        token = (await shop.refresh(token)).json()["refresh_token"]
        served.clock.now += 14 * 86400 + 1
        refused(await shop.refresh(token), "invalid_grant")

    async def test_the_family_lives_for_ninety_days(self, shop: App, served: Running, alice: Browser) -> None:
        token = (await shop.tokens(alice))["refresh_token"]
        for _ in range(8):
            served.clock.now += 11 * 86400
            token = (await shop.refresh(token)).json()["refresh_token"]
        served.clock.now += 3 * 86400
        refused(await shop.refresh(token), "invalid_grant")

    async def test_less_may_be_asked_for_and_more_comes_back(self, shop: App, alice: Browser) -> None:
        token = (await shop.tokens(alice))["refresh_token"]
        less = (await shop.refresh(token, scope="openid")).json()
        assert less["scope"] == "openid"
        assert "name" not in await shop.claims(less["id_token"])
        assert "profile" in (await shop.refresh(less["refresh_token"])).json()["scope"]

    @pytest.mark.parametrize(
        ("changed", "error"),
        [
            ({"scope": "openid tokens"}, "invalid_scope"),
            ({"resource": "https://api.test"}, "invalid_target"),
            ({"organization_id": "one"}, "invalid_target"),
            ({"refresh_token": ""}, "invalid_request"),
            ({"refresh_token": "nothing"}, "invalid_grant"),
        ],
        ids=repr,
    )
    async def test_what_does_not_fit_is_refused_and_uses_nothing_up(
        self, shop: App, alice: Browser, changed: dict[str, str], error: str
    ) -> None:
        token = (await shop.tokens(alice))["refresh_token"]
        refused(await shop.refresh(changed.pop("refresh_token", token), **changed), error)
        assert (await shop.refresh(token)).status_code == 200

    async def test_a_code_is_no_refresh_token(self, shop: App, alice: Browser) -> None:
        refused(await shop.refresh(await shop.code(alice)), "invalid_grant")

    async def test_they_outlive_the_session(self, shop: App, alice: Browser) -> None:
        tokens = await shop.tokens(alice)
        await alice.post("/sign-out")
        assert (await shop.get("/oidc/me", tokens["access_token"])).status_code == 200
        assert (await shop.refresh(tokens["refresh_token"])).status_code == 200

    async def test_without_offline_access_all_ends_with_the_session(self, shop: App, alice: Browser) -> None:
        tokens = await shop.tokens(alice, scope="openid profile")
        assert (await shop.get("/oidc/me", tokens["access_token"])).status_code == 200
        await alice.post("/sign-out")
        assert (await shop.get("/oidc/me", tokens["access_token"])).status_code == 401

    async def test_signing_out_everywhere_ends_them(self, shop: App, alice: Browser) -> None:
        tokens = await shop.tokens(alice)
        await alice.post("/sign-out")
        await alice.sign_in()
        assert (await alice.form("/account/sessions", session="all")).status_code == 303
        answer = await shop.refresh(tokens["refresh_token"])
        refused(answer, "invalid_grant")
        assert (await shop.get("/oidc/me", tokens["access_token"])).status_code == 401

    async def test_deleting_the_account_ends_them(self, shop: App, served: Running, alice: Browser) -> None:
        tokens = await shop.tokens(alice)
        await served.host.accounts.remove((await alice.user())["claims"]["sub"])
        refused(await shop.refresh(tokens["refresh_token"]), "invalid_grant")
        assert (await shop.get("/oidc/me", tokens["access_token"])).status_code == 401

    async def test_unlinking_what_was_signed_in_with_ends_them(
        self, shop: App, served: Running, alice: Browser
    ) -> None:
        tokens = await shop.tokens(alice)
        await served.host.sessions.end_all((await alice.user())["claims"]["sub"], connector="posting")
        assert (await shop.get("/oidc/me", tokens["access_token"])).status_code == 200
        await served.host.sessions.end_all((await alice.user())["claims"]["sub"], connector="acme")
        refused(await shop.refresh(tokens["refresh_token"]), "invalid_grant")


class TestRevocation:
    async def test_a_refresh_token_takes_everything_along(self, shop: App, alice: Browser) -> None:
        tokens = await shop.tokens(alice)
        answer = await shop.post("/oidc/token/revocation", token=tokens["refresh_token"])
        assert (answer.status_code, answer.json()) == (200, {})
        refused(await shop.refresh(tokens["refresh_token"]), "invalid_grant")
        assert (await shop.get("/oidc/me", tokens["access_token"])).status_code == 401

    async def test_an_access_token_goes_alone(self, shop: App, alice: Browser) -> None:
        tokens = await shop.tokens(alice)
        form = {"token": tokens["access_token"], "token_type_hint": "refresh_token"}
        assert (await shop.post("/oidc/token/revocation", method="post", **form)).status_code == 200
        assert (await shop.get("/oidc/me", tokens["access_token"])).status_code == 401
        assert (await shop.refresh(tokens["refresh_token"])).status_code == 200

    async def test_what_is_unknown_is_revoked_already(self, shop: App) -> None:
        assert (await shop.post("/oidc/token/revocation", token="nothing")).status_code == 200

    async def test_another_applications_token_is_not_revoked(
        self, shop: App, rival: App, alice: Browser
    ) -> None:
        tokens = await shop.tokens(alice)
        for name in ("access_token", "refresh_token"):
            refused(await rival.post("/oidc/token/revocation", token=tokens[name]), "invalid_grant")
        assert (await shop.get("/oidc/me", tokens["access_token"])).status_code == 200

    async def test_without_a_token_or_credentials(self, shop: App) -> None:
        refused(await shop.post("/oidc/token/revocation"), "invalid_request")
        answer = await shop.post("/oidc/token/revocation", method="none", token="x")
        refused(answer, "invalid_client", 401)


async def test_the_database_holds_nothing_that_opens(shop: App, served: Running, alice: Browser) -> None:
    code = await shop.code(alice)
    tokens = (await shop.redeem(code)).json()
    later = (await shop.refresh(tokens["refresh_token"])).json()
    rows = [
        await served.host.hub.database.fetch(f"SELECT * FROM {table}")
        for table in ("host_grants", "host_app_tokens")
    ]
    secrets = [code, tokens["refresh_token"], later["refresh_token"], "the-nonce-of-this-test"]
    secrets += [(await shop.claims(each["access_token"]))["jti"] for each in (tokens, later)]
    for secret in secrets:
        assert secret not in repr(rows)
        assert secret.rpartition(".")[2] not in repr(rows)


async def test_a_used_code_opens_nothing(shop: App, served: Running, alice: Browser) -> None:
    """Browsers and logs keep codes; with the database beside them they must not give the session away."""
    code = await shop.code(alice)
    assert (await shop.redeem(code)).status_code == 200
    kept = await served.host.grants.with_code(code)
    assert kept is not None
    assert (kept.session_id, kept.nonce) == ("", None)


async def test_a_sign_out_that_comes_in_between_is_no_alarm(
    shop: App, served: Running, alice: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = (await alice.user())["claims"]["sub"]
    token, code = (await shop.tokens(alice))["refresh_token"], await shop.code(alice)
    grants = type(served.host.grants)
    for name, use in (("rotate", shop.refresh(token)), ("redeem", shop.redeem(code))):
        done = getattr(grants, name)

        async def late(*given: Any, done: Any = done, **more: Any) -> Any:
            await served.host.sessions.end_all(owner)
            return await done(*given, **more)

        monkeypatch.setattr(grants, name, late)
        refused(await use, "invalid_grant")
    assert "application.ended" not in [fact.kind for fact in await served.host.trail.of_owner(owner)]


async def test_what_has_ended_is_swept(shop: App, served: Running, alice: Browser) -> None:
    await shop.tokens(alice, scope="openid")
    served.clock.now += 601
    await shop.tokens(alice, scope="openid")
    for table in ("host_grants", "host_app_tokens"):
        assert len(await served.host.hub.database.fetch(f"SELECT 1 FROM {table}")) == 1


async def test_the_trail_tells_of_grants_and_of_their_ends(
    shop: App, served: Running, alice: Browser
) -> None:
    owner = (await alice.user())["claims"]["sub"]
    code = await shop.code(alice)
    await shop.redeem(code)
    await shop.redeem(code)
    first = (await shop.tokens(alice))["refresh_token"]
    await shop.refresh(first)
    served.clock.now += 31
    await shop.refresh(first)
    await shop.post("/oidc/token/revocation", token=(await shop.tokens(alice))["refresh_token"])
    told = [(fact.kind, fact.actor, fact.outcome) for fact in await served.host.trail.of_owner(owner)]
    assert [fact for fact in told if fact[0].startswith("application.")] == [
        ("application.granted", "app:shop", "done"),
        ("application.ended", "app:shop", "code_reused"),
        ("application.granted", "app:shop", "done"),
        ("application.ended", "app:shop", "refresh_token_reused"),
        ("application.granted", "app:shop", "done"),
        ("application.ended", "app:shop", "revoked"),
    ]
