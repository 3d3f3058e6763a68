"""What must not work, in every framework."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from connectors_core.testing.provider import Person, Provider
from tests.canary import Canary
from tests.embedded.conftest import BOB, SESSION, Running, Start

TRANSACTION = "__Host-connectors-embedded-transaction"
CALLBACK = "/auth/sign-in-callback"


@pytest.fixture(autouse=True)
def _secrets_are_watched(provider: Provider, canary: Canary) -> Iterator[None]:
    """What the provider made counts as secret, in all that is printed."""
    yield
    for secret in provider.secrets():
        canary.watch(secret, "a secret of the provider's")
    for asked in provider.requests:
        for name in ("state", "code", "code_verifier"):
            if name in asked.parameters:
                canary.watch(asked.parameters[name], name)


async def code_of(response: Any) -> str:
    found = re.search(r"<code>(\w+)</code>", response.text)
    assert found, response.text
    return found[1]


async def test_a_callback_in_another_browser_signs_nobody_in(running: Running) -> None:
    victim, attacker = running.browser(), running.browser()
    landing = await running.provider.visit((await attacker.begin()).headers["location"])
    for prepared in (False, True):
        if prepared:
            await victim.begin()
        answer = await victim.get(CALLBACK, query=landing.query, headers={"Sec-Fetch-Site": "cross-site"})
        assert (answer.status_code, await code_of(answer)) == (400, "state_mismatch")
        assert SESSION not in victim.cookies
    assert running.provider.requests.count("token") == 0


async def test_a_callback_works_once(running: Running) -> None:
    browser = running.browser()
    landing = await running.provider.visit((await browser.begin()).headers["location"])
    assert (await browser.get(CALLBACK, query=landing.query)).status_code == 302
    del browser.cookies[SESSION]
    replayed = await browser.get(CALLBACK, query=landing.query)
    assert (replayed.status_code, await code_of(replayed)) == (400, "transaction_consumed")
    assert SESSION not in browser.cookies
    assert running.provider.requests.count("token") == 1


async def test_a_callback_comes_too_late(running: Running) -> None:
    browser = running.browser()
    started = await browser.begin()
    running.clock.now += 601
    landing = await running.provider.visit(started.headers["location"])
    answer = await browser.get(CALLBACK, query=landing.query)
    assert await code_of(answer) == "transaction_expired"
    assert SESSION not in browser.cookies


async def test_nobody_is_sent_elsewhere(running: Running) -> None:
    for return_to in ("//evil.example", "https://evil.example/", "/auth/sign-out"):
        refused = await running.browser().begin(return_to=return_to)
        assert (refused.status_code, await code_of(refused)) == (400, "invalid_request"), return_to
        assert "evil.example" not in refused.text


async def test_a_repeated_return_to_is_refused(running: Running) -> None:
    refused = await running.browser().get("/auth/sign-in", query="return_to=/a&return_to=/b")
    assert refused.status_code == 400


async def test_a_listed_origin_may_be_returned_to(start: Start) -> None:
    running = await start(return_to_origins=["https://docs.test"])
    landed = await running.browser().sign_in(return_to="https://docs.test/page?x=1")
    assert landed.headers["location"] == "https://docs.test/page?x=1"
    refused = await running.browser().begin(return_to="https://docs.test:444/")
    assert refused.status_code == 400


async def test_a_return_to_of_the_challenge_is_never_foreign(running: Running) -> None:
    browser = running.browser()
    answer = await browser.get("/members", query="next=//evil.example")
    landed = await browser.come_back(await browser.get(answer.headers["location"]))
    assert landed.headers["location"].startswith("/members")


def variants(value: str) -> list[str]:
    """A sealed value, changed at every tenth place, cut at every tenth place, and no sealed value at all."""
    flipped = ["A" if c != "A" else "B" for c in value]
    changed = [value[:n] + flipped[n] + value[n + 1 :] for n in range(0, len(value) - 1, 10)]
    cut = [value[:n] for n in range(0, len(value), 10)]
    forged = base64.urlsafe_b64encode(b'{"claims":{"sub":"user_1"},"until":9e99}').decode().rstrip("=")
    return [*changed, *cut, value + "A", value * 2, forged, "é", "=", "null", "x" * 5000]


async def test_a_session_that_was_changed_or_cut_is_none(running: Running) -> None:
    browser = running.browser()
    await browser.sign_in()
    good = browser.cookies[SESSION]
    service = getattr(running.sign_in, "service", None) or running.sign_in._service
    assert service.user({SESSION: good}).name == "Alice Example"
    for value in variants(good):
        assert service.user({SESSION: value}) is None, value
    for value in variants(good)[::40]:
        browser.cookies[SESSION] = quote(value, safe="")
        assert await browser.user() == {"isAuthenticated": False}
        assert (await browser.get("/members")).status_code == 302


async def test_a_session_of_another_application_with_the_same_secret_is_none(start: Start) -> None:
    running = await start()
    browser = running.browser()
    await browser.sign_in()
    other = (await start(base_url="https://staging.app.test")).browser()
    other.cookies = dict(browser.cookies)
    assert await other.user() == {"isAuthenticated": False}


async def test_each_sign_in_has_a_new_session_whatever_was_planted(running: Running) -> None:
    browser = running.browser()
    await browser.sign_in()
    planted = browser.cookies.pop(SESSION)
    await browser.sign_in()
    assert browser.cookies[SESSION] != planted
    victim = running.browser()
    victim.cookies = {SESSION: "planted-by-somebody", TRANSACTION: "planted-too"}
    started = await victim.begin()
    await victim.come_back(started)
    assert victim.cookies[SESSION] != "planted-by-somebody"
    assert (await victim.user())["isAuthenticated"] is True


async def test_a_cookie_without_the_prefix_is_not_looked_at(running: Running) -> None:
    """A sibling domain can plant any cookie but one with ``__Host-``."""
    browser = running.browser()
    await browser.sign_in()
    browser.cookies = {"connectors-embedded-session": browser.cookies[SESSION]}
    assert await browser.user() == {"isAuthenticated": False}


async def test_an_answer_posted_for_one_connector_is_not_taken_by_another(
    start: Start, settings: dict[str, Any]
) -> None:
    table = settings["connectors"]["acme"]
    running = await start(connectors={"acme": table, "poster": table})
    browser = running.browser()
    landing = await running.provider.visit((await browser.begin("poster")).headers["location"])
    kept = await browser.post(f"{CALLBACK}/poster", form=dict(landing.parameters), cookies=False)
    moved = kept.headers["location"].replace("/poster?", "/acme?")
    assert await code_of(await browser.get(moved)) == "transaction_expired"
    assert await code_of(await browser.get(f"{CALLBACK}/acme", query=landing.query)) == "state_mismatch"
    assert running.provider.requests.count("token") == 0


async def test_an_account_is_not_switched_by_a_second_tab(running: Running) -> None:
    browser = running.browser()
    started = await browser.begin()
    await browser.sign_in()
    before = dict(browser.cookies)
    running.at_the_provider_sits(BOB)
    refused = await browser.come_back(started)
    assert (refused.status_code, await code_of(refused)) == (409, "already_signed_in")
    assert 'href="/auth/sign-out"' in refused.text
    assert browser.cookies == before
    assert (await browser.user())["claims"]["name"] == "Alice Example"


async def test_another_site_cannot_sign_anybody_out_by_get(running: Running) -> None:
    browser = running.browser()
    await browser.sign_in()
    for site in ("cross-site", "same-site", None):
        asked = await browser.get("/auth/sign-out", headers={"Sec-Fetch-Site": site})
        assert (asked.status_code, site) == (200, site)
        assert "You are signed in as Alice Example" in asked.text
        assert '<form method="post" action="/auth/sign-out">' in asked.text
        assert (await browser.user())["isAuthenticated"] is True
    answered = await browser.post("/auth/sign-out", headers={"Origin": "https://app.test"})
    assert answered.status_code == 303
    assert not browser.cookies


OTHER_SITES: tuple[dict[str, str | None], ...] = (
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site", "Origin": "https://app.test"},
    {"Sec-Fetch-Site": None, "Origin": "https://evil.example"},
    {"Sec-Fetch-Site": None, "Origin": "null"},
    {"Sec-Fetch-Site": None},
)


async def test_another_site_cannot_sign_anybody_out_by_post(running: Running) -> None:
    browser = running.browser()
    await browser.sign_in()
    for headers in OTHER_SITES:
        refused = await browser.post("/auth/sign-out", headers=headers)
        assert (refused.status_code, await code_of(refused)) == (403, "csrf_failed"), headers
        assert (await browser.user())["isAuthenticated"] is True


async def test_a_page_fetched_ahead_signs_nobody_out(running: Running) -> None:
    browser = running.browser()
    await browser.sign_in()
    await browser.get("/auth/sign-out", headers={"Sec-Purpose": "prefetch;prerender"})
    assert (await browser.user())["isAuthenticated"] is True


async def test_a_picture_on_a_page_of_this_site_signs_nobody_out(running: Running) -> None:
    browser = running.browser()
    await browser.sign_in()
    await browser.get("/auth/sign-out", headers={"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"})
    assert (await browser.user())["isAuthenticated"] is True


async def test_what_people_are_called_is_text(running: Running) -> None:
    running.at_the_provider_sits(Person(sub="x-1", claims={"name": "<script>alert(1)</script>"}))
    browser = running.browser()
    await browser.sign_in()
    page = await browser.get("/auth/sign-out", headers={"Sec-Fetch-Site": "cross-site"})
    assert "&lt;script&gt;" in page.text
    assert "<script" not in page.text


async def test_what_a_provider_says_is_text_and_only_shown_for_a_good_state(running: Running) -> None:
    browser = running.browser()
    (state,) = parse_qs(urlsplit((await browser.begin()).headers["location"]).query)["state"]
    said = {"error": "access_denied", "error_description": "<script>alert(1)</script>"}
    forged = await browser.get(CALLBACK, query=said | {"state": "x" * 43})
    assert "alert" not in forged.text
    page = await browser.get(CALLBACK, query=said | {"state": state})
    assert "The provider says: &lt;script&gt;alert(1)&lt;/script&gt;" in page.text
    assert "<script" not in page.text


async def test_a_redirect_uri_that_is_not_registered_completes_nothing(running: Running) -> None:
    browser = running.browser()
    landing = await running.provider.visit((await browser.begin()).headers["location"])
    answer = await browser.get(f"{CALLBACK}/acme", query=landing.query)
    assert (answer.status_code, running.provider.requests.count("token")) == (404, 0)


async def test_no_page_shows_a_secret(running: Running, canary: Canary) -> None:
    browser = running.browser()
    shown = []
    started = await browser.begin()
    landing = await running.provider.visit(started.headers["location"])
    parameters = dict(landing.parameters)
    canary.watch(parameters["code"], "a code")
    canary.watch(parameters["state"], "a state")
    canary.watch(browser.cookies[TRANSACTION], "a binding")
    with running.provider.deviate("id_token.nonce-missing"):
        shown.append(await browser.get(CALLBACK, query=landing.query))
    shown.append(await browser.get(CALLBACK, query=landing.query))
    shown.append(await browser.get(CALLBACK, query=f"{landing.query}&state=again"))
    shown.append(await browser.get(CALLBACK, query=landing.query, headers={"Accept": "*/*"}))
    assert [each.status_code for each in shown] == [502, 400, 400, 400]
    await browser.sign_in()
    shown += [await browser.get(path) for path in ("/", "/auth/user", "/members")]
    for secret in running.provider.secrets():
        canary.watch(secret, "a secret of the provider's")
    canary.check(
        *(each.text for each in shown), repr(running.sign_in), *map(repr, vars(running.sign_in).values())
    )
