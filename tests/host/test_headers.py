"""What every answer carries, and which requests are ours."""

from __future__ import annotations

import logging

import httpx
import pytest
from connectors_host.origins import names

from tests.canary import Canary
from tests.host.conftest import Running, Start

EVERYWHERE = [
    ("GET", "/"),
    ("GET", "/sign-in"),
    ("GET", "/sign-in/acme"),
    ("GET", "/sign-in/down"),
    ("GET", "/callback/acme"),
    ("POST", "/callback/posting"),
    ("GET", "/user"),
    ("GET", "/sign-out"),
    ("POST", "/sign-out"),
    ("POST", "/switch"),
    ("POST", "/linking"),
    ("GET", "/account"),
    ("POST", "/account/link"),
    ("GET", "/account/continue"),
    ("GET", "/account/export"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/nothing"),
    ("OPTIONS", "/user"),
    ("GET", "/static/nothing.css"),
    ("GET", "/logo/acme"),
    ("GET", "/oidc/.well-known/openid-configuration"),
    ("GET", "/oidc/jwks"),
    ("GET", "/oidc/auth"),
    ("POST", "/oidc/auth"),
    ("POST", "/oidc/token"),
    ("POST", "/oidc/token/revocation"),
    ("GET", "/oidc/me"),
    ("GET", "/oidc/session/end"),
    ("POST", "/oidc/session/end/confirm"),
]


@pytest.mark.parametrize(("method", "path"), EVERYWHERE)
async def test_every_answer_but_files_is_private_and_unframed(
    running: Running, method: str, path: str
) -> None:
    answer = await running.browser().request(method, path)
    headers = answer.headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["default-src"] == "'none'"
    assert "unsafe" not in headers["content-security-policy"]
    assert "script-src" not in policy
    assert headers["strict-transport-security"] == "max-age=31536000"
    silent = path.startswith(("/callback/", "/oidc/"))
    assert headers.get("referrer-policy") == ("no-referrer" if silent else None)


async def test_files_may_be_kept(running: Running) -> None:
    answer = await running.browser().get("/static/host.css")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "public, max-age=3600"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_no_hsts_on_http(start: Start) -> None:
    running = await start(base="http://127.0.0.1:8000")
    assert "strict-transport-security" not in (await running.browser().get("/")).headers


async def test_forms_may_lead_to_listed_origins_and_pictures_come_from_logos(start: Start) -> None:
    running = await start(
        host='return_to_origins = ["https://app.test"]',
        acme='logo = "https://cdn.test/acme.svg"',
        more="""
[apps.calendar]
redirect_uris = ["https://calendar.test/callback", "com.example.app:/callback"]
post_logout_redirect_uris = ["https://calendar.test/bye"]
""",
    )
    page = await running.browser().get("/sign-in")
    policy = page.headers["content-security-policy"]
    assert "form-action 'self' com.example.app: https://app.test https://calendar.test;" in policy
    assert "img-src 'self' https://cdn.test;" in policy
    assert 'src="https://cdn.test/acme.svg"' in page.text


@pytest.mark.parametrize("host", ["evil.test", "host.test.evil.test", "host.test:8443", "127.0.0.1", ""])
async def test_a_request_for_another_host_is_misdirected(running: Running, host: str) -> None:
    for path in ("/", "/healthz", "/static/host.css"):
        answer = await running.browser().get(path, headers={"Host": host})
        assert answer.status_code == 421
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_two_host_headers_are_refused(running: Running) -> None:
    request = httpx.Request("GET", "https://host.test/", headers=[("Host", "host.test"), ("Host", "x.test")])
    answer = await httpx.ASGITransport(app=running.app).handle_async_request(request)
    assert answer.status_code == 421


@pytest.mark.parametrize(
    ("header", "base_url", "same"),
    [
        ("host.test", "https://host.test", True),
        ("HOST.test:443", "https://host.test", True),
        ("host.test:80", "https://host.test", False),
        ("127.0.0.1:8000", "http://127.0.0.1:8000", True),
        ("[::1]:8000", "http://[::1]:8000", True),
        ("host.test", "http://host.test:80", True),
        ("user@host.test", "https://host.test", False),
        ("host.test/x", "https://host.test", False),
        ("host.test:x", "https://host.test", False),
        ("[::1", "http://[::1]", False),
        ("", "https://host.test", False),
    ],
)
def test_a_host_header_names_an_origin_or_not(header: str, base_url: str, same: bool) -> None:
    assert names(header, base_url) is same


async def test_forwarded_headers_change_nothing(running: Running) -> None:
    forwarded: dict[str, str | None] = {"X-Forwarded-Host": "evil.test", "X-Forwarded-Proto": "http"}
    started = await running.browser().get("/sign-in/acme", headers=forwarded)
    assert "evil" not in started.headers["location"]


async def test_a_whole_sign_in_logs_paths_without_what_is_secret(
    running: Running, canary: Canary, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    browser = running.browser()
    done = await browser.sign_in()
    query = dict(pair.split("=", 1) for pair in str(done.request.url.query, "ascii").split("&"))
    for name in ("code", "state"):
        canary.watch(query[name], name)
    for value in (*running.provider.secrets(), *browser.cookies.values()):
        canary.watch(value, "a secret of the sign-in")
    again = await browser.get(str(done.request.url))
    page = await browser.get("/")
    canary.check(again.text, page.text, caplog.text)
    assert "GET /callback/acme 302" in caplog.text


async def test_a_line_break_in_a_path_stays_encoded_in_the_log(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await running.browser().get("/x%0aGET /forged 200")
    assert "\nGET /forged" not in caplog.text


async def test_the_server_s_own_log_sees_no_query(running: Running) -> None:
    scope = {
        "type": "http", "method": "GET", "path": "/callback/acme", "raw_path": b"/callback/acme",
        "query_string": b"code=fake&state=fake", "headers": [(b"host", b"host.test")],
    }  # fmt: skip
    seen = []

    async def send(message: dict[str, object]) -> None:
        seen.append(scope["query_string"])

    await running.app(scope, None, send)  # type: ignore[arg-type]
    assert set(seen) == {b""}


async def test_readiness_names_what_is_missing(running: Running) -> None:
    browser = running.browser()
    assert (await browser.get("/healthz")).json() == {"status": "ok"}
    assert (await browser.get("/readyz")).json() == {"status": "ready", "missing": []}
    await running.host.hub.database.aclose()  # type: ignore[attr-defined]
    answer = await browser.get("/readyz")
    assert (answer.status_code, answer.json()["missing"]) == (503, ["database"])
