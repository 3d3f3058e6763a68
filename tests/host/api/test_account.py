"""Identities, sessions and the account, through the API."""

from __future__ import annotations

import pytest

from connectors_core.errors import StorageError
from connectors_core.testing.provider import Person
from tests.host.api.conftest import OTHER_CALLBACK, App, Open, Page, api_of
from tests.host.conftest import BOB, Running

IDENTITIES = "/my-account/identities"
SECOND = Person(sub="alice-2", claims={"name": "Alice Two", "email": "two@example.test"})


@pytest.fixture
async def page(served: Running) -> Page:
    return await Page.signed_in(served)


@pytest.fixture
async def app(page: Page) -> App:
    return await page.token()


async def link_second(app: App, served: Running, *, connector: str = "acme") -> None:
    served.at_the_provider_sits(SECOND)
    uri = {"connectorId": connector, "redirectUri": OTHER_CALLBACK} if connector != "acme" else {}
    record = await app.verified(purpose="link", **uri)
    answer = await app.fetch("POST", IDENTITIES, {"newIdentifierVerificationRecordId": record})
    assert answer.status_code == 204, answer.text
    served.at_the_provider_sits(Person())


class TestIdentities:
    async def test_they_are_listed_with_what_is_known_of_their_tokens(
        self, app: App, served: Running
    ) -> None:
        for path in (IDENTITIES, f"/api{IDENTITIES}"):
            (identity,) = (await app.fetch("GET", path)).json()["identities"]
            tokens = identity.pop("tokens")
            assert sorted(identity) == [*("connectorId", "createdAt", "id", "profile", "target", "updatedAt")]
            assert (identity["target"], identity["profile"]["name"]) == ("acme", "Alice Example")
            assert (tokens["status"], tokens["scopeSource"]) == ("active", "granted")
            assert "email" in tokens["scope"].split()

    async def test_no_token_is_among_it(self, app: App, served: Running) -> None:
        text = (await app.fetch("GET", IDENTITIES)).text
        assert not any(secret in text for secret in served.provider.ledger.issued)

    async def test_linking_keeps_the_tokens_of_the_record(self, app: App, served: Running) -> None:
        await link_second(app, served)
        identities = (await app.fetch("GET", IDENTITIES)).json()["identities"]
        assert [each["tokens"]["status"] for each in identities] == ["active", "active"]
        path = f"{IDENTITIES}/acme/access-token"
        ambiguous = await app.fetch("GET", path)
        assert (ambiguous.status_code, ambiguous.json()["code"]) == (409, "identity_ambiguous")
        assert ambiguous.json()["identities"] == [each["id"] for each in identities]
        tokens = {
            each["id"]: (await app.fetch("GET", path, identity=each["id"])).json()["access_token"]
            for each in identities
        }
        assert len(set(tokens.values())) == 2
        assert all(api_of(served, token, "email") == 200 for token in tokens.values())

    async def test_a_record_links_once(self, app: App, served: Running) -> None:
        served.at_the_provider_sits(SECOND)
        record = await app.verified(purpose="link")
        body = {"newIdentifierVerificationRecordId": record}
        assert (await app.fetch("POST", IDENTITIES, body)).status_code == 204
        again = await app.fetch("POST", IDENTITIES, body)
        assert (again.status_code, again.json()["code"]) == (400, "transaction_consumed")

    async def test_an_account_that_became_another_persons_meanwhile_is_a_conflict(
        self, app: App, served: Running
    ) -> None:
        served.at_the_provider_sits(SECOND)
        record = await app.verified(purpose="link")
        await Page.signed_in(served)
        refused = await app.fetch("POST", IDENTITIES, {"newIdentifierVerificationRecordId": record})
        assert (refused.status_code, refused.json()["code"]) == (409, "identity_already_linked")

    async def test_unlinking_takes_the_tokens_along_and_tells_the_provider(
        self, app: App, served: Running
    ) -> None:
        await link_second(app, served, connector="posting")
        token = (await app.fetch("GET", f"{IDENTITIES}/acme/access-token")).json()["access_token"]
        assert (await app.fetch("DELETE", f"{IDENTITIES}/acme")).status_code == 204
        gone = await app.fetch("GET", f"{IDENTITIES}/acme/access-token")
        assert (gone.status_code, gone.json()["code"]) == (404, "identity_not_found")
        await served.host.hub.drain_revocations()
        assert api_of(served, token, "email") == 401

    async def test_the_last_way_in_stays(self, app: App) -> None:
        refused = await app.fetch("DELETE", f"{IDENTITIES}/acme")
        assert (refused.status_code, refused.json()["code"]) == (422, "last_identity")

    async def test_another_persons_identity_is_not_there(self, app: App, served: Running) -> None:
        served.at_the_provider_sits(BOB)
        bob = await Page.signed_in(served)
        theirs = (await (await bob.token()).fetch("GET", IDENTITIES)).json()["identities"][0]["id"]
        refused = await app.fetch("DELETE", f"{IDENTITIES}/acme", identity=theirs)
        unknown = await app.fetch("DELETE", f"{IDENTITIES}/acme", identity="identity_0")
        assert refused.status_code == 404
        assert refused.content == unknown.content


class TestRecentSignIn:
    """Linking, unlinking and deleting need one, or a record that proves who asks."""

    @pytest.fixture
    async def late(self, app: App, page: Page, served: Running) -> App:
        await link_second(app, served, connector="posting")
        served.clock.now += 601
        return await page.token()

    async def test_without_it_nothing_is_unlinked_or_linked(self, late: App, served: Running) -> None:
        served.at_the_provider_sits(Person(sub="alice-3", claims={"name": "Alice Three"}))
        record = await late.verified(purpose="link")
        for answer in (
            await late.fetch("DELETE", f"{IDENTITIES}/posting"),
            await late.fetch("DELETE", "/my-account"),
            await late.fetch("POST", IDENTITIES, {"newIdentifierVerificationRecordId": record}),
            # A record of a new account proves nothing about the person.
            await late.fetch("DELETE", f"{IDENTITIES}/posting", headers={"logto-verification-id": record}),
            await late.fetch("DELETE", f"{IDENTITIES}/posting", headers={"logto-verification-id": "x" * 43}),
        ):
            assert (answer.status_code, answer.json()["code"]) == (403, "reauthentication_required")

    async def test_a_record_of_an_own_account_serves_once(self, late: App) -> None:
        record = await late.verified(purpose="reauthenticate")
        headers = {"logto-verification-id": record}
        assert (await late.fetch("DELETE", f"{IDENTITIES}/posting", headers=headers)).status_code == 204
        again = await late.fetch("DELETE", "/my-account", headers=headers)
        assert (again.status_code, again.json()["code"]) == (403, "reauthentication_required")

    async def test_a_record_is_not_used_up_by_what_is_refused(self, app: App, served: Running) -> None:
        served.clock.now += 601
        app = await app.page.token()
        headers = {"logto-verification-id": await app.verified(purpose="reauthenticate")}
        for _ in range(2):
            refused = await app.fetch("DELETE", f"{IDENTITIES}/acme", headers=headers)
            assert (refused.status_code, refused.json()["code"]) == (422, "last_identity")
        assert (await app.fetch("DELETE", "/my-account", headers=headers)).status_code == 204

    async def test_one_is_not_used_up_by_a_link_that_is_refused(self, late: App, served: Running) -> None:
        headers = {"logto-verification-id": await late.verified(purpose="reauthenticate")}
        served.at_the_provider_sits(Person(sub="alice-3", claims={"name": "Alice Three"}))
        body = {"newIdentifierVerificationRecordId": await late.verified(purpose="link")}
        await Page.signed_in(served)
        for _ in range(2):
            refused = await late.fetch("POST", IDENTITIES, body, headers=headers)
            assert (refused.status_code, refused.json()["code"]) == (409, "identity_already_linked")

    @pytest.mark.parametrize("purpose", [{"purpose": "tokens"}, {}], ids=["tokens", "derived"])
    async def test_a_record_for_tokens_proves_nothing_of_who_sits_there(
        self, late: App, purpose: dict[str, str]
    ) -> None:
        headers = {"logto-verification-id": await late.verified(**purpose)}
        refused = await late.fetch("DELETE", f"{IDENTITIES}/posting", headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (403, "reauthentication_required")

    async def test_another_persons_record_does_not(self, late: App, served: Running) -> None:
        served.at_the_provider_sits(BOB)
        bob = await (await Page.signed_in(served)).token()
        record = await bob.verified(purpose="reauthenticate")
        refused = await late.fetch(
            "DELETE", f"{IDENTITIES}/posting", headers={"logto-verification-id": record}
        )
        assert refused.status_code == 403


class TestSessions:
    async def test_they_are_listed_and_the_own_one_is_told(self, app: App, served: Running) -> None:
        await Page.signed_in(served)
        found = (await app.fetch("GET", "/my-account/sessions")).json()["sessions"]
        assert sorted(each["current"] for each in found) == [False, True]
        for each in found:
            assert (await app.fetch("GET", f"/my-account/sessions/{each['id']}")).json() == each

    async def test_their_ids_open_nothing(self, app: App, page: Page, served: Running) -> None:
        (only,) = (await app.fetch("GET", "/my-account/sessions")).json()["sessions"]
        assert only["id"] not in page.browser.cookies.values()
        browser = served.browser()
        browser.cookies["__Host-connectors-session"] = only["id"]
        assert (await browser.user())["isAuthenticated"] is False

    async def test_one_is_ended_and_its_tokens_with_it(self, app: App, served: Running) -> None:
        other = await Page.signed_in(served)
        others_app = await other.token()
        found = (await app.fetch("GET", "/my-account/sessions")).json()["sessions"]
        (theirs,) = [each["id"] for each in found if not each["current"]]
        assert (await app.fetch("DELETE", f"/my-account/sessions/{theirs}")).status_code == 204
        assert (await other.browser.user())["isAuthenticated"] is False
        assert (await others_app.fetch("GET", IDENTITIES)).status_code == 401
        assert (await app.fetch("GET", IDENTITIES)).status_code == 200
        assert (await app.fetch("DELETE", f"/my-account/sessions/{theirs}")).status_code == 404

    async def test_another_persons_is_not_there(self, app: App, served: Running) -> None:
        served.at_the_provider_sits(BOB)
        bob = await (await Page.signed_in(served)).token()
        (theirs,) = (await bob.fetch("GET", "/my-account/sessions")).json()["sessions"]
        for method in ("GET", "DELETE"):
            refused = await app.fetch(method, f"/my-account/sessions/{theirs['id']}")
            unknown = await app.fetch(method, "/my-account/sessions/nothing")
            assert refused.status_code == 404
            assert refused.content == unknown.content
        assert (await bob.fetch("GET", IDENTITIES)).status_code == 200

    async def test_signing_out_everywhere(self, app: App, page: Page, served: Running) -> None:
        other = await Page.signed_in(served)
        assert (await app.fetch("DELETE", "/my-account/sessions")).status_code == 204
        for each in (page, other):
            assert (await each.browser.user())["isAuthenticated"] is False
        assert (await app.fetch("GET", IDENTITIES)).status_code == 401


@pytest.mark.parametrize("path", ["/my-account", "/my-account/sessions", "/my-account/sessions/{own}"])
async def test_who_is_out_keeps_no_session_cookie(app: App, page: Page, served: Running, path: str) -> None:
    (only,) = (await app.fetch("GET", "/my-account/sessions")).json()["sessions"]
    answer = await page.fetch("DELETE", path.format(own=only["id"]))
    assert answer.status_code == 204
    assert answer.headers["set-cookie"].startswith('__Host-connectors-session=""; ')
    assert "Max-Age=0" in answer.headers["set-cookie"]
    cookie = page.headers["Cookie"]
    page = await Page.signed_in(served)
    again = await (await page.token()).fetch("DELETE", "/my-account", headers={"Cookie": cookie})
    assert again.status_code == 204
    assert "set-cookie" not in again.headers


async def test_who_ends_another_session_keeps_the_own_cookie(page: Page, served: Running) -> None:
    await Page.signed_in(served)
    found = (await page.fetch("GET", "/my-account/sessions")).json()["sessions"]
    (other,) = [each["id"] for each in found if not each["current"]]
    answer = await page.fetch("DELETE", f"/my-account/sessions/{other}")
    assert answer.status_code == 204
    assert "set-cookie" not in answer.headers


class TestAccount:
    async def test_the_export_has_everything_but_secrets(self, app: App, served: Running) -> None:
        answer = await app.fetch("GET", "/my-account/export")
        assert answer.json()["account"]["name"] == "Alice Example"
        assert len(answer.json()["identities"]) == 1
        assert not any(secret in answer.text for secret in served.provider.ledger.issued)

    async def test_a_deleted_account_is_gone_with_its_tokens(
        self, app: App, page: Page, served: Running
    ) -> None:
        token = (await app.fetch("GET", f"{IDENTITIES}/acme/access-token")).json()["access_token"]
        await app.begin()
        assert (await app.fetch("DELETE", "/my-account")).status_code == 204
        assert (await page.browser.user())["isAuthenticated"] is False
        assert (await app.fetch("GET", IDENTITIES)).status_code == 401
        await served.host.hub.drain_revocations()
        assert api_of(served, token, "email") == 401
        database = served.host.hub.database
        for table in ("host_accounts", "host_sessions", "host_verification_records"):
            assert await database.fetch(f"SELECT * FROM {table}") == [], table

    @pytest.mark.parametrize("unlinked", [False, True])
    async def test_a_deletion_that_was_cut_short_is_finished_unless_there_is_a_way_in(
        self, app: App, served: Running, monkeypatch: pytest.MonkeyPatch, unlinked: bool
    ) -> None:
        async def fail(*_: object, **__: object) -> None:
            raise StorageError("not now")

        where = served.host.accounts if unlinked else served.host.hub
        with monkeypatch.context() as patched:
            patched.setattr(type(where), "remove" if unlinked else "unlink", fail)
            assert (await app.fetch("DELETE", "/my-account")).status_code == 503
        assert bool(await served.host.hub.identities(await self.owner(served))) is not unlinked
        served.at_the_provider_sits(BOB)
        for seconds, left in ((0, 1), (61, 0 if unlinked else 1)):
            served.clock.now += seconds
            bob = await (await Page.signed_in(served)).token()
            assert (await bob.fetch("DELETE", "/my-account")).status_code == 204
            assert await served.host.accounts.count() == left

    async def test_it_is_finished_at_the_next_start_too(
        self, app: App, served: Running, start_api: Open
    ) -> None:
        owner = await self.owner(served)
        await served.host.accounts.leave(owner)
        (identity,) = await served.host.hub.identities(owner)
        await served.host.hub.unlink(identity.id, owner=owner)
        now = served.clock.now
        await served.host.hub.database.fetch("UPDATE host_accounts SET leaving_at = :at", {"at": now - 60})
        assert await (await start_api()).host.accounts.count() == 0

    async def owner(self, served: Running) -> str:
        ((owner,),) = await served.host.hub.database.fetch("SELECT owner FROM host_accounts")
        return str(owner)

    async def test_linking_that_policy_forbids_is_not_found(self, start_api: Open) -> None:
        running = await start_api(acme='token_storage = true\nlinking = "never"')
        app = await (await Page.signed_in(running)).token()
        running.at_the_provider_sits(SECOND)
        begun = await app.begin()
        refused = await app.verify(begun, await app.visit(begun))
        assert (refused.status_code, refused.json()["code"]) == (422, "verification_mismatch")
