"""A provider says that somebody is signed out there: so they are here."""

from __future__ import annotations

import asyncio
import logging

import httpx
import pytest

from connectors_core.errors import StorageError
from connectors_core.testing.provider import CASES, Person
from tests.canary import Canary
from tests.host.conftest import BOB, Browser, Running, Start

REFUSED = [name for name, case in CASES.items() if case.area == "logout" and case.expected]
JSON: dict[str, str | None] = {"Accept": "application/json", "Sec-Fetch-Site": None}


async def told(running: Running, token: str, *, connector: str = "acme") -> httpx.Response:
    """What the host answers to the provider, which is no browser."""
    path = f"/backchannel-logout/{connector}"
    answer = await running.browser().post(path, form={"logout_token": token}, headers=JSON)
    assert answer.headers["cache-control"] == "no-store"
    return answer


async def signed_in(running: Running, *, sid: str = "", connector: str = "acme") -> Browser:
    browser = running.browser()
    running.provider.sid = sid
    await browser.sign_in(connector)
    assert await is_in(browser)
    return browser


async def is_in(browser: Browser) -> bool:
    return bool((await browser.user())["isAuthenticated"])


async def test_a_token_with_a_sid_ends_that_session_alone(running: Running) -> None:
    one, other = await signed_in(running, sid="sid-1"), await signed_in(running, sid="sid-2")
    answer = await told(running, running.provider.logout_token(sub=None, sid="sid-1"))
    assert (answer.status_code, answer.content) == (200, b"")
    assert [await is_in(one), await is_in(other)] == [False, True]


async def test_a_token_with_a_subject_ends_all_of_that_person_at_that_connector(start: Start) -> None:
    running = await start(posting='linking = "never"')
    one, two = await signed_in(running, sid="sid-1"), await signed_in(running)
    elsewhere = await signed_in(running, connector="posting")
    running.at_the_provider_sits(BOB)
    bob = await signed_in(running)
    assert (await told(running, running.provider.logout_token(sub="alice-1"))).status_code == 200
    assert [await is_in(each) for each in (one, two, elsewhere, bob)] == [False, False, True, True]


async def test_with_both_the_session_and_those_without_a_sid_end(running: Running) -> None:
    one, other = await signed_in(running, sid="sid-1"), await signed_in(running, sid="sid-2")
    nameless = await signed_in(running)
    assert (await told(running, running.provider.logout_token(sid="sid-1"))).status_code == 200
    assert [await is_in(each) for each in (one, other, nameless)] == [False, True, False]


async def test_a_sid_of_somebody_else_ends_nothing(running: Running) -> None:
    browser = await signed_in(running, sid="sid-1")
    assert (await told(running, running.provider.logout_token(sub="bob-1", sid="sid-1"))).status_code == 200
    assert await is_in(browser)


async def test_bearer_tokens_end_with_the_session(running: Running) -> None:
    browser = await signed_in(running, sid="sid-1")
    session = (await browser.get("/account")).status_code
    assert session == 200
    (cookie,) = [value for name, value in browser.cookies.items() if "session" in name]
    found = await running.host.sessions.find(cookie)
    assert found
    bearer = (await running.host.bearers.issue(found, ["profile"])).access_token
    headers: dict[str, str | None] = {"Authorization": f"Bearer {bearer}", "Accept": "application/json"}
    assert (await running.browser().get("/user", headers=headers)).json()["isAuthenticated"] is True
    await told(running, running.provider.logout_token(sid="sid-1"))
    assert (await running.browser().get("/user", headers=headers)).json()["isAuthenticated"] is False


async def test_a_token_counts_once(running: Running) -> None:
    token = running.provider.logout_token()
    assert (await told(running, token)).status_code == 200
    browser = await signed_in(running)
    again = await told(running, token)
    assert (again.status_code, again.json()["code"], again.json()["claim"]) == (
        400,
        "logout_token_invalid",
        "jti",
    )
    assert await is_in(browser)
    running.clock.now += 700
    assert (await told(running, token)).status_code == 400


async def test_of_several_deliveries_at_once_one_counts(running: Running) -> None:
    token = running.provider.logout_token()
    answers = await asyncio.gather(*(told(running, token) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]


async def test_another_connector_s_token_ends_nothing_here(running: Running) -> None:
    running.provider.register("client-2", secret="not-a-secret-of-anybody")
    browser = await signed_in(running)
    assert (await told(running, running.provider.logout_token("client-2"))).status_code == 400
    assert await is_in(browser)


@pytest.mark.parametrize("name", REFUSED)
async def test_what_is_wrong_with_a_token_is_400_and_ends_nothing(running: Running, name: str) -> None:
    browser = await signed_in(running, sid="sid-1")
    with running.provider.deviate(name):
        answer = await told(running, running.provider.logout_token(sid="sid-1"))
    assert (answer.status_code, answer.json()["code"]) == (400, "logout_token_invalid")
    assert await is_in(browser)


async def test_nobody_to_sign_out_is_a_success(running: Running) -> None:
    assert (await told(running, running.provider.logout_token())).status_code == 200


async def test_a_logout_that_fails_is_400(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await told(running, "a.b.c", connector="down")).json()["code"] == "invalid_request"

    async def fails(*_: object) -> None:
        raise StorageError("the database is gone")

    token = running.provider.logout_token()
    with monkeypatch.context() as broken:
        broken.setattr(running.host.logouts, "end", fails)
        assert (await told(running, token)).status_code == 400
    assert (await told(running, token)).status_code == 200


async def test_what_is_no_form_is_400(running: Running) -> None:
    browser = running.browser()
    for headers in ({"Content-Type": "application/json"}, {}):
        answer = await browser.post("/backchannel-logout/acme", headers={**JSON, **headers})
        assert answer.status_code == 400
    assert (await browser.post("/backchannel-logout/acme", form={}, headers=JSON)).status_code == 400


async def test_only_connectors_that_receive_logout_have_the_route(start: Start) -> None:
    running = await start(posting="enabled = false")
    for connector in ("nobody", "posting"):
        assert (await told(running, "x", connector=connector)).status_code == 404
    assert (await running.browser().get("/backchannel-logout/acme")).status_code == 405


async def test_a_connector_that_signs_nobody_in_any_more_still_signs_out(start: Start) -> None:
    running = await start()
    browser = await signed_in(running)
    closed = await start(acme="sign_in = false")
    assert (await told(closed, closed.provider.logout_token())).status_code == 200
    assert not await is_in(browser)


async def test_what_is_used_up_is_forgotten_in_time(running: Running) -> None:
    for _ in range(3):
        await told(running, running.provider.logout_token())
        running.clock.now += 700
    rows = await running.host.hub.database.fetch("SELECT COUNT(*) FROM host_logout_tokens")
    assert rows[0][0] == 1


async def test_neither_the_table_nor_the_log_holds_what_the_token_said(
    running: Running, canary: Canary, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    running.at_the_provider_sits(Person())
    await signed_in(running, sid="sid-of-the-provider")
    token = running.provider.logout_token(sid="sid-of-the-provider")
    for value in ("sid-of-the-provider", token):
        canary.watch(value, "what a logout token says")
    await told(running, token)
    answer = await told(running, token)
    rows = await running.host.hub.database.fetch("SELECT * FROM host_sessions")
    used = await running.host.hub.database.fetch("SELECT * FROM host_logout_tokens")
    canary.check(caplog.text, answer.text, repr(rows), repr(used))
