"""Every route of the host, one line each: what it says to nobody, and to another site in somebody's browser.

A route that has no line here fails. OWASP ASVS 4.0.3: V3.5, V4.1, V4.2.2, V5.1.5, V14.4, V14.5.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import httpx
from connectors_host.api.openapi import canonical
from starlette.routing import Route

from tests.host.api.conftest import Open, Page
from tests.host.conftest import BASE, BOB, Running

PUBLIC = ("/openapi.json",)
"""Files that are the same for everybody."""

ROUTES: dict[str, tuple[int, int]] = {
    "GET /": (200, 200),
    "GET /sign-in": (200, 200),
    "GET /sign-up": (200, 200),
    "GET /sign-in/{connector_id}": (302, 302),
    "GET /callback/{connector_id}": (400, 400),
    "POST /callback/{connector_id}": (303, 303),
    "GET /native/{connector_id}": (200, 200),
    "POST /native/{connector_id}": (403, 403),
    "POST /one-tap/{connector_id}": (404, 404),
    "POST /switch": (401, 403),
    "GET /user": (200, 200),
    "GET /sign-out": (200, 200),
    "POST /sign-out": (200, 403),
    "POST /backchannel-logout/{connector_id}": (400, 400),
    "GET /sign-out/provider": (302, 302),
    "GET /signed-out": (200, 200),
    "GET /account": (401, 200),
    "GET /account/confirm": (401, 200),
    "GET /account/export": (401, 200),
    "GET /account/continue": (401, 400),
    "GET /account/delete": (401, 200),
    "POST /account/delete": (401, 403),
    "POST /account/link": (401, 403),
    "POST /account/applications": (401, 403),
    "POST /account/profile": (401, 403),
    "POST /account/reconnect": (401, 403),
    "POST /account/sessions": (401, 403),
    "POST /account/unlink": (401, 403),
    "POST /linking": (403, 403),
    "POST /token": (401, 403),
    "GET /continue/{handle}": (401, 404),
    "POST /api/verification/social": (401, 403),
    "POST /api/verification/social/verify": (401, 403),
    "DELETE /my-account": (401, 403),
    "GET /my-account/export": (401, 200),
    "DELETE /my-account/sessions": (401, 403),
    "GET /my-account/sessions": (401, 200),
    "DELETE /my-account/sessions/{id}": (401, 403),
    "GET /my-account/sessions/{id}": (401, 404),
    "GET /my-account/identities": (401, 200),
    "POST /my-account/identities": (401, 403),
    "DELETE /my-account/identities/{target}": (401, 403),
    "GET /my-account/identities/{target}/access-token": (401, 403),
    "PATCH /my-account/identities/{target}/access-token": (401, 403),
    "GET /api/users/{owner}/identities/{target}/access-token": (401, 403),
    "GET /openapi.json": (200, 200),
    "GET /oidc/.well-known/openid-configuration": (200, 200),
    "GET /oidc/jwks": (200, 200),
    "GET /oidc/auth": (400, 400),
    "POST /oidc/auth": (400, 400),
    "POST /oidc/token": (401, 401),
    "POST /oidc/token/revocation": (401, 401),
    "GET /oidc/me": (401, 401),
    "POST /oidc/me": (401, 401),
    "GET /oidc/session/end": (302, 200),
    "POST /oidc/session/end": (303, 303),
    "POST /oidc/session/end/confirm": (303, 403),
    "GET /healthz": (200, 200),
    "GET /readyz": (200, 200),
    "GET /logo/{connector_id}": (404, 404),
}
"""Status without a session; and with one, of a request that another site's page caused."""


def lines(running: Running) -> list[tuple[str, str]]:
    return [
        (method, route.path)
        for route in running.app.routes
        if isinstance(route, Route)
        for method in sorted(route.methods or ())
        if method != "HEAD"
    ]


def spelled(method: str, path: str) -> str:
    """The line of a route, also of its other spellings."""
    method, path = canonical(method, path) if path.startswith("/api/") else (method, path)
    return f"{'PATCH' if method == 'PUT' else method} {path}"


def filled(path: str) -> str:
    for name in ("connector_id", "target"):
        path = path.replace(f"{{{name}}}", "acme")
    return path.replace("{id}", "x").replace("{handle}", "x").replace("{owner}", "user_x")


async def sent(page: Page, method: str, path: str, *, forged: bool, **query: str) -> httpx.Response:
    """As a form or a link does it; nothing is added that only pages of this host know."""
    headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
    if forged:
        site = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
        headers |= site | {"Origin": "https://evil.test"}
    else:
        headers |= {"Sec-Fetch-Site": "same-origin", "Origin": BASE}
    if "Cookie" in page.headers:
        headers["Cookie"] = page.headers["Cookie"]
    return await page.send(method, filled(path), b"a=b" if method != "GET" else None, headers, query)


async def state(running: Running, page: Page) -> Any:
    """What is the person's: nothing of it may change."""
    claims = (await page.look())["claims"]
    owner = claims["sub"]
    return (
        claims,
        [each.id for each in await running.host.hub.identities(owner)],
        [each.handle for each in await running.host.sessions.of_owner(owner)],
        [each.kind for each in await running.host.trail.of_owner(owner)].count("tokens.read"),
    )


async def test_nobody_and_another_site_get_no_further_than_this(start_api: Open) -> None:
    running = await start_api()
    nobody, victim = Page(running.browser()), await Page.signed_in(running)
    before, seen = await state(running, victim), {}
    for method, path in lines(running):
        anonymous = await sent(nobody, method, path, forged=False)
        forged = await sent(victim, method, path, forged=True)
        seen[spelled(method, path)] = (anonymous.status_code, forged.status_code)
        for answer in (anonymous, forged):
            assert answer.status_code != 401 or "www-authenticate" in answer.headers, path
            assert answer.status_code < 500 or path == "/readyz", path
    assert seen == ROUTES
    assert await state(running, victim) == before


async def test_no_route_leads_to_where_a_stranger_wants_it(start_api: Open) -> None:
    running = await start_api()
    page = await Page.signed_in(running)
    names = (
        "return_to",
        "post_logout_redirect_uri",
        "redirect_uri",
        "redirectUri",
        "next",
        "url",
        "h",
        "state",
    )
    for value in ("https://evil.test/", "//evil.test", "/\\evil.test", "javascript:alert(1)"):
        for method, path in lines(running):
            if method == "GET":
                answer = await sent(page, method, path, forged=False, **dict.fromkeys(names, value))
                location = urlsplit(answer.headers.get("location", ""))
                assert location.netloc in ("", "host.test", "provider.test"), path
                assert location.scheme in ("", "https"), path
                assert not location.path.startswith(("//", "/\\")), path


async def test_every_answer_is_private_unframed_and_without_script(start_api: Open) -> None:
    running = await start_api()
    nobody, somebody = Page(running.browser()), await Page.signed_in(running)
    for page in (nobody, somebody):
        for method, path in lines(running):
            answer = await sent(page, method, path, forged=False)
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy, path
            assert "frame-ancestors 'none'" in policy, path
            assert "unsafe" not in policy, path
            assert "script-src" not in policy, path
            assert answer.headers["x-content-type-options"] == "nosniff", path
            assert answer.headers["strict-transport-security"], path
            if answer.status_code == 200 and path in PUBLIC:
                continue
            assert answer.headers["cache-control"] == "no-store", path


async def test_a_method_that_is_not_listed_is_refused(start_api: Open) -> None:
    running = await start_api()
    page = await Page.signed_in(running)
    known: dict[str, set[str]] = {}
    for method, path in lines(running):
        known.setdefault(path, set()).add(method)
    for path, methods in known.items():
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE"} - methods:
            answer = await sent(page, method, path, forged=False)
            assert (answer.status_code, answer.headers.get("allow") is not None) == (405, True), (
                method,
                path,
            )


async def test_another_person_s_is_not_there_in_the_same_words(start_api: Open) -> None:
    """ASVS 4.2.1: what Bob has is answered to Alice as what nobody has."""
    running = await start_api()
    alice = await Page.signed_in(running)
    of_alice = await alice.token()
    running.at_the_provider_sits(BOB)
    bob = await Page.signed_in(running)
    of_bob = await bob.token()
    owner = (await bob.look())["claims"]["sub"]
    (identity,) = await running.host.hub.identities(owner)
    (session,) = await running.host.sessions.of_owner(owner)
    record = (await of_bob.begin())["verificationRecordId"]
    verified = await of_bob.verified()
    account, social = "/my-account/identities", "/api/verification/social"

    async def asked(identity: str, session: str, record: str, verified: str) -> list[tuple[int, Any]]:
        verify = {"verificationRecordId": record, "connectorData": {"code": "c", "state": "s"}}
        answers = [
            await of_alice.fetch("GET", f"/my-account/sessions/{session}"),
            await of_alice.fetch("DELETE", f"/my-account/sessions/{session}"),
            await of_alice.fetch("GET", f"{account}/acme/access-token", identity=identity),
            await of_alice.fetch("DELETE", f"{account}/acme", identity=identity),
            await of_alice.fetch("POST", f"{social}/verify", verify),
            await of_alice.fetch("POST", account, {"newIdentifierVerificationRecordId": verified}),
            await of_alice.fetch("PATCH", f"{account}/acme/access-token", {"socialVerificationId": verified}),
            await alice.browser.form("/account/unlink", identity=identity),
            await alice.browser.form("/account/reconnect", identity=identity),
            await alice.browser.form("/account/sessions", session=session),
        ]
        return [(each.status_code, each.text) for each in answers]

    theirs = await asked(identity.id, session.handle, record, verified)
    nobodys = await asked(
        "identity-of-nobody", "c" * len(session.handle), "r" * len(record), "v" * len(verified)
    )
    assert theirs == nobodys
    assert {status for status, _ in theirs} == {404}
    assert (await bob.look())["isAuthenticated"]
    assert await running.host.hub.identities(owner) == [identity]
