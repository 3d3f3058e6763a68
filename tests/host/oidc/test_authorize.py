"""``/oidc/auth``: who is answered where, and when somebody must sign in first."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from tests.canary import Canary
from tests.host.conftest import BASE, BOB, Browser, Running, open_host
from tests.host.oidc.conftest import CALLBACK, CHALLENGE, App, app_of, landed

pytestmark = pytest.mark.asyncio(loop_scope="session")


def to_the_page(answer: httpx.Response) -> tuple[str, dict[str, str]]:
    """The host's own page that an answer leads to, and its query."""
    assert answer.status_code == 302, answer.text
    there = urlsplit(answer.headers["location"])
    assert not there.netloc
    return there.path, {name: values[0] for name, values in parse_qs(there.query).items()}


async def test_somebody_who_is_signed_in_goes_back_at_once(shop: App, alice: Browser) -> None:
    answer = await shop.ask(alice)
    assert answer.headers["location"].startswith(f"{CALLBACK}?code=")
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert landed(answer)["state"] == "the-state-of-this-test"


async def test_the_answer_joins_the_query_of_a_redirect_uri(shop: App, alice: Browser) -> None:
    answer = landed(await shop.ask(alice, redirect_uri="https://shop.test/other?kept=1"))
    assert (answer["kept"], "code" in answer) == ("1", True)


async def test_without_a_state_none_is_answered(shop: App, alice: Browser) -> None:
    assert "state" not in landed(await shop.ask(alice, state=None))


async def test_a_strange_state_comes_back_as_it_was(shop: App, alice: Browser) -> None:
    state = "a b+c&d=e%20é\n"
    assert landed(await shop.ask(alice, state=state))["state"] == state


async def test_somebody_else_signs_in_first_and_then_goes_back(shop: App, served: Running) -> None:
    browser = served.browser()
    path, query = to_the_page(await shop.ask(browser))
    assert (path, [*query]) == ("/sign-in", ["return_to"])
    assert "the-state" not in str(query)
    page = await browser.get("/sign-in", query=query)
    assert page.status_code == 200
    back = await browser.sign_in(return_to=query["return_to"])
    assert back.headers["location"] == query["return_to"]
    answer = landed(await browser.get(back.headers["location"]))
    tokens = await shop.redeem(answer["code"])
    assert tokens.status_code == 200
    assert answer["state"] == "the-state-of-this-test"


async def test_a_request_is_answered_once(shop: App, served: Running) -> None:
    browser = served.browser()
    _, query = to_the_page(await shop.ask(browser))
    await browser.sign_in()
    landed(await browser.get(query["return_to"]))
    again = await browser.get(query["return_to"])
    assert again.status_code == 400
    assert "transaction_expired" in again.text


async def test_a_request_is_kept_for_half_an_hour(shop: App, served: Running) -> None:
    browser = served.browser()
    _, query = to_the_page(await shop.ask(browser))
    served.clock.now += 1801
    await browser.sign_in()
    assert (await browser.get(query["return_to"])).status_code == 400


async def test_a_kept_request_leads_nowhere_that_the_file_no_longer_names(
    shop: App, served: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = served.browser()
    _, query = to_the_page(await shop.ask(browser))
    await browser.sign_in()
    known = served.host.configuration.apps
    changed = known["shop"].model_copy(update={"redirect_uris": ("https://shop.test/moved",)})
    monkeypatch.setattr(type(served.host.configuration), "apps", {**known, "shop": changed})
    answer = await browser.get(query["return_to"])
    assert (answer.status_code, "location" in answer.headers) == (400, False)


async def test_who_comes_back_without_signing_in_is_asked_again(shop: App, served: Running) -> None:
    browser = served.browser()
    _, query = to_the_page(await shop.ask(browser))
    path, again = to_the_page(await browser.get(query["return_to"]))
    assert path == "/sign-in"
    assert again["return_to"] != query["return_to"]


async def test_a_post_is_answered_by_a_get_that_has_the_cookies(shop: App, alice: Browser) -> None:
    cross_site: dict[str, str | None] = {"Sec-Fetch-Site": "cross-site"}
    kept = await alice.post("/oidc/auth", form=shop.parameters(), headers=cross_site, cookies=False)
    assert kept.status_code == 303
    assert "the-state" not in kept.headers["location"]
    assert "code" in landed(await alice.get(kept.headers["location"]))


async def test_what_is_unknown_is_left_out(shop: App, alice: Browser) -> None:
    tokens = await shop.tokens(alice, scope="openid roles urn:logto:scope:organizations", login_hint="a")
    assert tokens["scope"] == "openid"


async def test_one_session_serves_many_applications(
    shop: App, rival: App, page_app: App, alice: Browser
) -> None:
    subjects = set()
    for app in (shop, rival, page_app):
        tokens = await app.tokens(alice)
        claims = await app.claims(tokens["id_token"])
        assert claims["aud"] == app.client_id
        subjects.add(claims["sub"])
    assert len(subjects) == 1


class TestRefusedByAPage:
    """Whose request it is cannot be said, so nobody is sent anywhere."""

    @pytest.mark.parametrize(
        "changed",
        [
            {"client_id": None},
            {"client_id": "nobody"},
            {"client_id": "é\x00"},
            {"redirect_uri": None},
            {"redirect_uri": ""},
            {"redirect_uri": "https://evil.test/callback"},
            {"redirect_uri": CALLBACK + "/"},
            {"redirect_uri": CALLBACK + "?x=1"},
            {"redirect_uri": CALLBACK + "#x"},
            {"redirect_uri": CALLBACK.upper()},
            {"redirect_uri": "https://rival.test/callback"},
            {"redirect_uri": "javascript:alert(1)"},
        ],
        ids=repr,
    )
    @pytest.mark.parametrize("method", ["GET", "POST"])
    async def test_it_is_not_sent_on(
        self, shop: App, alice: Browser, changed: dict[str, str | None], method: str
    ) -> None:
        query = shop.parameters(**changed)
        sent = {"query": query} if method == "GET" else {"form": query}
        answer = await alice.request(method, "/oidc/auth", **sent)  # type: ignore[arg-type]
        assert answer.status_code == 400
        assert "location" not in answer.headers
        assert "invalid_request" in answer.text
        assert "evil" not in answer.text

    @pytest.mark.parametrize("name", ["client_id", "redirect_uri"])
    async def test_one_that_is_given_twice(self, shop: App, alice: Browser, name: str) -> None:
        query = shop.parameters()
        answer = await alice.get("/oidc/auth", query=f"{urlencode(query)}&{urlencode({name: query[name]})}")
        assert answer.status_code == 400
        assert "location" not in answer.headers

    async def test_more_parameters_than_any_request_has(self, shop: App, alice: Browser) -> None:
        query = urlencode([*shop.parameters().items(), *((f"p{n}", "") for n in range(60))])
        answer = await alice.get("/oidc/auth", query=query)
        assert (answer.status_code, "location" in answer.headers) == (400, False)

    @pytest.mark.parametrize("raw", ["client_id=%ff%fe&redirect_uri=%00", "%", "=", "&&", ""])
    async def test_what_is_no_query(self, alice: Browser, raw: str) -> None:
        assert (await alice.get("/oidc/auth", query=raw)).status_code == 400

    async def test_a_handle_of_something_else(self, alice: Browser) -> None:
        for query in ("h=", "h=x", "h=" + "a" * 43):
            answer = await alice.get("/oidc/auth", query=query)
            assert answer.status_code == 400


class TestRefusedAtTheApplication:
    @pytest.mark.parametrize(
        ("changed", "error"),
        [
            ({"response_type": None}, "invalid_request"),
            ({"response_type": "token"}, "unsupported_response_type"),
            ({"response_type": "code id_token"}, "unsupported_response_type"),
            ({"response_type": 'é"'}, "unsupported_response_type"),
            ({"response_mode": "fragment"}, "invalid_request"),
            ({"response_mode": "form_post"}, "invalid_request"),
            ({"scope": None}, "invalid_scope"),
            ({"scope": "nothing known"}, "invalid_scope"),
            ({"code_challenge": None}, "invalid_request"),
            ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
            ({"code_challenge": CHALLENGE[:-1]}, "invalid_request"),
            ({"code_challenge": CHALLENGE[:-1] + "é"}, "invalid_request"),
            ({"code_challenge_method": None}, "invalid_request"),
            ({"code_challenge_method": "plain"}, "invalid_request"),
            ({"request": "e30.e30."}, "request_not_supported"),
            ({"request_uri": "https://shop.test/r"}, "request_uri_not_supported"),
            ({"registration": "{}"}, "registration_not_supported"),
            ({"resource": "https://api.test"}, "invalid_target"),
            ({"resource": "urn:logto:resource:organizations"}, "invalid_target"),
            ({"prompt": "none login"}, "invalid_request"),
            ({"prompt": "whatever"}, "invalid_request"),
            ({"max_age": "-1"}, "invalid_request"),
            ({"max_age": "soon"}, "invalid_request"),
            ({"max_age": "٣"}, "invalid_request"),
            ({"nonce": "n" * 2049}, "invalid_request"),
            ({"direct_sign_in": "social:" + "n" * 2049}, "invalid_request"),
            ({"prompt": "login " * 400}, "invalid_request"),
            ({"id_token_hint": "e30.e30.e30"}, "invalid_request"),
        ],
        ids=repr,
    )
    async def test_with_state_and_issuer(
        self, shop: App, alice: Browser, changed: dict[str, str | None], error: str
    ) -> None:
        answer = landed(await shop.ask(alice, **changed))
        assert (answer["error"], answer["state"]) == (error, "the-state-of-this-test")
        assert "code" not in answer
        assert answer["error_description"].isascii()

    @pytest.mark.parametrize("name", ["state", "nonce", "scope", "code_challenge"])
    async def test_what_is_given_twice(self, shop: App, alice: Browser, name: str) -> None:
        query = urlencode(shop.parameters()) + f"&{name}=again"
        answer = landed(await alice.get("/oidc/auth", query=query))
        assert answer["error"] == "invalid_request"
        assert ("state" in answer) == (name != "state")

    async def test_the_host_itself_is_a_known_resource(self, shop: App, alice: Browser) -> None:
        tokens = await shop.tokens(alice, resource=BASE)
        assert (await shop.claims(tokens["access_token"]))["aud"] == BASE


class TestPrompt:
    async def test_none_without_a_session(self, shop: App, served: Running) -> None:
        answer = landed(await shop.ask(served.browser(), prompt="none"))
        assert (answer["error"], answer["state"]) == ("login_required", "the-state-of-this-test")

    async def test_none_with_a_session(self, shop: App, alice: Browser) -> None:
        assert "code" in landed(await shop.ask(alice, prompt="none"))

    async def test_none_with_a_session_that_is_too_old(
        self, shop: App, served: Running, alice: Browser
    ) -> None:
        served.clock.now += 61
        assert "code" in landed(await shop.ask(alice, prompt="none", max_age="61"))
        assert landed(await shop.ask(alice, prompt="none", max_age="60"))["error"] == "login_required"

    async def test_consent_asks_nothing_for_the_file_has_said_yes(self, shop: App, alice: Browser) -> None:
        assert "code" in landed(await shop.ask(alice, prompt="consent"))

    @pytest.mark.parametrize("changed", [{"prompt": "login"}, {"max_age": "0"}, {"max_age": "59"}], ids=repr)
    async def test_login_wants_a_new_sign_in(
        self, shop: App, served: Running, alice: Browser, changed: dict[str, str | None]
    ) -> None:
        served.clock.now += 60
        path, query = to_the_page(await shop.ask(alice, **changed))
        assert (path, query["again"]) == ("/sign-in", "1")
        page = await alice.get(path, query=query)
        assert "Continue with Acme" in page.text
        assert "You are signed in" not in page.text
        # The same session is not enough, however often it is brought.
        path, query = to_the_page(await alice.get(query["return_to"]))
        assert (path, query["again"]) == ("/sign-in", "1")
        back = await alice.sign_in(return_to=query["return_to"])
        tokens = (await shop.redeem(landed(await alice.get(back.headers["location"]))["code"])).json()
        assert (await shop.claims(tokens["id_token"]))["auth_time"] == int(served.clock.now)

    async def test_select_account_shows_who_is_signed_in(self, shop: App, alice: Browser) -> None:
        path, query = to_the_page(await shop.ask(alice, prompt="select_account"))
        page = await alice.get(path, query=query)
        assert "You are signed in" in page.text
        assert query["return_to"].replace("&", "&amp;") in page.text
        assert "code" in landed(await alice.get(query["return_to"]))

    async def test_select_account_offers_no_session_that_is_not_enough(
        self, shop: App, served: Running, alice: Browser
    ) -> None:
        served.clock.now += 60
        for changed in ({"prompt": "login select_account"}, {"prompt": "select_account", "max_age": "59"}):
            path, query = to_the_page(await shop.ask(alice, **changed))
            assert "You are signed in" not in (await alice.get(path, query=query)).text, changed

    @pytest.mark.parametrize(
        "changed",
        [
            {"interaction_mode": "signUp"},
            {"first_screen": "register"},
            {"first_screen": "identifier:register"},
            {"prompt": "create"},
        ],
        ids=repr,
    )
    async def test_sign_up_comes_first_where_it_is_asked_for(
        self, shop: App, served: Running, changed: dict[str, str | None]
    ) -> None:
        path, _ = to_the_page(await shop.ask(served.browser(), **changed))
        assert path == "/sign-up"

    @pytest.mark.parametrize(
        "changed", [{"first_screen": "sign_in"}, {"interaction_mode": "signIn"}], ids=repr
    )
    async def test_other_first_screens_are_the_sign_in(
        self, shop: App, served: Running, changed: dict[str, str | None]
    ) -> None:
        assert to_the_page(await shop.ask(served.browser(), **changed))[0] == "/sign-in"

    async def test_a_closed_sign_up_is_not_opened(self, tmp_path: Path, canary: Canary) -> None:
        async with AsyncExitStack() as stack:
            running = await open_host(
                stack,
                tmp_path,
                canary,
                host="sign_up = false",
                more='[apps.page]\nredirect_uris = ["https://page.test/callback"]',
            )
            app = app_of(running, canary, "page")
            answer = await app.ask(running.browser(), interaction_mode="signUp")
            assert to_the_page(answer)[0] == "/sign-in"

    async def test_direct_sign_in_goes_straight_to_the_connector(self, shop: App, served: Running) -> None:
        browser = served.browser()
        path, query = to_the_page(await shop.ask(browser, direct_sign_in="social:acme"))
        assert path == "/sign-in/acme"
        back = await browser.sign_in("acme", return_to=query["return_to"])
        assert "code" in landed(await browser.get(back.headers["location"]))

    @pytest.mark.parametrize("direct", ["social:nobody", "sso:acme", "acme", "social:"])
    async def test_direct_sign_in_elsewhere_shows_the_page(
        self, shop: App, served: Running, direct: str
    ) -> None:
        assert to_the_page(await shop.ask(served.browser(), direct_sign_in=direct))[0] == "/sign-in"


class TestIdTokenHint:
    async def test_the_person_of_the_hint_goes_back_at_once(self, shop: App, alice: Browser) -> None:
        hint = (await shop.tokens(alice))["id_token"]
        assert "code" in landed(await shop.ask(alice, id_token_hint=hint, prompt="none"))

    async def test_a_hint_of_another_application_is_none(self, shop: App, rival: App, alice: Browser) -> None:
        hint = (await rival.tokens(alice))["id_token"]
        assert landed(await shop.ask(alice, id_token_hint=hint))["error"] == "invalid_request"

    async def test_an_access_token_is_no_hint(self, shop: App, alice: Browser) -> None:
        hint = (await shop.tokens(alice))["access_token"]
        assert landed(await shop.ask(alice, id_token_hint=hint))["error"] == "invalid_request"

    async def test_another_person_must_sign_in_and_no_other(
        self, shop: App, served: Running, alice: Browser
    ) -> None:
        hint = (await shop.tokens(alice))["id_token"]
        other = served.browser()
        served.at_the_provider_sits(BOB)
        await other.sign_in()
        assert landed(await shop.ask(other, id_token_hint=hint, prompt="none"))["error"] == "login_required"
        path, query = to_the_page(await shop.ask(other, id_token_hint=hint))
        assert (path, query["again"]) == ("/sign-in", "1")
        assert landed(await other.get(query["return_to"]))["error"] == "login_required"


async def test_a_person_who_comes_back_as_another_is_asked_and_then_goes_on(
    shop: App, served: Running, alice: Browser
) -> None:
    _, query = to_the_page(await shop.ask(alice, prompt="select_account"))
    served.at_the_provider_sits(BOB)
    question = await alice.sign_in(return_to=query["return_to"])
    assert question.status_code == 200
    assert "Which account" in question.text
    assert "https://shop.test" in question.headers["content-security-policy"]
    handle = question.text.split('name="handle" value="')[1].split('"')[0]
    switched = await alice.form("/switch", handle=handle, choice="switch")
    tokens = (await shop.redeem(landed(await alice.get(switched.headers["location"]))["code"])).json()
    assert (await shop.claims(tokens["id_token"]))["name"] == "Bob Example"


async def test_a_decision_about_an_older_answer_is_no_new_sign_in(
    shop: App, served: Running, alice: Browser
) -> None:
    served.at_the_provider_sits(BOB)
    question = await alice.sign_in()
    handle = question.text.split('name="handle" value="')[1].split('"')[0]
    served.clock.now += 61
    _, query = to_the_page(await shop.ask(alice, prompt="login"))
    await alice.form("/switch", handle=handle, choice="switch")
    assert (await alice.user())["claims"]["name"] == "Bob Example"
    path, query = to_the_page(await alice.get(query["return_to"]))
    assert (path, query["again"]) == ("/sign-in", "1")
    await alice.sign_in()
    assert "code" in landed(await alice.get(query["return_to"]))


async def test_the_provider_is_no_place_to_return_to(alice: Browser, shop: App) -> None:
    for path in ("/oidc/auth", "/oidc/session/end", f"/oidc/auth?{urlencode(shop.parameters())}"):
        answer = await alice.get("/sign-in", query={"return_to": path})
        assert answer.status_code == 400
