"""ID tokens from SDKs on a device."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from connectors_core.testing.provider import Person
from tests.host.conftest import BASE, BOB, Browser, Running

SESSION = "__Host-connectors-session"


async def post(browser: Browser, body: Any, *, path: str = "/native/acme", **headers: str) -> httpx.Response:
    sent = {"Accept": "application/json", "Content-Type": "application/json", **headers}
    if browser.cookies:
        sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    request = httpx.Request("POST", BASE + path, headers=sent, content=json.dumps(body))
    return await browser.send(request)


async def nonce_of(browser: Browser, connector: str = "acme") -> str:
    answer = await browser.get(f"/native/{connector}", headers={"Accept": "application/json"})
    assert answer.status_code == 200
    return str(answer.json()["nonce"])


async def test_an_id_token_with_our_nonce_signs_in(running: Running) -> None:
    device = running.browser()
    nonce = await nonce_of(device)
    credential = running.provider.credential(nonce=nonce)
    answer = await post(device, {"credential": credential, "nonce": nonce})
    assert (answer.status_code, answer.headers["location"]) == (303, "/user")
    device.cookies[SESSION] = answer.headers["set-cookie"].split(";")[0].partition("=")[2]
    assert (await device.user())["claims"]["name"] == "Alice Example"


async def test_it_is_the_account_of_the_browser_sign_in(running: Running) -> None:
    browser, device = running.browser(), running.browser()
    await browser.sign_in()
    nonce = await nonce_of(device)
    await post(device, {"credential": running.provider.credential(nonce=nonce), "nonce": nonce})
    assert await running.host.accounts.count() == 1


async def test_an_id_token_comes_in_once(running: Running) -> None:
    device = running.browser()
    nonce = await nonce_of(device)
    body = {"credential": running.provider.credential(nonce=nonce), "nonce": nonce}
    answers = await asyncio.gather(*(post(device, body) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [303, 400, 400]
    fresh = await nonce_of(device)
    refused = await post(device, {**body, "nonce": fresh})
    assert (refused.status_code, refused.json()["claim"]) == (502, "nonce")


async def test_without_our_nonce_nothing_is_believed(running: Running) -> None:
    device = running.browser()
    for issued, carried in ((True, None), (True, "another-nonce"), (False, "made-up")):
        nonce = await nonce_of(device) if issued else "made-up"
        credential = running.provider.credential(nonce=carried)
        refused = await post(device, {"credential": credential, "nonce": nonce})
        assert refused.status_code in (400, 502)
    assert await running.host.accounts.count() == 0


async def test_a_nonce_belongs_to_its_connector_and_ends(running: Running) -> None:
    device = running.browser()
    other = await nonce_of(device, "posting")
    late = await nonce_of(device)
    refused = await post(device, {"credential": running.provider.credential(nonce=other), "nonce": other})
    assert refused.json()["code"] == "transaction_expired"
    own = running.provider.credential(nonce=other)
    answer = await post(device, {"credential": own, "nonce": other}, path="/native/posting")
    assert answer.status_code == 303
    device = running.browser()
    running.clock.now += 601
    refused = await post(device, {"credential": running.provider.credential(nonce=late), "nonce": late})
    assert refused.json()["code"] == "transaction_expired"


async def test_another_sites_page_signs_nobody_in(running: Running) -> None:
    device = running.browser()
    nonce = await nonce_of(device)
    body = {"credential": running.provider.credential(nonce=nonce), "nonce": nonce}
    forged: list[dict[str, str]] = [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Origin": "https://evil.test"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ]
    for headers in forged:
        refused = await post(device, body, **headers)
        assert (refused.status_code, refused.json()["code"]) == (403, "csrf_failed")
    assert (await post(device, body)).status_code == 303


async def test_who_is_signed_in_comes_in_as_nobody_else(running: Running) -> None:
    browser = running.browser()
    await browser.sign_in()
    running.at_the_provider_sits(BOB)
    nonce = await nonce_of(browser)
    credential = running.provider.credential(nonce=nonce, sub="bob-1")
    refused = await post(browser, {"credential": credential, "nonce": nonce})
    assert (refused.status_code, refused.json()["code"]) == (409, "owner_mismatch")
    running.at_the_provider_sits(Person())
    nonce = await nonce_of(browser)
    again = await post(browser, {"credential": running.provider.credential(nonce=nonce), "nonce": nonce})
    assert again.status_code == 303


@pytest.mark.parametrize(
    "body", [{}, {"nonce": "x"}, {"credential": "x"}, {"credential": 1, "nonce": "x"}, []]
)
async def test_a_malformed_body_is_refused(running: Running, body: Any) -> None:
    assert (await post(running.browser(), body)).status_code == 400


async def test_an_unknown_connector_has_no_such_route(running: Running) -> None:
    assert (await running.browser().get("/native/nobody")).status_code == 404
    assert (await post(running.browser(), {}, path="/native/nobody")).status_code == 404
