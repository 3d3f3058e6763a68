"""``/account``: what a person sees of themselves, and changes."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from connectors_host.accounts import Accounts

from connectors_core.profile import Profile
from connectors_core.testing.provider import Person
from tests.canary import Canary
from tests.host.conftest import BOB, Browser, Running, Start

SESSION = "__Host-connectors-session"
STORED = 'token_storage = true\nrequestable_scopes = ["calendar", "offline_access"]'
KEYS = 'vault_keys = "env:HOST_TEST_KEYS"'


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST_TEST_KEYS", "key-1:ZmFrZS1rZXktb2YtdGhlLWhvc3QtdGVzdHMtMzJiISE=")


class Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


def text(page: str) -> str:
    parser = Text()
    parser.feed(page)
    return " ".join(" ".join(parser.parts).split())


async def owner(browser: Browser) -> str:
    return str((await browser.user())["claims"]["sub"])


@pytest.fixture
async def keeping(start: Start) -> Running:
    running: Running = await start(host=KEYS, acme=STORED)
    return running


async def test_who_is_not_signed_in_signs_in_first(running: Running) -> None:
    browser = running.browser()
    for path in ("/account", "/account/confirm"):
        page = await browser.get(path)
        assert (page.status_code, page.headers["location"]) == (302, "/sign-in?return_to=/account")
        answer = await browser.get(path, headers={"Accept": "application/json"})
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Session")
    for path in ("/account/export", "/account/delete"):
        assert (await browser.get(path)).status_code == 401


async def test_the_page_shows_all_that_is_synchronised(keeping: Running) -> None:
    browser = keeping.browser()
    await browser.sign_in()
    page = await browser.get("/account")
    assert page.status_code == 200
    shown = text(page.text)
    for part in (
        *("Alice Example", "alice@example.test verified", "https://provider.test/alice.png", "alice-1"),
        *("Access works", "openid granted", "Linked 2027-01-15", "This is your only way to sign in"),
        *("Continue with Poster", "this browser", "Download as a file", "Delete your account"),
    ):
        assert part in shown, part
    assert "<script" not in page.text


async def test_the_page_speaks_japanese(keeping: Running) -> None:
    browser = keeping.browser()
    await browser.sign_in()
    page = await browser.get("/account", headers={"Accept-Language": "ja"})
    assert "連携中のアカウント" in page.text
    assert '<html lang="ja">' in page.text


async def test_no_page_shows_a_token(keeping: Running, canary: Canary) -> None:
    browser = keeping.browser()
    await browser.sign_in()
    for value in keeping.provider.secrets():
        canary.watch(value, "a secret of the provider")
    canary.watch(browser.cookies[SESSION], "the session id")
    export = await browser.get("/account/export")
    canary.check((await browser.get("/account")).text, export.text)


async def test_a_connector_that_stores_nothing_is_for_sign_in_only(running: Running) -> None:
    browser = running.browser()
    await browser.sign_in()
    shown = text((await browser.get("/account")).text)
    assert "Sign-in only" in shown
    assert "Reconnect" not in shown


async def test_asking_for_more_adds_to_the_grant_of_that_identity(keeping: Running) -> None:
    browser = keeping.browser()
    await browser.sign_in()
    page = await browser.get("/account")
    assert re.findall(r'name="scope:(\w+)"', page.text) == ["calendar", "offline_access"]
    (identity,) = await keeping.host.hub.identities(await owner(browser))
    form = {"identity": identity.id, "scope:calendar": "yes"}
    started = await browser.begin_at_account("/account/reconnect", **form)
    assert "login_hint=alice%40example.test" in started.headers["location"]
    done = await browser.come_back(started)
    assert done.headers["location"] == "/account?done=reconnected"
    page = await browser.get("/account")
    assert "calendar granted" in text(page.text)
    assert re.findall(r'name="scope:(\w+)"', page.text) == ["offline_access"]


async def test_asking_for_what_the_operator_does_not_list_is_refused(keeping: Running) -> None:
    browser = keeping.browser()
    await browser.sign_in()
    (identity,) = await keeping.host.hub.identities(await owner(browser))
    page = await browser.form("/account/reconnect", **{"identity": identity.id, "scope:mail": "yes"})
    assert (page.status_code, "invalid_scope" in page.text) == (400, True)


async def test_another_account_s_answer_renews_no_grant(keeping: Running) -> None:
    browser = keeping.browser()
    await browser.sign_in()
    (identity,) = await keeping.host.hub.identities(await owner(browser))
    before = await keeping.host.hub.token_states(identity.owner)
    started = await browser.begin_at_account("/account/reconnect", identity=identity.id)
    keeping.at_the_provider_sits(BOB)
    page = await browser.come_back(started)
    assert (page.status_code, "verification_mismatch" in page.text) == (422, True)
    assert await keeping.host.hub.token_states(identity.owner) == before


async def test_reconnecting_where_nothing_is_stored_is_refused(running: Running) -> None:
    browser = running.browser()
    await browser.sign_in()
    (identity,) = await running.host.hub.identities(await owner(browser))
    page = await browser.form("/account/reconnect", identity=identity.id)
    assert (page.status_code, "token_storage_disabled" in page.text) == (422, True)


async def test_a_name_that_was_edited_stays(start: Start) -> None:
    running = await start(acme='sync_profile = "sign_in"')
    browser = running.browser()
    await browser.sign_in()
    done = await browser.form("/account/profile", name="  Ali  ")
    assert done.headers["location"] == "/account?done=saved"
    running.at_the_provider_sits(Person(claims={"name": "Alice New", "email": "new@x.test"}))
    await browser.sign_in()
    claims = (await browser.user())["claims"]
    assert (claims["name"], claims["email"]) == ("Ali", "new@x.test")
    await browser.form("/account/profile", name="")
    await browser.sign_in()
    assert "name" not in (await browser.user())["claims"]


@pytest.mark.parametrize("name", ["x" * 201, "a\nb", "a\u202eb"])
async def test_a_name_is_plain_text(running: Running, name: str) -> None:
    browser = running.browser()
    await browser.sign_in()
    assert (await browser.form("/account/profile", name=name)).status_code == 400


async def test_a_vanished_value_erases_nothing_and_one_identity_writes_over_no_other(
    running: Running,
) -> None:
    accounts = Accounts(running.host.hub.database, clock=running.clock)
    first = Profile(id="1", name="A", email="a@x.test", email_verified=True, phone="+1")
    await accounts.ensure("user_1", first)
    await accounts.synchronise("user_1", Profile(id="1"), before={"name": "A", "email": "a@x.test"})
    kept = await accounts.find("user_1")
    assert kept is not None
    assert (kept.name, kept.email, kept.email_verified, kept.phone) == ("A", "a@x.test", True, "+1")
    other = Profile(id="2", name="B", email="b@x.test", email_verified=False, avatar="https://x.test/b.png")
    await accounts.synchronise("user_1", other, before={"name": "B", "email": "b@x.test"})
    kept = await accounts.find("user_1")
    assert kept is not None
    assert (kept.name, kept.email, kept.email_verified) == ("A", "a@x.test", True)
    assert kept.avatar == "https://x.test/b.png"


async def test_sessions_are_listed_and_ended_one_by_one(running: Running) -> None:
    here, there = running.browser(), running.browser()
    await here.sign_in()
    running.clock.now += 60
    await there.sign_in("acme")
    page = await there.get("/account")
    handles = re.findall(r'name="session" value="([\w-]+)"', page.text)
    assert len(handles) == 3
    assert here.cookies[SESSION] not in page.text
    mine = there.cookies[SESSION]
    infos = await running.host.sessions.of_owner(await owner(there))
    (older,) = [info.handle for info in infos if info.created_at < running.clock.now]
    done = await there.form("/account/sessions", session=older)
    assert done.headers["location"] == "/account?done=sessions_ended"
    assert (await here.user())["isAuthenticated"] is False
    assert there.cookies[SESSION] == mine
    assert (await there.form("/account/sessions", session=older)).status_code == 404


async def test_sign_out_everywhere_ends_all_sessions_and_nobody_else_s(running: Running) -> None:
    here, there, bob = running.browser(), running.browser(), running.browser()
    await here.sign_in()
    await there.sign_in()
    running.at_the_provider_sits(BOB)
    await bob.sign_in()
    done = await here.form("/account/sessions", session="all")
    assert done.headers["location"] == "/signed-out"
    assert SESSION not in here.cookies
    assert (await there.user())["isAuthenticated"] is False
    assert (await bob.user())["isAuthenticated"] is True


async def test_another_person_s_session_is_not_found(running: Running) -> None:
    alice, bob = running.browser(), running.browser()
    await alice.sign_in()
    (info,) = await running.host.sessions.of_owner(await owner(alice))
    running.at_the_provider_sits(BOB)
    await bob.sign_in()
    for handle in (info.handle, "unknown", "é", "="):
        assert (await bob.form("/account/sessions", session=handle)).status_code == 404
    assert (await alice.user())["isAuthenticated"] is True


async def test_the_export_is_everything_as_a_file(keeping: Running) -> None:
    browser = keeping.browser()
    await browser.sign_in()
    answer = await browser.get("/account/export")
    assert answer.headers["content-disposition"] == 'attachment; filename="account.json"'
    told = answer.json()
    assert told["account"]["email"] == "alice@example.test"
    (identity,) = told["identities"]
    assert (identity["issuer"], identity["subject"]) == ("https://provider.test", "alice-1")
    assert identity["tokens"]["status"] == "active"
    assert "openid" in identity["tokens"]["scopes"]
    assert [session["connector"] for session in told["sessions"]] == ["acme"]


async def test_a_deleted_account_leaves_no_row_no_session_and_no_token(keeping: Running) -> None:
    here, there = keeping.browser(), keeping.browser()
    await here.sign_in()
    await there.sign_in()
    account = await owner(here)
    assert "cannot be undone" in (await here.get("/account/delete")).text
    assert (await here.form("/account/delete")).status_code == 400
    done = await here.form("/account/delete", sure="yes")
    assert (done.status_code, "Your account is deleted" in done.text) == (200, True)
    assert SESSION not in here.cookies
    assert (await there.user())["isAuthenticated"] is False
    fetch = keeping.host.hub.database.fetch
    for table in ("host_accounts", "host_sessions", "connectors_identities", "connectors_secrets"):
        assert await fetch(f"SELECT COUNT(*) FROM {table}") == [(0,)], table
    told = await keeping.host.hub.drain_revocations()
    assert [each.outcome for each in told] == ["revoked"]
    again = keeping.browser()
    await again.sign_in()
    assert await owner(again) != account


async def test_in_japanese_too_it_is_said_that_the_account_is_gone(running: Running) -> None:
    browser = running.browser()
    await browser.sign_in()
    form = {"csrf_token": (await browser.user())["csrfToken"], "sure": "yes"}
    done = await browser.post("/account/delete", form=form, headers={"Accept-Language": "ja"})
    assert "アカウントを削除しました" in done.text


async def test_the_page_to_confirm_who_you_are_knows_how_long_ago_you_did(running: Running) -> None:
    browser = running.browser()
    await browser.sign_in()
    assert "less than ten minutes ago" in (await browser.get("/account/confirm")).text
    running.clock.now += 601
    assert "more than ten minutes ago" in (await browser.get("/account/confirm")).text


@pytest.mark.parametrize(
    "path",
    ["link", "unlink", "reconnect", "profile", "sessions", "delete"],
)
async def test_a_form_that_is_not_ours_changes_nothing(running: Running, path: str) -> None:
    browser = running.browser()
    address = f"/account/{path}"
    assert (await browser.post(address, form={"sure": "yes"})).status_code == 401
    await browser.sign_in()
    form = {"sure": "yes", "session": "all", "name": "Eve", "connector": "posting"}
    assert (await browser.post(address, form=form)).status_code == 403
    token = (await browser.user())["csrfToken"]
    cross: dict[str, str | None] = {"Sec-Fetch-Site": "cross-site"}
    refused = await browser.post(address, form={**form, "csrf_token": token}, headers=cross)
    assert refused.status_code == 403
    assert (await browser.user())["claims"]["name"] == "Alice Example"
