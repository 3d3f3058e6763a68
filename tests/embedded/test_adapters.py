"""The four routes and who is signed in, in every framework."""

from __future__ import annotations

import asyncio
import json
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from connectors_core import ConfigurationError, Purpose
from connectors_core.testing.provider import Person
from tests.embedded.conftest import BASE, BOB, PROGRAM, SESSION, Running, Start

TRANSACTION = "__Host-connectors-embedded-transaction"


async def test_a_person_signs_in_and_the_application_knows_them(running: Running) -> None:
    browser = running.browser()
    assert (await browser.get("/")).text == "nobody"
    assert await browser.user() == {"isAuthenticated": False}
    landed = await browser.sign_in()
    assert (landed.status_code, landed.headers["location"]) == (302, "/")
    assert (await browser.get("/")).text == "Alice Example"
    user = await browser.user()
    claims = user["claims"]
    assert user["isAuthenticated"] is True
    assert claims.pop("sub").startswith("user_")
    assert claims == {
        "name": "Alice Example",
        "picture": "https://provider.test/alice.png",
        "email": "alice@example.test",
        "email_verified": True,
    }


async def test_the_same_person_is_the_same_owner_and_another_is_another(running: Running) -> None:
    first, second, third = (running.browser() for _ in range(3))
    await first.sign_in()
    await second.sign_in()
    running.at_the_provider_sits(BOB)
    await third.sign_in()
    owners = [(await each.user())["claims"]["sub"] for each in (first, second, third)]
    assert owners[0] == owners[1] != owners[2]
    assert (await third.user())["claims"]["email_verified"] is False


@pytest.mark.parametrize("path", ["/members", "/members-async"])
async def test_a_browser_is_sent_to_sign_in_and_comes_back(running: Running, path: str) -> None:
    browser = running.browser()
    turned_away = await browser.get(path, query="tab=2")
    assert turned_away.status_code == 302
    assert turned_away.headers["location"] == f"/auth/sign-in?return_to=%2F{path[1:]}%3Ftab%3D2"
    landed = await browser.come_back(await browser.get(turned_away.headers["location"]))
    assert landed.headers["location"] == f"{path}?tab=2"
    assert (await browser.get(path)).text == "member Alice Example"


async def test_a_program_is_told_to_sign_in(running: Running) -> None:
    answer = await running.browser().get("/members", headers=PROGRAM)
    assert answer.status_code == 401
    assert "www-authenticate" in answer.headers


async def test_a_form_without_a_session_leads_to_the_sign_in_and_is_not_repeated(running: Running) -> None:
    answer = await running.browser().post("/members", form={"x": "1"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/auth/sign-in")


async def test_signing_in_again_while_signed_in_goes_on_without_the_provider(running: Running) -> None:
    browser = running.browser()
    await browser.sign_in()
    again = await browser.begin(return_to="/members")
    assert again.headers["location"] == "/members"


async def test_the_front_end_of_the_articles_finds_its_four_routes(start: Start) -> None:
    running = await start(prefix="/api/logto")
    browser = running.browser()
    started = await browser.get("/api/logto/sign-in")
    assert (
        "redirect_uri=https%3A%2F%2Fapp.test%2Fapi%2Flogto%2Fsign-in-callback&" in started.headers["location"]
    )
    await browser.come_back(started)
    assert (await browser.user())["isAuthenticated"] is True
    await browser.get("/api/logto/sign-out")
    assert await browser.user() == {"isAuthenticated": False}


async def test_the_prefix_may_be_empty_and_the_names_may_be_others(start: Start) -> None:
    running = await start(prefix="", routes={"user": "who", "sign_in": "log-in"})
    browser = running.browser()
    turned_away = await browser.get("/members")
    assert turned_away.headers["location"].startswith("/log-in?")
    await browser.come_back(await browser.get("/log-in"))
    assert (await browser.get("/who")).json()["isAuthenticated"] is True


async def test_of_several_connectors_a_page_lets_people_choose(
    start: Start, settings: dict[str, Any]
) -> None:
    config = settings["connectors"]["acme"]["config"]
    running = await start(connectors={"acme": {"config": config}, "poster": {"config": config}})
    browser = running.browser()
    page = await browser.get("/auth/sign-in", query={"return_to": "/members?a=1&b=2"})
    assert page.status_code == 200
    assert "Continue with Acme &amp; Sons" in page.text
    assert 'href="/auth/sign-in/poster?return_to=%2Fmembers%3Fa%3D1%26b%3D2"' in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    landed = await browser.sign_in("acme", return_to="/members")
    assert landed.headers["location"] == "/members"
    assert (await browser.get("/auth/sign-in-callback")).status_code == 404
    assert (await running.browser().get("/auth/sign-in/nobody")).status_code == 404


async def test_a_posted_answer_is_taken_once_with_the_cookies_of_a_get(
    start: Start, settings: dict[str, Any]
) -> None:
    running = await start(connectors={"poster": settings["connectors"]["acme"]})
    browser = running.browser()
    started = await browser.begin()
    landing = await running.provider.visit(started.headers["location"])
    kept = await browser.post("/auth/sign-in-callback", form=dict(landing.parameters), cookies=False)
    assert kept.status_code == 303
    landed = await browser.get(kept.headers["location"])
    assert (landed.status_code, landed.headers["location"]) == (302, "/")
    again = await running.browser().get(kept.headers["location"])
    assert (again.status_code, "transaction_expired" in again.text) == (400, True)


async def test_a_body_that_is_too_long_is_not_read_to_its_end(running: Running) -> None:
    answer = await running.browser().post("/auth/sign-in-callback", form={"code": "x" * 40_000})
    assert answer.status_code == 413


async def test_other_methods_do_nothing(running: Running) -> None:
    browser = running.browser()
    await browser.sign_in()
    for request in ("POST sign-in", "PUT sign-out", "HEAD sign-out", "DELETE user"):
        method, route = request.split()
        refused = await browser.request(method, f"/auth/{route}")
        assert (refused.status_code, request) == (405, request)
        assert "GET" in refused.headers["allow"]
        assert (await browser.user())["isAuthenticated"] is True


async def test_strangers_are_refused_where_sign_up_is_off(start: Start) -> None:
    running = await start(sign_up=False)
    browser = running.browser()
    refused = await browser.sign_in(return_to="/members")
    assert refused.status_code == 403
    assert "sign_up_closed" in refused.text
    assert 'href="/auth/sign-in?return_to=%2Fmembers"' in refused.text
    assert SESSION not in browser.cookies


async def test_the_application_decides_who_signs_up_and_as_whom(start: Start) -> None:
    seen = []

    def sign_up(completed: Any) -> str | bool:
        seen.append(completed.profile.email)
        return "customer-7" if completed.profile.email_verified else False

    running = await start(sign_up=sign_up)
    browser, other = running.browser(), running.browser()
    await browser.sign_in()
    assert (await browser.user())["claims"]["sub"] == "customer-7"
    running.at_the_provider_sits(BOB)
    assert (await other.sign_in()).status_code == 403
    await running.browser().sign_in()
    assert seen == ["alice@example.test", "bob@example.test", "bob@example.test"]
    (identity,) = await running.hub("identities", "customer-7")
    assert identity.profile["email"] == "alice@example.test"


@pytest.mark.parametrize("start", ["starlette"], indirect=True)
async def test_the_decision_may_be_awaited_where_there_is_a_loop(start: Start) -> None:
    async def sign_up(completed: Any) -> bool:
        await asyncio.sleep(0)
        return False

    running = await start(sign_up=sign_up)
    assert (await running.browser().sign_in()).status_code == 403


@pytest.mark.parametrize(("sync_profile", "kept"), [("sign_up", "Alice Example"), ("sign_in", "Alice Later")])
async def test_what_is_kept_of_a_profile_follows_the_connectors_policy(
    start: Start, settings: dict[str, Any], sync_profile: str, kept: str
) -> None:
    table = settings["connectors"]["acme"] | {"sync_profile": sync_profile}
    running = await start(connectors={"acme": table})
    await running.browser().sign_in()
    running.at_the_provider_sits(Person(claims={"name": "Alice Later"}))
    browser = running.browser()
    await browser.sign_in()
    claims = (await browser.user())["claims"]
    assert claims["name"] == "Alice Later"
    (identity,) = await running.hub("identities", claims["sub"])
    assert identity.profile["name"] == kept


async def test_of_two_first_sign_ins_at_once_both_are_one_owner(running: Running) -> None:
    browsers = [running.browser() for _ in range(4)]
    started = [await each.begin() for each in browsers]
    await asyncio.gather(*(each.come_back(to) for each, to in zip(browsers, started, strict=True)))
    assert len({(await each.user())["claims"]["sub"] for each in browsers}) == 1


@pytest.mark.parametrize(("blind", "status"), [(1, 302), (2, 503)])
async def test_who_comes_second_is_the_owner_whom_the_first_made(
    running: Running, monkeypatch: pytest.MonkeyPatch, blind: int, status: int
) -> None:
    """The identity appears between the look and the link; once it is gone again at the next look."""
    first, second = running.browser(), running.browser()
    await first.sign_in()
    hub = running.hub_within
    look, looks = hub.find_identity, iter(range(9))

    async def find_identity(completed: Any) -> Any:
        return None if next(looks) < blind else await look(completed)

    monkeypatch.setattr(hub, "find_identity", find_identity)
    assert (await second.sign_in()).status_code == status
    if status == 302:
        assert (await second.user())["claims"]["sub"] == (await first.user())["claims"]["sub"]


async def test_a_session_ends_when_its_time_is_over(start: Start) -> None:
    running = await start(session_lifetime=600)
    browser = running.browser()
    await browser.sign_in()
    running.clock.now += 599
    assert (await browser.user())["isAuthenticated"] is True
    running.clock.now += 1
    assert await browser.user() == {"isAuthenticated": False}


async def test_an_old_secret_still_opens_and_the_new_one_seals(
    start: Start, settings: dict[str, Any]
) -> None:
    new = "a-new-fake-secret-that-replaces-the-old-one"
    running = await start()
    browser = running.browser()
    await browser.sign_in()
    rotated = await start(secret=[new, settings["secret"]])
    later = rotated.browser()
    later.cookies = dict(browser.cookies)
    assert (await later.user())["isAuthenticated"] is True
    gone = (await start(secret=new)).browser()
    gone.cookies = dict(browser.cookies)
    assert await gone.user() == {"isAuthenticated": False}


async def test_signing_out_goes_on_to_the_provider_with_its_id_token(running: Running) -> None:
    browser = running.browser()
    await browser.sign_in()
    left = await browser.get("/auth/sign-out")
    assert left.status_code == 303
    assert left.headers["location"].startswith("https://provider.test/")
    assert "post_logout_redirect_uri=https%3A%2F%2Fapp.test%2F" in left.headers["location"]
    assert "id_token_hint=" in left.headers["location"]
    assert not browser.cookies


async def test_signing_out_stays_here_where_that_is_wanted_or_the_provider_is_down(start: Start) -> None:
    running = await start(provider_sign_out=False, after_sign_out="/bye")
    browser = running.browser()
    await browser.sign_in()
    assert (await browser.get("/auth/sign-out")).headers["location"] == "/bye"
    assert (await browser.get("/auth/sign-out", headers={"Sec-Fetch-Site": "cross-site"})).headers[
        "location"
    ] == "/bye"


async def test_a_program_that_signs_out_is_told_where_to_go_on(running: Running) -> None:
    browser = running.browser()
    await browser.sign_in()
    answer = await browser.post("/auth/sign-out", headers=PROGRAM)
    assert answer.json()["isAuthenticated"] is False
    assert answer.json()["continue"].startswith("https://provider.test/")
    assert not browser.cookies


async def test_the_provider_said_no(running: Running) -> None:
    running.provider.denies_with = "access_denied"
    refused = await running.browser().sign_in(return_to="/members")
    assert refused.status_code == 403
    assert "access_denied" in refused.text
    assert "return_to=%2Fmembers" in refused.text


async def test_an_error_is_a_problem_for_a_program(running: Running) -> None:
    answer = await running.browser().get("/auth/sign-in-callback", query="code=x&state=y", headers=PROGRAM)
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert json.loads(answer.text)["code"] == "state_mismatch"


async def test_the_longest_profile_still_fits_a_cookie(running: Running) -> None:
    claims = {
        "name": "長い名前" * 200,
        "picture": "https://provider.test/" + "p" * 1000,
        "email": "é" * 300 + "@example.test",
        "email_verified": True,
        "phone_number": "+1" + "5" * 60,
    }
    running.at_the_provider_sits(Person(sub="long-1", claims=claims))
    browser = running.browser()
    landed = await browser.sign_in()
    (cookie,) = landed.headers.get_list("set-cookie")
    assert len(cookie) < 2600
    user = await browser.user()
    assert user["isAuthenticated"] is True
    assert "picture" not in user["claims"]
    assert len(user["claims"]["name"]) == 256


async def test_cookies_are_as_closed_as_they_can_be(running: Running) -> None:
    browser = running.browser()
    started = await browser.begin()
    landed = await browser.come_back(started)
    for response, name in ((started, TRANSACTION), (landed, SESSION)):
        (header,) = response.headers.get_list("set-cookie")
        (morsel,) = SimpleCookie(header).values()
        assert morsel.key == name
        assert (morsel["path"], morsel["domain"], morsel["httponly"], morsel["secure"]) == (
            "/",
            "",
            True,
            True,
        )
        assert morsel["samesite"].lower() == "lax"
        assert 0 < int(morsel["max-age"]) <= 86400
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["referrer-policy"] == "no-referrer"


async def test_on_loopback_cookies_have_plain_names(start: Start) -> None:
    running = await start(base_url="http://localhost:5000")
    browser = running.browser()
    started = await browser.begin()
    assert set(browser.cookies) == {"connectors-embedded-transaction"}
    assert "redirect_uri=http%3A%2F%2Flocalhost%3A5000%2Fauth" in started.headers["location"]
    assert BASE not in started.headers["location"]


@pytest.mark.parametrize("start", ["django"], indirect=True)
async def test_a_class_of_async_views_may_require_a_sign_in(running: Running) -> None:
    browser = running.browser()
    assert (await browser.get("/members-class")).headers["location"].startswith("/auth/sign-in?")
    await browser.sign_in()
    assert (await browser.get("/members-class")).text == "member Alice Example"


@pytest.mark.parametrize("start", ["django"], indirect=True)
async def test_a_wrong_setting_is_told_when_the_server_starts(start: Start, settings: dict[str, Any]) -> None:
    await start()
    from connectors_embedded.django import sign_in
    from django.core.wsgi import get_wsgi_application  # type: ignore[import-untyped]
    from django.test import override_settings  # type: ignore[import-untyped]

    sign_in.cache_clear()
    wrong = settings | {"base_url": "https://app.test/"}
    with override_settings(CONNECTORS=wrong), pytest.raises(ConfigurationError, match="base_url"):
        get_wsgi_application()


@pytest.mark.parametrize("start", ["flask"], indirect=True)
async def test_who_is_signed_in_belongs_to_one_request(running: Running) -> None:
    """An application context that is pushed around several requests is shared by them."""
    from connectors_embedded.flask import current_user
    from flask import Flask

    browser = running.browser()
    await browser.sign_in()
    app = Flask("another")
    app.register_blueprint(running.sign_in.blueprint)
    app.add_url_rule("/", view_func=lambda: current_user.name or "" if current_user else "nobody")
    with app.app_context():
        client = app.test_client(use_cookies=False)
        cookie = {"Cookie": f"{SESSION}={browser.cookies[SESSION]}"}
        assert client.get("/", headers=cookie).text == "Alice Example"
        assert client.get("/").text == "nobody"


async def test_a_sign_in_that_the_application_began_itself_lands_at_its_root(running: Running) -> None:
    browser = running.browser()
    await browser.begin()
    started = await running.hub(
        "begin",
        "acme",
        redirect_uri=f"{BASE}/auth/sign-in-callback",
        binding=browser.cookies[TRANSACTION],
    )
    landing = await running.provider.visit(started.uri)
    landed = await browser.get("/auth/sign-in-callback", query=landing.query)
    assert (landed.status_code, landed.headers["location"]) == (302, "/")


async def test_what_was_begun_for_an_owner_is_no_sign_in(running: Running) -> None:
    browser = running.browser()
    await browser.begin()
    started = await running.hub(
        "begin",
        "acme",
        redirect_uri=f"{BASE}/auth/sign-in-callback",
        binding=browser.cookies[TRANSACTION],
        purpose=Purpose.LINK,
        owner="somebody",
    )
    landing = await running.provider.visit(started.uri)
    refused = await browser.get("/auth/sign-in-callback", query=landing.query)
    assert refused.status_code == 409
    assert SESSION not in browser.cookies
    assert running.provider.requests.count("token") == 0


async def test_a_path_keeps_its_characters_on_the_way_back(running: Running) -> None:
    answer = await running.browser().get("/members-async", query="q=%E6%97%A5&x=%3F%2B")
    assert parse_qs(urlsplit(answer.headers["location"]).query) == {
        "return_to": ["/members-async?q=%E6%97%A5&x=%3F%2B"]
    }


async def test_bytes_that_are_no_text_are_refused(running: Running) -> None:
    answer = await running.browser().get("/auth/sign-in-callback", query="code=%ff&state=%00")
    assert answer.status_code == 400
