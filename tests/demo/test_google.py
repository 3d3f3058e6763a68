"""The emulated Google: what it asks people, what it grants, and what its APIs answer."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from connectors_demo.google import GoogleEmulator

from connectors_core.testing.plugin import Clock
from connectors_core.testing.provider import Client, Request, Response

BACK = "https://host.test/callback"
CLIENT = Client(client_id="client-1", secret="a-secret-of-nobody", redirect_uris=(BACK,))
ALICE, BOB = "1104711", "1104712"
SIGN_IN = "openid email profile"
READ, WRITE, MAIL, FILES = (
    f"https://www.googleapis.com/auth/{name}"
    for name in ("calendar.readonly", "calendar.events", "gmail.readonly", "drive.metadata.readonly")
)
EVENTS = "/calendar/v3/calendars/primary/events"
LIFETIME = 60


class Browser:
    """A person at the emulated Google, with its cookie and without a network."""

    def __init__(self, google: GoogleEmulator) -> None:
        self.google = google
        self.cookie = ""

    async def send(self, method: str, path: str, pairs: list[tuple[str, str]]) -> Response:
        headers = {"cookie": self.cookie, "content-type": "application/x-www-form-urlencoded"}
        query, body = (urlencode(pairs), b"") if method == "GET" else ("", urlencode(pairs).encode())
        answer = await self.google.handle(
            Request(method=method, path=path, query=query, headers=headers, body=body)
        )
        self.cookie = answer.headers.get("set-cookie", self.cookie).partition(";")[0]
        return answer

    async def ask(self, scope: str = SIGN_IN, **more: str) -> Response:
        """What an application's authorization request shows."""
        asked = {"response_type": "code", "client_id": "client-1", "redirect_uri": BACK, "scope": scope}
        return await self.send("GET", "/authorize", list((asked | {"state": "a-state"} | more).items()))

    async def press(self, page: Response, **button: str) -> Response:
        """Submit the form of a page, with boxes as they are unless ``granted`` names those to tick."""
        text = page.body.decode()
        hidden = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', text)
        ticked = [("granted", scope) for scope in button.pop("granted", "").split()]
        pairs = [(html.unescape(name), html.unescape(value)) for name, value in hidden]
        return await self.send("POST", "/authorize", [*pairs, *ticked, *button.items()])

    async def allow(
        self, scope: str = SIGN_IN, *, ticked: str = "", person: str = ALICE, **more: str
    ) -> dict[str, Any]:
        """Choose an account where asked, tick boxes, continue; return the token response."""
        page = await self.ask(scope, **more)
        if page.status == 200 and "Choose an account" in page.body.decode():
            page = await self.press(page, person=person)
        if page.status == 200:
            page = await self.press(page, decision="allow", granted=ticked)
        return await self.token(grant_type="authorization_code", redirect_uri=BACK, code=back(page)["code"])

    async def token(self, *, path: str = "/token", **form: str) -> dict[str, Any]:
        sent = {"client_id": "client-1", "client_secret": CLIENT.secret, **form}
        answer = await self.send("POST", path, list(sent.items()))
        return {"status": answer.status, **json.loads(answer.body)}

    async def call(
        self, path: str, token: str, *, method: str = "GET", query: str = "", body: Any = None
    ) -> tuple[int, Any]:
        """One call of an API: status and document."""
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        sent = json.dumps(body).encode() if body is not None else b""
        answer = await self.google.handle(
            Request(method=method, path=path, query=query, headers=headers, body=sent)
        )
        return answer.status, json.loads(answer.body)


def back(answer: Response) -> dict[str, str]:
    """What the application's callback gets."""
    assert answer.status == 302, answer.body
    uri, _, query = answer.headers["location"].partition("?")
    assert uri == BACK
    return dict(parse_qsl(query))


def claims(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))))


@pytest.fixture
async def google() -> AsyncIterator[GoogleEmulator]:
    emulator = GoogleEmulator(CLIENT, name="Smart calendar", lifetime=LIFETIME, clock=Clock())
    async with emulator.serving():
        yield emulator


@pytest.fixture
def browser(google: GoogleEmulator) -> Browser:
    return Browser(google)


# Who


async def test_a_person_chooses_an_account_and_is_remembered(browser: Browser) -> None:
    choice = (await browser.ask()).body.decode()
    assert all(f"{name} Example" in choice for name in ("Alice", "Bob", "Carol"))
    granted = await browser.allow(person=BOB)
    assert claims(granted["id_token"])["email"] == "bob@gmail.example"
    browser.cookie = f'another="{{]"; {browser.cookie}'
    again = back(await browser.ask())
    assert again["state"] == "a-state"


@pytest.mark.parametrize("more", [{"prompt": "select_account"}, {"login_hint": "bob@gmail.example"}])
async def test_another_account_can_be_asked_for(browser: Browser, more: dict[str, str]) -> None:
    await browser.allow(person=ALICE)
    assert "Choose an account" in (await browser.ask(**more)).body.decode()
    granted = await browser.allow(person=BOB, **more)
    assert claims(granted["id_token"])["sub"] == BOB


async def test_prompt_none_shows_no_page(browser: Browser) -> None:
    assert back(await browser.ask(prompt="none"))["error"] == "login_required"
    await browser.allow()
    assert "code" in back(await browser.ask(prompt="none"))
    assert back(await browser.ask(f"{SIGN_IN} {READ}", prompt="none"))["error"] == "consent_required"


async def test_only_an_account_of_an_organisation_has_hd(browser: Browser) -> None:
    assert claims((await browser.allow())["id_token"])["hd"] == "example.org"
    bob = await browser.allow(person=BOB, prompt="select_account")
    assert "hd" not in claims(bob["id_token"])


async def test_pages_escape_what_they_are_given(browser: Browser) -> None:
    page = (await browser.ask(state='"><script>alert(1)</script>')).body.decode()
    assert "<script>alert" not in page


async def test_nobody_is_sent_to_an_address_that_is_not_registered(browser: Browser) -> None:
    assert (await browser.ask(redirect_uri="https://evil.test/")).status == 400


# What


async def test_sign_in_scopes_have_no_box_and_others_one_each(browser: Browser) -> None:
    page = await browser.press(await browser.ask(f"{SIGN_IN} {READ} {MAIL}"), person=ALICE)
    boxes = re.findall(r'type="checkbox" name="granted" value="([^"]*)"([^>]*)>', page.body.decode())
    assert boxes == [(READ, ""), (MAIL, "")]


async def test_what_is_not_ticked_is_not_granted(browser: Browser) -> None:
    granted = await browser.allow(f"{SIGN_IN} {READ} {MAIL}", ticked=MAIL)
    assert set(granted["scope"].split()) >= {"openid", MAIL}
    assert READ not in granted["scope"]
    assert (await browser.call("/gmail/v1/users/me/messages", granted["access_token"]))[0] == 200
    status, problem = await browser.call(EVENTS, granted["access_token"])
    assert (status, problem["error"]["code"], problem["error"]["status"]) == (403, 403, "PERMISSION_DENIED")


async def test_a_person_may_say_no(browser: Browser) -> None:
    page = await browser.press(await browser.ask(), person=ALICE)
    assert back(await browser.press(page, decision="deny"))["error"] == "access_denied"


async def test_included_scopes_widen_the_token_and_are_not_asked_for_twice(browser: Browser) -> None:
    await browser.allow(f"{SIGN_IN} {READ}", ticked=READ)
    page = (await browser.ask(f"{SIGN_IN} {READ} {WRITE}", include_granted_scopes="true")).body.decode()
    assert re.findall(r'type="checkbox" name="granted" value="([^"]*)"', page) == [WRITE]
    assert "It already can" in page
    more = await browser.allow(f"{SIGN_IN} {WRITE}", ticked=WRITE, include_granted_scopes="true")
    assert {READ, WRITE} <= set(more["scope"].split())
    alone = await browser.allow(f"{SIGN_IN} {WRITE}")
    assert READ not in alone["scope"]


async def test_a_refresh_token_needs_offline_access_and_consent(browser: Browser) -> None:
    assert "refresh_token" not in await browser.allow()
    browser.cookie = ""
    assert "refresh_token" in await browser.allow(person=BOB, access_type="offline")
    assert "refresh_token" not in await browser.allow(access_type="offline")
    assert "refresh_token" in await browser.allow(access_type="offline", prompt="consent")


async def test_an_access_token_expires_and_a_refresh_gives_the_next(
    browser: Browser, google: GoogleEmulator
) -> None:
    first = await browser.allow(f"{SIGN_IN} {READ}", ticked=READ, access_type="offline")
    assert first["expires_in"] == LIFETIME
    google.clock.now += LIFETIME  # type: ignore[attr-defined]
    status, problem = await browser.call(EVENTS, first["access_token"])
    assert (status, problem["error"]["status"]) == (401, "UNAUTHENTICATED")
    assert json.loads((await browser.send("GET", "/emulator", [])).body) == {"refreshes": 0}
    for count in (1, 2):
        refreshed = await browser.token(grant_type="refresh_token", refresh_token=first["refresh_token"])
        assert "refresh_token" not in refreshed
        assert (await browser.call(EVENTS, refreshed["access_token"]))[0] == 200
        assert json.loads((await browser.send("GET", "/emulator", [])).body) == {"refreshes": count}


async def test_revoking_one_token_ends_all_that_was_granted(browser: Browser) -> None:
    first = await browser.allow(f"{SIGN_IN} {READ}", ticked=READ, access_type="offline")
    second = await browser.allow(f"{SIGN_IN} {MAIL}", ticked=MAIL)
    assert (await browser.token(path="/revoke", token=second["access_token"]))["status"] == 200
    refused = await browser.token(grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert refused["error"] == "invalid_grant"
    assert (await browser.call(EVENTS, first["access_token"]))[0] == 401


# One Tap


async def test_one_tap_shows_a_credential_with_the_nonce_to_the_origin_of_the_client(
    browser: Browser,
) -> None:
    asked = {"client_id": "client-1", "nonce": "a-nonce", "origin": "https://host.test"}
    page = (await browser.send("GET", "/gsi/prompt", list(asked.items()))).body.decode()
    shown = claims(re.findall(r'data-credential="([^"]+)"', page)[0])
    assert (shown["nonce"], shown["aud"], shown["sub"]) == ("a-nonce", "client-1", ALICE)
    assert re.findall(r'data-origin="([^"]+)"', page) == ["https://host.test"]


@pytest.mark.parametrize(
    "wrong", [{"origin": "https://evil.test"}, {"origin": "https://host"}, {"client_id": "x"}]
)
async def test_one_tap_shows_nothing_to_others(browser: Browser, wrong: dict[str, str]) -> None:
    asked = {"client_id": "client-1", "nonce": "a-nonce", "origin": "https://host.test", **wrong}
    assert (await browser.send("GET", "/gsi/prompt", list(asked.items()))).status == 400


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/gsi/client", 200),
        ("/static/google.css", 200),
        (f"/avatar/{ALICE}.svg", 200),
        ("/gsi/other", 404),
        ("/static/../pages.py", 404),
        ("/avatar/nobody.svg", 404),
        ("/nothing", 404),
    ],
)
async def test_files_are_served_by_name(browser: Browser, path: str, status: int) -> None:
    assert (await browser.send("GET", path, [])).status == status


# APIs


@pytest.fixture
async def token(browser: Browser) -> str:
    scopes = f"{READ} {WRITE} {MAIL} {FILES}"
    return str((await browser.allow(f"{SIGN_IN} {scopes}", ticked=scopes))["access_token"])


async def test_events_are_listed_from_a_time_on_in_order(browser: Browser, token: str) -> None:
    _, all_of_them = await browser.call(EVENTS, token)
    starts = [event["start"]["dateTime"] for event in all_of_them["items"]]
    assert len(starts) == 3
    assert starts == sorted(starts)
    query = urlencode({"timeMin": starts[1], "maxResults": "1"})
    _, later = await browser.call(EVENTS, token, query=query)
    assert [event["start"]["dateTime"] for event in later["items"]] == [starts[1]]


async def test_an_event_that_is_inserted_is_listed_to_its_owner_alone(browser: Browser, token: str) -> None:
    sent = {
        "summary": "Coffee",
        "start": {"dateTime": "2027-01-15T10:00:00+01:00"},
        "end": {"dateTime": "2027-01-15T10:30:00+01:00"},
    }
    status, added = await browser.call(EVENTS, token, method="POST", body=sent)
    assert (status, added["summary"]) == (200, "Coffee")
    _, mine = await browser.call(EVENTS, token)
    assert "Coffee" in [event["summary"] for event in mine["items"]]
    browser.cookie = ""
    bob = await browser.allow(f"{SIGN_IN} {READ}", ticked=READ, person=BOB)
    _, others = await browser.call(EVENTS, bob["access_token"])
    assert "Coffee" not in [event["summary"] for event in others["items"]]


@pytest.mark.parametrize(
    "sent",
    [
        {},
        [],
        {"start": {"dateTime": "tomorrow"}, "end": {"dateTime": "2027-01-15T10:30:00Z"}},
        {"start": {"dateTime": "2027-01-15T10:30:00"}, "end": {"dateTime": "2027-01-15T11:30:00"}},
        {"start": {"dateTime": "2027-01-15T11:00:00Z"}, "end": {"dateTime": "2027-01-15T10:30:00Z"}},
    ],
)
async def test_an_event_without_a_proper_time_is_refused(browser: Browser, token: str, sent: Any) -> None:
    status, problem = await browser.call(EVENTS, token, method="POST", body=sent)
    assert (status, problem["error"]["status"]) == (400, "INVALID_ARGUMENT")


async def test_reading_events_does_not_allow_to_insert_them(browser: Browser) -> None:
    granted = await browser.allow(f"{SIGN_IN} {READ}", ticked=READ)
    assert (await browser.call(EVENTS, granted["access_token"], method="POST", body={}))[0] == 403


async def test_messages_are_listed_by_id_and_read_one_by_one(browser: Browser, token: str) -> None:
    path = "/gmail/v1/users/me/messages"
    _, found = await browser.call(path, token, query="maxResults=2")
    assert len(found["messages"]) == 2
    _, message = await browser.call(f"{path}/{found['messages'][0]['id']}", token)
    assert [header["name"] for header in message["payload"]["headers"]] == ["Subject", "From"]
    status, _ = await browser.call(f"{path}/{BOB}-1", token)
    assert status == 404


async def test_files_are_listed(browser: Browser, token: str) -> None:
    _, found = await browser.call("/drive/v3/files", token, query="pageSize=2")
    assert [file["name"] for file in found["files"]] == ["Review of the quarter", "Figures"]


async def test_it_answers_on_loopback_at_its_url(google: GoogleEmulator) -> None:
    assert urlsplit(google.url).hostname == "localhost"
    assert google.metadata.issuer == google.url
