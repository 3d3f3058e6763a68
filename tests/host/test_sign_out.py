"""Out again, here and at the provider."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from tests.host.conftest import Browser, Running, Start

SESSION = "__Host-connectors-session"
APPS = """
[apps.calendar]
post_logout_redirect_uris = ["https://calendar.test/bye"]
"""


async def signed_in(running: Running) -> Browser:
    browser = running.browser()
    await browser.sign_in()
    return browser


async def test_sign_out_ends_the_session_and_leads_to_the_provider_s(running: Running) -> None:
    browser = await signed_in(running)
    session = browser.cookies[SESSION]
    page = await browser.post("/sign-out")
    assert page.status_code == 200
    assert "id_token_hint" not in page.text
    assert SESSION not in browser.cookies
    leaving = page.text.split("url=", 1)[1].split('"', 1)[0]
    gone = await browser.get(leaving)
    address = urlsplit(gone.headers["location"])
    query = parse_qs(address.query)
    assert address.netloc == "provider.test"
    assert query["id_token_hint"][0].count(".") == 2
    assert query["post_logout_redirect_uri"] == ["https://host.test/signed-out"]
    again = await browser.get(leaving)
    assert again.headers["location"] == "/signed-out"
    browser.cookies[SESSION] = session
    assert (await browser.user())["isAuthenticated"] is False


async def test_programs_are_told_where_to_go_on(running: Running) -> None:
    browser = await signed_in(running)
    answer = await browser.post("/sign-out", headers={"Accept": "application/json"})
    assert answer.json()["isAuthenticated"] is False
    assert answer.json()["continue"].startswith("/sign-out/provider?h=")


async def test_a_provider_that_is_down_keeps_nobody_signed_in(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = await signed_in(running)

    async def broken(*_: object, **__: object) -> None:
        raise OSError("down")

    monkeypatch.setattr(
        type(running.host.hub.connector("acme").connector), "end_session_uri", broken, raising=False
    )
    answer = await browser.post("/sign-out")
    assert (answer.status_code, answer.headers["location"]) == (303, "/signed-out")
    assert (await browser.user())["isAuthenticated"] is False


async def test_signing_out_twice_is_no_error(running: Running) -> None:
    answer = await running.browser().post("/sign-out")
    assert (answer.status_code, answer.headers["location"]) == (303, "/signed-out")


@pytest.mark.parametrize(
    ("headers", "accepted"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": None, "Origin": "https://host.test"}, True),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.test"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "none"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "https://host.test"}, False),
        ({"Sec-Fetch-Site": None, "Origin": "https://evil.test"}, False),
        ({"Sec-Fetch-Site": None, "Origin": "null"}, False),
        ({"Sec-Fetch-Site": None}, False),
    ],
)
async def test_a_post_comes_from_a_page_of_this_host(
    running: Running, headers: dict[str, str | None], accepted: bool
) -> None:
    browser = await signed_in(running)
    answer = await browser.post("/sign-out", headers=headers)
    if not accepted:
        assert answer.status_code == 403
        assert "csrf_failed" in answer.text
    assert (await browser.user())["isAuthenticated"] is not accepted


@pytest.mark.parametrize(
    ("headers", "ends"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Sec-Fetch-Site": "none", "Sec-Purpose": "prefetch;prerender"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": None}, False),
    ],
)
async def test_a_get_that_another_site_may_have_caused_only_asks(
    running: Running, headers: dict[str, str | None], ends: bool
) -> None:
    browser = await signed_in(running)
    answer = await browser.get("/sign-out", headers=headers)
    assert answer.status_code == 200
    assert ("Sign out?" in answer.text) is not ends
    assert (await browser.user())["isAuthenticated"] is not ends


async def test_an_application_s_address_is_kept_until_after_the_provider(start: Start) -> None:
    browser = await signed_in(await start(more=APPS))
    form = {"post_logout_redirect_uri": "https://calendar.test/bye"}
    leaving = (await browser.post("/sign-out", form=form)).text.split("url=", 1)[1].split('"', 1)[0]
    query = parse_qs(urlsplit((await browser.get(leaving)).headers["location"]).query)
    done = await browser.get("/signed-out", query={"state": query["state"][0]})
    assert done.headers["location"] == "https://calendar.test/bye"
    assert (await browser.get("/signed-out", query={"state": query["state"][0]})).status_code == 200


@pytest.mark.parametrize(
    "uri", ["https://evil.test/", "https://calendar.test/bye/", "https://calendar.test/", ""]
)
async def test_an_address_of_no_application_is_refused_before_anything_happens(
    start: Start, uri: str
) -> None:
    browser = await signed_in(await start(more=APPS))
    for answer in (
        await browser.post("/sign-out", form={"post_logout_redirect_uri": uri}),
        await browser.get("/sign-out", query=f"post_logout_redirect_uri={uri}"),
    ):
        assert answer.status_code == 400
    assert (await browser.user())["isAuthenticated"] is True
