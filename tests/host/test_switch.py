"""A signed-in person who meets another identity is asked."""

from __future__ import annotations

import re

import pytest

from connectors_core.testing.provider import Person
from tests.host.conftest import BOB, Browser, Running, Start

SESSION = "__Host-connectors-session"


async def meet_bob(running: Running, **query: str) -> tuple[Browser, dict[str, str], str]:
    """Alice is signed in and comes back as Bob: her browser, the form, the page."""
    browser = running.browser()
    await browser.sign_in()
    running.at_the_provider_sits(BOB)
    page = await browser.sign_in(**query)
    assert page.status_code == 200
    return browser, dict(re.findall(r'name="(\w+)" value="([^"]+)">\n', page.text)), page.text


async def name(browser: Browser) -> str:
    return str((await browser.user())["claims"]["name"])


async def test_nothing_is_created_linked_or_switched_unasked(running: Running) -> None:
    browser, _, page = await meet_bob(running)
    assert "Which account do you want to use?" in page
    assert "Bob Example" in page
    assert await name(browser) == "Alice Example"
    assert await running.host.accounts.count() == 1
    alice = (await browser.user())["claims"]["sub"]
    assert len(await running.host.hub.identities(alice)) == 1


async def test_stay_keeps_everything_and_goes_where_the_person_wanted(running: Running) -> None:
    browser, form, _ = await meet_bob(running, return_to="/inbox")
    answer = await browser.post("/switch", form={**form, "choice": "stay"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/inbox")
    assert await name(browser) == "Alice Example"
    assert await running.host.accounts.count() == 1


async def test_switch_ends_the_session_and_signs_the_other_in(running: Running) -> None:
    browser, form, _ = await meet_bob(running, return_to="/inbox")
    before = browser.cookies[SESSION]
    answer = await browser.post("/switch", form={**form, "choice": "switch"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/inbox")
    assert await name(browser) == "Bob Example"
    assert await running.host.accounts.count() == 2
    browser.cookies[SESSION] = before
    assert (await browser.user())["isAuthenticated"] is False


async def test_a_known_identity_of_another_account_is_asked_for_too(running: Running) -> None:
    running.at_the_provider_sits(BOB)
    bob = running.browser()
    await bob.sign_in()
    running.at_the_provider_sits(Person())
    browser, form, _ = await meet_bob(running)
    assert await name(browser) == "Alice Example"
    await browser.post("/switch", form={**form, "choice": "switch"})
    assert (await browser.user())["claims"]["sub"] == (await bob.user())["claims"]["sub"]


async def test_the_form_works_once(running: Running) -> None:
    browser, form, _ = await meet_bob(running)
    await browser.post("/switch", form={**form, "choice": "stay"})
    again = await browser.post("/switch", form={**form, "choice": "switch"})
    assert again.status_code == 400
    assert await name(browser) == "Alice Example"


async def test_the_form_is_good_for_ten_minutes(running: Running) -> None:
    browser, form, _ = await meet_bob(running)
    running.clock.now += 601
    answer = await browser.post("/switch", form={**form, "choice": "switch"})
    assert answer.status_code == 400
    assert "transaction_expired" in answer.text


@pytest.mark.parametrize(
    ("change", "headers", "status"),
    [
        ({"csrf_token": "wrong"}, {}, 403),
        ({"csrf_token": "é"}, {}, 403),
        ({}, {"Sec-Fetch-Site": "cross-site"}, 403),
        ({}, {"Sec-Fetch-Site": None, "Origin": "https://evil.test"}, 403),
        ({"choice": "both"}, {}, 400),
        ({"handle": "wrong"}, {}, 400),
    ],
)
async def test_a_form_that_is_not_ours_changes_nothing(
    running: Running, change: dict[str, str], headers: dict[str, str | None], status: int
) -> None:
    browser, form, _ = await meet_bob(running)
    answer = await browser.post("/switch", form={**form, "choice": "switch", **change}, headers=headers)
    assert answer.status_code == status
    assert await name(browser) == "Alice Example"


async def test_the_form_works_in_a_browser_without_fetch_metadata(running: Running) -> None:
    browser, form, _ = await meet_bob(running)
    headers: dict[str, str | None] = {"Sec-Fetch-Site": None, "Origin": "null"}
    answer = await browser.post("/switch", form={**form, "choice": "switch"}, headers=headers)
    assert answer.status_code == 303


async def test_another_person_s_pending_decision_is_of_no_use(running: Running) -> None:
    browser, form, _ = await meet_bob(running)
    bob = running.browser()
    await bob.sign_in()
    token = (await bob.user())["csrfToken"]
    answer = await bob.post("/switch", form={**form, "csrf_token": token, "choice": "switch"})
    assert answer.status_code == 400
    assert (await browser.post("/switch", form={**form, "choice": "switch"})).status_code == 303
    assert await name(browser) == "Bob Example"


async def test_who_switches_late_is_not_taken_for_freshly_signed_in(running: Running) -> None:
    browser, form, _ = await meet_bob(running)
    running.clock.now += 590
    await browser.post("/switch", form={**form, "choice": "switch"})
    assert await name(browser) == "Bob Example"
    running.clock.now += 9
    assert (await browser.form("/account/link", connector="posting")).status_code == 200
    running.clock.now += 2
    refused = await browser.form("/account/link", connector="posting")
    assert (refused.status_code, "reauthentication_required" in refused.text) == (403, True)


async def test_nobody_signed_in_has_nothing_to_decide(running: Running) -> None:
    answer = await running.browser().post("/switch", form={"choice": "switch"})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"]


async def test_a_stranger_is_refused_after_the_question_where_sign_up_is_closed(start: Start) -> None:
    await (await start()).browser().sign_in()
    running = await start(host="sign_up = false")
    browser, form, _ = await meet_bob(running)
    answer = await browser.post("/switch", form={**form, "choice": "switch"})
    assert answer.status_code == 403
    assert "sign_up_closed" in answer.text
    assert await name(browser) == "Alice Example"
