"""The APIs' tables on PostgreSQL, with two hosts on one database."""

from __future__ import annotations

import asyncio

import pytest
from httpx import BasicAuth

from connectors_core.testing.provider import Person
from tests.host.api.conftest import App, Open, Page

TOKEN = "/my-account/identities/acme/access-token"


async def test_a_record_goes_all_the_way_over_two_hosts(start_api: Open, postgresql: str) -> None:
    one, two = await start_api(database=postgresql), await start_api(database=postgresql)
    page = await Page.signed_in(one)
    app = await page.token()
    there = App(Page(two.browser()), app.token)
    begun = await app.begin(scope="calendar", state="a-state-of-the-clients-own")
    refused = await there.fetch(
        "POST",
        "/api/verification/social",
        {
            "connectorId": "acme",
            "redirectUri": "https://yourapp.com/callback",
            "state": "a-state-of-the-clients-own",
        },
    )
    assert refused.status_code == 400
    data = await app.visit(begun)
    assert (await app.verify(begun, data)).status_code == 200
    body = {"socialVerificationId": begun["verificationRecordId"]}
    answers = await asyncio.gather(*(each.fetch("PATCH", TOKEN, body) for each in (app, there, app, there)))
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]
    assert "calendar" in (await there.fetch("GET", TOKEN)).json()["scope"].split()
    one.at_the_provider_sits(Person(sub="alice-2", claims={"name": "Alice Two"}))
    record = await app.verified(purpose="link")
    linked = await app.fetch("POST", "/my-account/identities", {"newIdentifierVerificationRecordId": record})
    assert linked.status_code == 204
    assert len((await there.fetch("GET", "/my-account/identities")).json()["identities"]) == 2
    assert (await there.fetch("GET", "/my-account/sessions")).json()["sessions"][0]["current"] is True
    assert (await app.fetch("DELETE", "/my-account")).status_code == 204
    assert (await there.fetch("GET", TOKEN)).status_code == 401


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_two_unlinks_at_once_leave_one_way_in(
    start_api: Open, request: pytest.FixtureRequest, kind: str
) -> None:
    """Over two hosts on PostgreSQL; SQLite has one."""
    database = request.getfixturevalue("postgresql") if kind == "postgresql" else None
    one = await start_api(database=database)
    two = await start_api(database=database) if database else one
    for number in range(5):
        one.at_the_provider_sits(Person(sub=f"{kind}-{number}", claims={"name": "Alice"}))
        app = await (await Page.signed_in(one)).token()
        there = App(Page(two.browser()), app.token)
        one.at_the_provider_sits(Person(sub=f"{kind}-{number}-too", claims={"name": "Alice Two"}))
        uri = "https://yourapp.com/other"
        record = await app.verified(connectorId="posting", redirectUri=uri, purpose="link")
        body = {"newIdentifierVerificationRecordId": record}
        assert (await app.fetch("POST", "/my-account/identities", body)).status_code == 204
        answers = await asyncio.gather(
            app.fetch("DELETE", "/my-account/identities/acme"),
            there.fetch("DELETE", "/my-account/identities/posting"),
        )
        assert sorted(answer.status_code for answer in answers) == [204, 422]
        assert {answer.json()["code"] for answer in answers if answer.content} == {"last_identity"}
        owner = await one.host.hub.database.fetch(
            "SELECT COUNT(*) FROM connectors_identities WHERE subject LIKE :subject",
            {"subject": f"{kind}-{number}%"},
        )
        assert owner == [(1,)]


async def test_of_two_connectors_at_two_hosts_at_once_one_gets_the_redirect_uri(
    start_api: Open, postgresql: str
) -> None:
    one, two = await start_api(database=postgresql), await start_api(database=postgresql)
    one.at_the_provider_sits(Person(sub="uri-1", claims={"name": "Alice"}))
    app = await (await Page.signed_in(one)).token()
    there = App(Page(two.browser()), app.token)
    two.provider = one.provider
    bodies = [
        {"connectorId": name, "redirectUri": "https://yourapp.com/other"} for name in ("acme", "posting")
    ]
    answers = await asyncio.gather(
        *(
            each.fetch("POST", "/api/verification/social", body)
            for _ in range(4)
            for each, body in zip((app, there), bodies, strict=True)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [201] * 4 + [422] * 4
    got = {answer.status_code for answer in answers[::2]}
    assert len(got) == 1


async def test_a_redirect_uri_stays_with_who_verified_there_until_long_disuse(
    start_api: Open, postgresql: str
) -> None:
    one, two = await start_api(database=postgresql), await start_api(database=postgresql)
    two.provider = one.provider
    one.at_the_provider_sits(Person(sub="uri-2", claims={"name": "Alice"}))
    app = await (await Page.signed_in(one)).token()
    await app.verified()
    body = {"connectorId": "posting", "redirectUri": "https://yourapp.com/callback", "purpose": "link"}
    verified_at = one.clock.now
    for seconds, status in ((7200, 422), (90 * 86400 - 1, 422), (90 * 86400, 201)):
        one.clock.now = two.clock.now = verified_at + seconds
        app = await (await Page.signed_in(one)).token()
        there = App(Page(two.browser()), app.token)
        assert (await there.fetch("POST", "/api/verification/social", body)).status_code == status
    assert await one.host.records.holder("https://yourapp.com/callback") is None


@pytest.mark.parametrize("owner", ["%00", "user_0%00", "a%0Ab", "%E2%80%8B"])
async def test_an_owner_that_cannot_be_is_nobody(start_api: Open, postgresql: str, owner: str) -> None:
    page = Page((await start_api(database=postgresql)).browser())
    auth = BasicAuth("calendar", "not-a-secret-of-anybody")._auth_header
    headers = {"Accept": "*/*", "Authorization": auth}
    refused, unknown = [
        await page.send("GET", f"/api/users/{each}/identities/acme/access-token", None, headers, {})
        for each in (owner, "user_0")
    ]
    assert (refused.status_code, refused.json()["code"]) == (404, "identity_not_found")
    assert refused.content == unknown.content


async def test_a_target_that_cannot_be_is_none(start_api: Open, postgresql: str) -> None:
    running = await start_api(database=postgresql)
    running.at_the_provider_sits(Person(sub="nul-1", claims={"name": "Alice"}))
    app = await (await Page.signed_in(running)).token()
    refused = await app.fetch("GET", "/my-account/identities/a%00b/access-token")
    assert (refused.status_code, refused.json()["code"]) == (404, "identity_not_found")
