"""Applications' pages on other origins."""

from __future__ import annotations

import pytest

from tests.host.api.conftest import App, Page
from tests.host.conftest import Running

ORIGIN = "https://yourapp.com"
PREFLIGHT: dict[str, str | None] = {
    "Origin": ORIGIN,
    "Access-Control-Request-Method": "PATCH",
    "Access-Control-Request-Headers": "authorization",
    "Sec-Fetch-Site": "cross-site",
}
PATH = "/my-account/identities/acme/access-token"


@pytest.fixture
async def app(served: Running) -> App:
    return await (await Page.signed_in(served)).token()


async def test_a_listed_origin_may_call_and_read(app: App, served: Running) -> None:
    asked = await served.browser().request("OPTIONS", PATH, headers=PREFLIGHT)
    assert asked.status_code == 204
    assert asked.headers["access-control-allow-origin"] == ORIGIN
    assert "PATCH" in asked.headers["access-control-allow-methods"]
    assert "Authorization" in asked.headers["access-control-allow-headers"]
    for token, status in ((app.token, 200), ("x", 401)):
        answer = await App(app.page, token).fetch("GET", PATH, headers={"Origin": ORIGIN})
        assert answer.status_code == status
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert "Origin" in answer.headers["vary"]


async def test_credentials_are_never_allowed(app: App, served: Running) -> None:
    asked = await served.browser().request("OPTIONS", PATH, headers=PREFLIGHT)
    answer = await app.fetch("GET", PATH, headers={"Origin": ORIGIN})
    for each in (asked, answer):
        assert "access-control-allow-credentials" not in each.headers


@pytest.mark.parametrize(
    "origin", ["https://evil.test", "null", f"{ORIGIN}.evil.test", "http://yourapp.com", ""]
)
async def test_other_origins_are_told_nothing(app: App, served: Running, origin: str) -> None:
    asked = await served.browser().request("OPTIONS", PATH, headers={**PREFLIGHT, "Origin": origin})
    answer = await app.fetch("GET", PATH, headers={"Origin": origin})
    for each in (asked, answer):
        assert "access-control-allow-origin" not in each.headers
        assert "Origin" in each.headers["vary"]


@pytest.mark.parametrize("path", ["/token", "/sign-out", "/", "/api/users/u/identities/acme/access-token"])
async def test_what_is_not_for_bearers_stays_closed(served: Running, path: str) -> None:
    asked = await served.browser().request("OPTIONS", path, headers=PREFLIGHT)
    assert "access-control-allow-origin" not in asked.headers


async def test_the_article_works_from_another_origin_with_its_content_types(app: App) -> None:
    headers = {"Origin": ORIGIN, "Sec-Fetch-Site": "cross-site", "Content-Type": "text/plain;charset=UTF-8"}
    record = await app.verified(scope="calendar")
    answer = await app.fetch("PATCH", PATH, {"socialVerificationId": record}, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == ORIGIN
