"""Signing in, from the page to the session."""

from __future__ import annotations

import asyncio
import html
import re
from urllib.parse import parse_qs, urlsplit

import pytest

from connectors_core.testing.provider import Person
from tests.host.conftest import BOB, Running, Start

SESSION = "__Host-connectors-session"
TRANSACTION = "__Host-connectors-transaction"


async def test_a_person_signs_in_and_user_says_who(running: Running) -> None:
    browser = running.browser()
    done = await browser.sign_in(return_to="/welcome?tab=1")
    assert done.status_code == 302
    assert done.headers["location"] == "/welcome?tab=1"
    answer = await browser.user()
    assert answer["isAuthenticated"] is True
    claims = answer["claims"]
    assert claims["sub"].startswith("user_")
    assert {**claims, "sub": ""} == {
        "sub": "",
        "name": "Alice Example",
        "picture": "https://provider.test/alice.png",
        "email": "alice@example.test",
        "email_verified": True,
    }
    assert answer["csrfToken"]


async def test_nobody_is_signed_in_without_a_session(running: Running) -> None:
    assert await running.browser().user() == {"isAuthenticated": False}


async def test_user_ignores_the_cookie_of_a_request_with_authorization(running: Running) -> None:
    browser = running.browser()
    await browser.sign_in()
    answer = await browser.get("/user", headers={"Authorization": "Bearer fake"})
    assert answer.json() == {"isAuthenticated": False}


async def test_signing_in_by_form_post_goes_through_a_303_without_cookies(running: Running) -> None:
    browser = running.browser()
    done = await browser.sign_in("posting", return_to="/welcome")
    assert done.headers["location"] == "/welcome"
    assert (await browser.user())["isAuthenticated"] is True


async def test_a_posted_answer_is_kept_for_sixty_seconds_and_one_visit(running: Running) -> None:
    browser = running.browser()
    kept = await browser.post("/callback/posting", form={"state": "fake", "code": "fake"}, cookies=False)
    running.clock.now += 61
    late = await browser.get(kept.headers["location"])
    assert late.status_code == 400
    assert "transaction_expired" in late.text


async def test_a_posted_answer_serves_its_own_connector_only(running: Running) -> None:
    browser = running.browser()
    kept = await browser.post("/callback/posting", form={"state": "fake", "code": "fake"}, cookies=False)
    other = kept.headers["location"].replace("/posting", "/acme")
    refused = await browser.get(other)
    assert (refused.status_code, "transaction_expired" in refused.text) == (400, True)
    own = await browser.get(kept.headers["location"])
    assert (own.status_code, "state_mismatch" in own.text) == (400, True)


async def test_a_posted_answer_that_is_no_form_or_too_long_is_refused(running: Running) -> None:
    browser = running.browser()
    answer = await browser.post("/callback/posting", headers={"Content-Type": "application/json"})
    assert answer.status_code == 415
    answer = await browser.post("/callback/posting", form={"state": "x" * 40_000})
    assert answer.status_code == 413


async def test_the_transaction_cookie_is_host_bound_and_lax(running: Running) -> None:
    started = await running.browser().begin()
    (cookie,) = started.headers.get_list("set-cookie")
    name, *attributes = cookie.split("; ")
    assert name.startswith(f"{TRANSACTION}=")
    assert {a.lower() for a in attributes} == {"httponly", "max-age=600", "path=/", "samesite=lax", "secure"}


async def test_cookies_have_plain_names_on_http_loopback(start: Start) -> None:
    running = await start(base="http://127.0.0.1:8000")
    browser = running.browser()
    await browser.sign_in()
    assert set(browser.cookies) == {"connectors-session", "connectors-transaction"}


async def test_the_redirect_uri_comes_from_the_configuration(running: Running) -> None:
    started = await running.browser().begin()
    query = parse_qs(urlsplit(started.headers["location"]).query)
    assert query["redirect_uri"] == ["https://host.test/callback/acme"]


async def test_every_sign_in_gets_a_new_session_and_ends_the_one_before(running: Running) -> None:
    browser = running.browser()
    await browser.sign_in()
    first = browser.cookies[SESSION]
    await browser.sign_in()
    assert browser.cookies[SESSION] != first
    browser.cookies[SESSION] = first
    assert (await browser.user())["isAuthenticated"] is False


async def test_a_session_that_somebody_planted_is_not_taken_over(running: Running) -> None:
    browser = running.browser()
    browser.cookies[SESSION] = "planted-by-somebody-else"
    await browser.sign_in()
    assert browser.cookies[SESSION] != "planted-by-somebody-else"


async def test_the_same_person_keeps_the_account(running: Running) -> None:
    one, two = running.browser(), running.browser()
    await one.sign_in()
    await two.sign_in()
    assert (await one.user())["claims"]["sub"] == (await two.user())["claims"]["sub"]
    assert await running.host.accounts.count() == 1


async def test_two_first_sign_ins_at_once_make_one_account(running: Running) -> None:
    browsers = [running.browser() for _ in range(4)]
    started = [await browser.begin() for browser in browsers]
    await asyncio.gather(*(b.come_back(s) for b, s in zip(browsers, started, strict=True)))
    owners = {(await browser.user())["claims"]["sub"] for browser in browsers}
    assert len(owners) == 1
    assert await running.host.accounts.count() == 1


async def test_strangers_are_refused_where_sign_up_is_closed_and_nothing_is_written(start: Start) -> None:
    running = await start(host="sign_up = false")
    browser = running.browser()
    refused = await browser.sign_in()
    assert refused.status_code == 403
    assert "sign_up_closed" in refused.text
    assert SESSION not in browser.cookies
    assert await running.host.accounts.count() == 0
    assert (await browser.get("/sign-up")).status_code == 403


async def test_a_known_person_signs_in_where_sign_up_is_closed(start: Start) -> None:
    await (await start()).browser().sign_in()
    running = await start(host="sign_up = false")
    assert (await running.browser().sign_in()).status_code == 302


@pytest.mark.parametrize(
    ("policy", "name", "email", "verified"),
    [("sign_up", "Alice Example", "alice@example.test", True), ("sign_in", "Alice New", "new@x.test", None)],
)
async def test_the_profile_follows_sync_profile(
    start: Start, policy: str, name: str, email: str, verified: bool | None
) -> None:
    running = await start(acme=f'sync_profile = "{policy}"')
    browser = running.browser()
    await browser.sign_in()
    running.at_the_provider_sits(Person(claims={"name": "Alice New", "email": "new@x.test"}))
    await browser.sign_in()
    claims = (await browser.user())["claims"]
    assert (claims["name"], claims["email"], claims.get("email_verified")) == (name, email, verified)
    # What the provider no longer says stays.
    assert claims["picture"] == "https://provider.test/alice.png"


async def test_a_provider_that_is_down_is_named_and_the_others_work(running: Running) -> None:
    browser = running.browser()
    answer = await browser.begin("down", return_to="/welcome")
    assert answer.status_code == 503
    assert "Downtime cannot be reached" in answer.text
    assert "/sign-in?return_to=%2Fwelcome" in answer.text
    assert int(answer.headers["retry-after"]) > 0
    assert (await browser.sign_in("acme")).status_code == 302


@pytest.mark.parametrize("setting", ["enabled = false", "sign_in = false"])
async def test_a_connector_that_signs_nobody_in_has_no_button_and_no_route(
    start: Start, setting: str
) -> None:
    browser = (await start(acme=setting)).browser()
    assert "Continue with Acme" not in (await browser.get("/sign-in")).text
    assert (await browser.begin("acme")).status_code == 404
    assert (await browser.get("/callback/acme", query={"state": "x", "code": "y"})).status_code == 404


async def test_an_unknown_connector_is_not_found(running: Running) -> None:
    assert (await running.browser().begin("nobody")).status_code == 404


async def test_further_scopes_only_from_the_requestable_ones(start: Start) -> None:
    browser = (await start(acme='requestable_scopes = ["calendar"]')).browser()
    started = await browser.begin(scope="calendar")
    asked = parse_qs(urlsplit(started.headers["location"]).query)["scope"][0].split()
    assert {"openid", "calendar"} <= set(asked)
    for scope in ("calendar admin", "openid", "", "CALENDAR", "x" * 3000):
        refused = await browser.begin(scope=scope)
        assert refused.status_code == 400, scope
        assert "invalid_scope" in refused.text
    twice = await browser.get("/sign-in/acme", query="scope=calendar&scope=calendar")
    assert twice.status_code == 400


async def test_denied_consent_is_an_error_page_with_a_way_to_start_again(running: Running) -> None:
    browser = running.browser()
    running.provider.denies_with = "access_denied"
    refused = await browser.sign_in()
    assert refused.status_code == 403
    assert "access_denied" in refused.text
    assert 'href="/sign-in"' in refused.text
    assert refused.headers["referrer-policy"] == "no-referrer"


async def test_starting_again_leads_where_the_person_wanted_to_go(running: Running) -> None:
    running.provider.denies_with = "access_denied"
    refused = await running.browser().sign_in(return_to="/user?tab=1")
    assert 'href="/sign-in?return_to=%2Fuser%3Ftab%3D1"' in refused.text


async def test_a_callback_completes_once(running: Running) -> None:
    browser = running.browser()
    done = await browser.sign_in()
    again = await browser.get(str(done.request.url))
    assert again.status_code == 400
    assert "transaction_consumed" in again.text


async def test_a_callback_of_another_browser_is_refused(running: Running) -> None:
    mine, theirs = running.browser(), running.browser()
    started = await mine.begin()
    await theirs.begin()
    refused = await theirs.come_back(started)
    assert refused.status_code == 400
    assert "state_mismatch" in refused.text


async def test_a_callback_after_ten_minutes_is_refused(running: Running) -> None:
    browser = running.browser()
    started = await browser.begin()
    running.clock.now += 601
    refused = await browser.come_back(started)
    assert refused.status_code == 400
    assert "transaction_expired" in refused.text


async def test_two_tabs_both_complete(running: Running) -> None:
    browser = running.browser()
    one, two = await browser.begin(return_to="/one"), await browser.begin(return_to="/two")
    assert (await browser.come_back(two)).headers["location"] == "/two"
    assert (await browser.come_back(one)).headers["location"] == "/one"


@pytest.mark.parametrize("return_to", ["//evil.test", "https://evil.test/", "/\\evil.test", "/sign-out"])
async def test_a_return_to_that_leads_elsewhere_is_refused_at_the_start(
    running: Running, return_to: str
) -> None:
    browser = running.browser()
    for path in ("/sign-in/acme", "/sign-in", "/"):
        refused = await browser.get(path, query={"return_to": return_to})
        assert refused.status_code == 400
        assert "evil" not in refused.text


async def test_return_to_may_name_a_listed_origin(start: Start) -> None:
    running = await start(host='return_to_origins = ["https://app.test"]')
    done = await running.browser().sign_in(return_to="https://app.test/inbox")
    assert done.headers["location"] == "https://app.test/inbox"


async def test_the_page_speaks_the_browsers_language_and_keeps_return_to(running: Running) -> None:
    browser = running.browser()
    page = await browser.get("/sign-in", query={"return_to": "/a b?c=1".replace(" ", "")})
    assert '<html lang="en">' in page.text
    assert 'href="/sign-in/acme?return_to=%2Fab%3Fc%3D1"' in page.text
    assert page.text.index("Continue with Acme") < page.text.index("Continue with Downtime")
    japanese = await browser.get("/sign-in", headers={"Accept-Language": "fr, ja-JP;q=0.8, en;q=0.5"})
    assert '<html lang="ja">' in japanese.text
    assert "アクメで続ける" in japanese.text


async def test_buttons_stand_in_the_configured_order(start: Start) -> None:
    running = await start(acme="order = 5000")
    text = (await running.browser().get("/")).text
    assert text.index("Continue with Downtime") < text.index("Continue with Acme")


async def test_the_page_says_who_is_signed_in(running: Running) -> None:
    browser = running.browser()
    await browser.sign_in()
    page = (await browser.get("/")).text
    assert "Alice Example" in page
    assert 'action="/sign-out"' in page


async def test_whoever_wants_another_account_may_choose_it_at_the_provider(running: Running) -> None:
    browser = running.browser()
    first = await browser.begin()
    assert "prompt" not in parse_qs(urlsplit(first.headers["location"]).query)
    await browser.come_back(first)
    page = (await browser.get("/", query={"return_to": "/welcome"})).text
    address = html.unescape(re.findall(r'href="(/sign-in/acme[^"]*)"', page)[0])
    again = await browser.get(address)
    assert parse_qs(urlsplit(again.headers["location"]).query)["prompt"] == ["select_account"]
    assert (await browser.come_back(again)).headers["location"] == "/welcome"
    assert 'href="/sign-in/acme?select_account=1"' in (await browser.get("/")).text
    assert "select_account" not in (await running.browser().get("/")).text


async def test_names_from_a_provider_are_text(running: Running) -> None:
    running.at_the_provider_sits(Person(claims={"name": "<script>alert(1)</script>"}))
    browser = running.browser()
    await browser.sign_in()
    page = (await browser.get("/")).text
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


async def test_bob_is_another_account(running: Running) -> None:
    alice, bob = running.browser(), running.browser()
    await alice.sign_in()
    running.at_the_provider_sits(BOB)
    await bob.sign_in()
    assert (await alice.user())["claims"]["sub"] != (await bob.user())["claims"]["sub"]
