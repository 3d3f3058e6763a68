"""Google One Tap: where its prompt is shown, and who comes in by what it posts."""

from __future__ import annotations

import asyncio
import re
from html import unescape

import httpx
import pytest

from connectors_core.testing.provider import Person
from tests.host.conftest import BASE, BOB, Browser, Running, Start

CSRF = "token-of-googles-script"

GOOGLE = """
[connectors.google]
type = "google"
order = 1
{settings}
[connectors.google.config]
clientId = "client-1"
clientSecret = "not-a-secret-of-anybody"
issuer = "https://provider.test"
{config}
"""
ON = "oneTap = { isEnabled = true }"


def google(settings: str = "", config: str = ON) -> str:
    return GOOGLE.format(settings=settings, config=config)


@pytest.fixture
async def running(start: Start) -> Running:
    opened: Running = await start(more=google())
    return opened


def nonce_on(page: httpx.Response) -> str:
    found = re.search(r'data-nonce="([^"]+)"', page.text)
    assert found, page.text
    return unescape(found[1])


async def see_prompt(browser: Browser, **query: str) -> str:
    """The nonce of the prompt on the sign-in page; Google's script sets its cookie there."""
    nonce = nonce_on(await browser.get("/sign-in", query=query))
    browser.cookies["g_csrf_token"] = CSRF
    return nonce


async def tap(
    browser: Browser, credential: str, *, csrf: str = CSRF, **headers: str | None
) -> httpx.Response:
    form = {"credential": credential, "g_csrf_token": csrf, "select_by": "user"}
    sent: dict[str, str | None] = {"Origin": BASE, **headers}
    return await browser.post("/one-tap/google", form=form, headers=sent)


async def test_a_tap_signs_in_and_leads_to_where_the_person_wanted_to_go(running: Running) -> None:
    browser = running.browser()
    nonce = await see_prompt(browser, return_to="/account")
    answer = await tap(browser, running.provider.credential(nonce=nonce))
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    assert (await browser.user())["claims"]["name"] == "Alice Example"
    (identity,) = await running.host.hub.identities((await browser.user())["claims"]["sub"])
    assert (identity.key.issuer, identity.key.subject) == ("https://provider.test", "alice-1")


async def test_it_is_the_account_of_the_button_s_sign_in(running: Running) -> None:
    for _ in range(2):
        browser = running.browser()
        await tap(browser, running.provider.credential(nonce=await see_prompt(browser)))
    assert await running.host.accounts.count() == 1


async def test_the_prompt_has_the_attributes_of_the_configuration(start: Start) -> None:
    options = "{ isEnabled = true, autoSelect = true, closeOnTapOutside = false, itpSupport = true }"
    running = await start(more=google(config=f"oneTap = {options}"))
    page = (await running.browser().get("/sign-in")).text
    element = re.search(r'<div id="g_id_onload"[^>]*>', page)
    assert element
    for attribute in (
        'data-client_id="client-1"',
        'data-login_uri="https://host.test/one-tap/google"',
        'data-auto_select="true"',
        'data-cancel_on_tap_outside="false"',
        'data-itp_support="true"',
    ):
        assert attribute in element[0]
    assert '<script src="https://accounts.google.com/gsi/client" async></script>' in page


def policy_of(answer: httpx.Response) -> dict[str, str]:
    return dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))


async def test_google_s_sources_are_allowed_on_the_sign_in_page_alone(running: Running) -> None:
    browser = running.browser()
    for path in ("/", "/sign-in", "/sign-up"):
        policy = policy_of(await browser.get(path))
        assert policy["script-src"] == "https://accounts.google.com/gsi/client"
        assert policy["frame-src"] == policy["connect-src"] == "https://accounts.google.com/gsi/"
        assert policy["style-src"] == "'self' https://accounts.google.com/gsi/style"
        assert (policy["default-src"], policy["frame-ancestors"]) == ("'none'", "'none'")
    nonce = await see_prompt(browser)
    refused = await tap(browser, "nonsense")
    await tap(browser, running.provider.credential(nonce=nonce))
    for answer in (refused, await browser.get("/"), await browser.get("/account"), await browser.get("/no")):
        assert "google" not in answer.headers["content-security-policy"]
        assert "gsi" not in answer.text


async def test_no_prompt_where_it_is_off_where_nobody_signs_in_or_somebody_is(start: Start) -> None:
    running = await start(more=google(config=""))
    assert "g_id_onload" not in (await running.browser().get("/sign-in")).text
    refused = await running.browser().post("/one-tap/google", form={"credential": "x"})
    assert refused.status_code == 404
    running = await start(more=google(settings="sign_in = false"), database="sqlite://")
    assert "g_id_onload" not in (await running.browser().get("/sign-in")).text
    assert (await running.browser().post("/one-tap/google", form={})).status_code == 404
    for connector in ("acme", "nobody"):
        assert (await running.browser().post(f"/one-tap/{connector}", form={})).status_code == 404


async def test_nobody_who_is_signed_in_is_prompted(running: Running) -> None:
    browser = running.browser()
    await browser.sign_in()
    page = await browser.get("/sign-in")
    assert "g_id_onload" not in page.text
    assert "script-src" not in policy_of(page)


async def test_a_credential_comes_in_once(running: Running) -> None:
    browser = running.browser()
    credential = running.provider.credential(nonce=await see_prompt(browser))
    answers = await asyncio.gather(*(tap(browser, credential) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [303, 400, 400]
    running.clock.now += 300
    again = running.browser()
    await see_prompt(again)
    assert (await tap(again, credential)).status_code == 400


async def test_two_tabs_of_one_browser_may_both_tap(running: Running) -> None:
    browser = running.browser()
    first, second = await see_prompt(browser), await see_prompt(browser)
    assert first != second
    for nonce in (first, second):
        assert (await tap(browser, running.provider.credential(nonce=nonce))).status_code == 303


async def test_another_browser_s_prompt_counts_for_nothing(running: Running) -> None:
    """Whoever got hold of a credential, or plants their own in somebody's browser, comes in nowhere."""
    mallory, victim = running.browser(), running.browser()
    nonce = await see_prompt(mallory)
    await see_prompt(victim)
    refused = await tap(victim, running.provider.credential(nonce=nonce))
    assert refused.status_code == 400
    assert (await victim.user())["isAuthenticated"] is False


@pytest.mark.parametrize("nonce", [None, "", "made-up", "né"])
async def test_without_our_nonce_nothing_is_believed(running: Running, nonce: str | None) -> None:
    browser = running.browser()
    await see_prompt(browser)
    refused = await tap(browser, running.provider.credential(nonce=nonce), Accept="application/json")
    assert refused.status_code in (400, 502)
    assert await running.host.accounts.count() == 0


async def test_a_prompt_is_over_after_ten_minutes(running: Running) -> None:
    browser = running.browser()
    nonce = await see_prompt(browser)
    running.clock.now += 601
    refused = await tap(browser, running.provider.credential(nonce=nonce), Accept="application/json")
    assert (refused.status_code, refused.json()["code"]) == (400, "transaction_expired")


async def test_a_credential_that_fails_a_check_uses_no_prompt_up(running: Running) -> None:
    browser = running.browser()
    nonce = await see_prompt(browser)
    with running.provider.deviate("id_token.iss-other"):
        refused = await tap(browser, running.provider.credential(nonce=nonce), Accept="application/json")
    assert (refused.status_code, refused.json()["claim"]) == (502, "iss")
    assert (await tap(browser, running.provider.credential(nonce=nonce))).status_code == 303


async def test_the_cookie_of_googles_script_and_the_field_must_agree(running: Running) -> None:
    browser = running.browser()
    credential = running.provider.credential(nonce=await see_prompt(browser))
    forged: list[tuple[str, dict[str, str | None]]] = [
        ("another", {}),
        ("", {}),
        ("é", {}),
        (CSRF, {"Origin": "https://evil.test"}),
        (CSRF, {"Sec-Fetch-Site": "cross-site"}),
        (CSRF, {"Sec-Fetch-Site": "same-site"}),
    ]
    for csrf, headers in forged:
        refused = await tap(browser, credential, csrf=csrf, Accept="application/json", **headers)
        assert (refused.status_code, refused.json()["code"]) == (403, "csrf_failed")
    del browser.cookies["g_csrf_token"]
    for csrf in ("", CSRF):
        assert (await tap(browser, credential, csrf=csrf)).status_code == 403
    browser.cookies["g_csrf_token"] = CSRF
    assert (await tap(browser, credential)).status_code == 303


@pytest.mark.parametrize(
    "credential", ["", "x", "a.b.c", "a.bnVsbA.c", "a." + "W" * 9000 + ".c", "x" * 20000]
)
async def test_what_is_no_credential_is_refused(running: Running, credential: str) -> None:
    browser = running.browser()
    await see_prompt(browser)
    refused = await tap(browser, credential, Accept="application/json")
    assert refused.status_code in (400, 502)


async def test_who_is_signed_in_comes_in_as_nobody_else(running: Running) -> None:
    browser = running.browser()
    mine, bobs = await see_prompt(browser), await see_prompt(browser)
    await tap(browser, running.provider.credential(nonce=mine))
    before = await browser.user()
    running.at_the_provider_sits(BOB)
    refused = await tap(
        browser, running.provider.credential(nonce=bobs, sub="bob-1"), Accept="application/json"
    )
    assert (refused.status_code, refused.json()["code"]) == (409, "owner_mismatch")
    assert (await browser.user())["claims"] == before["claims"]
    assert await running.host.accounts.count() == 1


async def test_an_unknown_identity_follows_the_rules_of_a_callback(start: Start) -> None:
    running = await start(more=google(), host="sign_up = false")
    browser = running.browser()
    nonce = await see_prompt(browser)
    refused = await tap(browser, running.provider.credential(nonce=nonce), Accept="application/json")
    assert (refused.status_code, refused.json()["code"]) == (403, "sign_up_closed")
    assert await running.host.accounts.count() == 0


async def test_an_address_that_an_account_has_is_asked_about(running: Running) -> None:
    verified = Person(claims={"name": "Alice", "email": "alice@gmail.com", "email_verified": True})
    running.at_the_provider_sits(verified)
    await running.browser().sign_in()
    browser = running.browser()
    nonce = await see_prompt(browser)
    asked = await tap(browser, running.provider.credential(nonce=nonce))
    assert asked.status_code == 409
    assert (await browser.user())["isAuthenticated"] is False
    linked = await browser.sign_in()
    assert linked.status_code == 200
    handle = re.search(r'name="handle" value="([^"]+)"', linked.text)
    assert handle
    done = await browser.form("/linking", choice="link", handle=handle[1])
    assert done.status_code == 303
    owner = (await browser.user())["claims"]["sub"]
    assert {each.connector for each in await running.host.hub.identities(owner)} == {"acme", "google"}


async def test_get_is_no_method_of_it(running: Running) -> None:
    assert (await running.browser().get("/one-tap/google")).status_code == 405
