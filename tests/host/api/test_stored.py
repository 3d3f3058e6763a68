"""What somebody who reads, or writes, the database has of it."""

from __future__ import annotations

import base64
import json
import re
from urllib.parse import parse_qs, urlsplit

from tests.host.api.conftest import Page
from tests.host.conftest import BASE, BOB, Running


async def everything(running: Running) -> bytes:
    """All values of all tables."""
    database = running.host.hub.database
    tables = await database.fetch("SELECT name FROM sqlite_master WHERE type = 'table'")
    rows = [row for (table,) in tables for row in await database.fetch(f"SELECT * FROM {table}")]
    values = [value for row in rows for value in row]
    return b"\0".join(value if isinstance(value, bytes) else str(value).encode() for value in values)


async def test_nothing_that_opens_anything_lies_in_the_database(served: Running) -> None:
    page = await Page.signed_in(served)
    app = await page.token()
    state = "a-state-of-the-clients-own"
    there, here = await app.begin(state=state), await app.begin(redirectUri=f"{BASE}/callback/acme")
    proved = await app.verified(scope="calendar")
    started = await page.browser.begin()
    served.at_the_provider_sits(BOB)
    other = await (await Page.signed_in(served)).browser.begin()
    met = await page.browser.sign_in()
    (handle,) = set(re.findall(r'name="handle" value="([^"]+)"', met.text))
    states = [
        parse_qs(urlsplit(each.headers["location"]).query)[name][0]
        for each in (started, other)
        for name in ("state", "nonce")
    ]
    claims = json.loads(base64.urlsafe_b64decode(app.token.split(".")[1] + "=="))
    secrets = [
        *page.browser.cookies.values(),
        *states,
        *(each["verificationRecordId"] for each in (there, here)),
        here["authorizationUri"].rpartition("/")[2],
        *(proved, state, handle, page.csrf, app.token, claims["jti"]),
        *served.provider.ledger.issued,
    ]
    stored = await everything(served)
    assert len(secrets) > 20
    assert b"host.test" in stored
    for secret in secrets:
        assert len(secret) > 15
        assert secret.encode() not in stored


async def test_a_bearer_token_whose_row_was_given_to_another_is_nobody_s(served: Running) -> None:
    app = await (await Page.signed_in(served)).token()
    assert (await app.fetch("GET", "/my-account/identities")).status_code == 200
    await served.host.hub.database.run([("UPDATE host_bearers SET owner = 'user_2'", {})])
    assert (await app.fetch("GET", "/my-account/identities")).status_code == 401


async def test_return_to_is_not_read_again_on_the_way_back(served: Running) -> None:
    browser = served.browser()
    landing = await served.provider.visit((await browser.begin(return_to="/inbox")).headers["location"])
    for elsewhere in ("/other", "https://evil.test/"):
        query = {**dict(landing.parameters), "return_to": elsewhere}
        answer = await browser.get("/callback/acme", query=query, headers={"Sec-Fetch-Site": "cross-site"})
        assert elsewhere not in answer.headers.get("location", "")
        if elsewhere == "/other":
            assert (answer.status_code, answer.headers["location"]) == (302, "/inbox")
