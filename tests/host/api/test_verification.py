"""Verification records, from the request for one to the end of its use."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from connectors_host.accounts import profile_fields
from connectors_host.api.records import Records

from connectors_core.errors import StorageError
from connectors_core.profile import Profile
from connectors_core.testing.provider import Person
from connectors_core.transaction import Purpose
from tests.host.api.conftest import CALLBACK, OTHER_CALLBACK, App, Open, Page, asked
from tests.host.conftest import BASE, BOB, Running

CAROL = Person(sub="carol-1", claims={"name": "Carol Example", "email": "carol@example.test"})


@pytest.fixture
async def page(served: Running) -> Page:
    return await Page.signed_in(served)


@pytest.fixture
async def app(page: Page) -> App:
    return await page.token()


async def test_a_record_is_created_with_what_the_browser_needs(app: App) -> None:
    answer = await app.fetch(
        "POST",
        "/api/verification/social",
        {"connectorId": "acme", "redirectUri": CALLBACK, "scope": "calendar"},
    )
    assert answer.status_code == 201
    said = answer.json()
    assert sorted(said) == ["authorizationUri", "expiresAt", "verificationRecordId"]
    sent = asked(said["authorizationUri"])
    assert sent["redirect_uri"] == CALLBACK
    assert "calendar" in sent["scope"].split()
    assert sent["login_hint"] == "alice@example.test"
    assert said["expiresAt"].endswith("Z")
    assert said["verificationRecordId"] not in said["authorizationUri"]


async def test_the_hint_is_never_the_callers(app: App) -> None:
    begun = await app.begin(login_hint="victim@example.test", loginHint="victim@example.test")
    assert asked(begun["authorizationUri"])["login_hint"] == "alice@example.test"


async def test_the_hint_names_the_organisation_too_where_the_identity_has_one(
    app: App, page: Page, served: Running
) -> None:
    profile = Profile(id="1", email="alice@example.test", raw={"hd": "example.test"})
    owner = (await page.look())["claims"]["sub"]
    (identity,) = await served.host.hub.identities(owner)
    await served.host.hub.update_identity_profile(identity.id, profile_fields(profile), owner=owner)
    assert asked((await app.begin())["authorizationUri"])["hd"] == "example.test"


async def test_who_links_another_account_is_not_hinted_to_the_first(app: App) -> None:
    assert "login_hint" not in asked((await app.begin(purpose="link"))["authorizationUri"])


async def test_verify_completes_the_record_and_may_be_repeated(app: App, served: Running) -> None:
    begun = await app.begin()
    data = await app.visit(begun)
    for _ in range(2):
        answer = await app.verify(begun, data)
        assert (answer.status_code, answer.json()) == (
            200,
            {"verificationRecordId": begun["verificationRecordId"]},
        )
    assert served.provider.requests.count("token") == 2  # the sign-in, and this


async def test_of_two_verifications_at_once_one_sends_the_code(app: App, served: Running) -> None:
    begun = await app.begin()
    data = await app.visit(begun)
    answers = await asyncio.gather(*(app.verify(begun, data) for _ in range(5)))
    assert sorted({answer.status_code for answer in answers}) in ([200], [200, 400])
    assert served.provider.requests.count("token") == 2
    assert served.provider.families_revoked == 0


async def test_an_extra_redirect_uri_must_be_the_records(app: App) -> None:
    begun = await app.begin()
    data = await app.visit(begun)
    refused = await app.verify(begun, {**data, "redirectUri": OTHER_CALLBACK})
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_request")
    assert (await app.verify(begun, {**data, "redirectUri": CALLBACK})).status_code == 200


@pytest.mark.parametrize("state", [None, "another-state-of-somebody", 7])
async def test_the_state_must_be_the_records(app: App, served: Running, state: Any) -> None:
    begun = await app.begin()
    data: dict[str, Any] = {**await app.visit(begun), "state": state}
    refused = await app.verify(begun, data)
    assert (refused.status_code, refused.json()["code"]) == (400, "state_mismatch")
    assert served.provider.requests.count("token") == 1


async def test_a_record_is_looked_up_by_its_id_alone(app: App, served: Running) -> None:
    one, two = await app.begin(), await app.begin(purpose="reauthenticate")
    refused = await app.verify(two, await app.visit(one))
    assert (refused.status_code, refused.json()["code"]) == (400, "state_mismatch")
    assert served.provider.requests.count("token") == 1


async def test_a_record_of_another_person_is_not_there(app: App, served: Running) -> None:
    begun = await app.begin()
    data = await app.visit(begun)
    served.at_the_provider_sits(BOB)
    bob = await (await Page.signed_in(served)).token()
    before = served.provider.requests.count("token")
    theirs = await bob.verify(begun, data)
    nobodys = await bob.verify({"verificationRecordId": "x" * 43}, data)
    assert theirs.status_code == 404
    assert theirs.content == nobodys.content
    assert served.provider.requests.count("token") == before


async def test_a_record_ends_after_ten_minutes(app: App, served: Running, page: Page) -> None:
    begun = await app.begin()
    data = await app.visit(begun)
    served.clock.now += 601
    later = await page.token()
    refused = await later.verify(begun, data)
    assert (refused.status_code, refused.json()["code"]) == (400, "transaction_expired")


async def test_a_verified_record_ends_too(app: App, served: Running, page: Page) -> None:
    record = await app.verified(scope="calendar")
    served.clock.now += 601
    later = await page.token()
    refused = await later.fetch(
        "PATCH", "/my-account/identities/acme/access-token", {"socialVerificationId": record}
    )
    assert (refused.status_code, refused.json()["code"]) == (400, "transaction_expired")


async def test_a_denied_consent_is_told(app: App, served: Running) -> None:
    served.provider.denies_with = "access_denied"
    begun = await app.begin()
    refused = await app.verify(begun, await app.visit(begun))
    assert (refused.status_code, refused.json()["code"]) == (403, "access_denied")


@pytest.mark.parametrize(
    "changed",
    [
        "owner = 'user_2'",
        "tenant = 'other'",
        "connector = 'posting'",
        "redirect_uri = 'https://evil.test/callback'",
        "sealed = (SELECT sealed FROM host_verification_records ORDER BY created_at DESC LIMIT 1)",
    ],
)
async def test_a_record_that_was_moved_or_edited_opens_for_nobody(
    app: App, served: Running, changed: str
) -> None:
    record = await app.verified()
    served.clock.now += 1
    await app.begin()
    database = served.host.hub.database
    ((owner,), *_) = await database.fetch("SELECT owner FROM host_verification_records")
    first = "created_at = (SELECT MIN(created_at) FROM host_verification_records)"
    await database.run([(f"UPDATE host_verification_records SET {changed} WHERE {first}", {})])
    tenant = "other" if "tenant" in changed else "default"
    records = Records(database, clock=served.clock, tenant=tenant)
    with pytest.raises(StorageError, match="cannot be opened"):
        await records.find(record, owner="user_2" if "owner" in changed else owner)


async def test_nothing_of_a_record_is_readable_in_the_database(app: App, served: Running) -> None:
    record = await app.verified(scope="calendar")
    rows = await served.host.hub.database.fetch("SELECT * FROM host_verification_records")
    shown = repr(rows)
    assert record not in shown
    for secret in served.provider.ledger.issued:
        assert secret not in shown


class TestPurpose:
    async def test_ones_own_identity_is_for_tokens(self, app: App, served: Running) -> None:
        record = await app.verified(scope="calendar")
        linked = await app.fetch(
            "POST", "/my-account/identities", {"newIdentifierVerificationRecordId": record}
        )
        assert (linked.status_code, linked.json()["code"]) == (422, "verification_mismatch")

    async def test_an_unknown_identity_is_for_linking(self, app: App, served: Running) -> None:
        served.at_the_provider_sits(CAROL)
        record = await app.verified()
        refused = await app.fetch(
            "PATCH", "/my-account/identities/acme/access-token", {"socialVerificationId": record}
        )
        assert (refused.status_code, refused.json()["code"]) == (422, "verification_mismatch")
        linked = await app.fetch(
            "POST", "/my-account/identities", {"newIdentifierVerificationRecordId": record}
        )
        assert linked.status_code == 204
        assert linked.content == b""

    @pytest.mark.parametrize("purpose", [None, "link"])
    async def test_another_persons_identity_is_a_conflict(
        self, app: App, served: Running, purpose: str | None
    ) -> None:
        served.at_the_provider_sits(BOB)
        await Page.signed_in(served)
        begun = await app.begin(**({"purpose": purpose} if purpose else {}))
        refused = await app.verify(begun, await app.visit(begun))
        assert (refused.status_code, refused.json()["code"]) == (409, "identity_already_linked")

    @pytest.mark.parametrize("purpose", ["tokens", "reauthenticate"])
    @pytest.mark.parametrize("known", [True, False])
    async def test_a_step_up_with_another_account_is_a_mismatch_at_once(
        self, app: App, served: Running, purpose: str, known: bool
    ) -> None:
        served.at_the_provider_sits(BOB)
        if known:
            await Page.signed_in(served)
        begun = await app.begin(purpose=purpose)
        refused = await app.verify(begun, await app.visit(begun))
        assert (refused.status_code, refused.json()["code"]) == (422, "verification_mismatch")

    async def test_who_is_to_reauthenticate_is_asked_anew_and_nobody_else_is(
        self, app: App, served: Running
    ) -> None:
        begun = await app.begin(purpose="reauthenticate")
        sent = asked(begun["authorizationUri"])
        assert (sent["prompt"], sent["max_age"]) == ("login", "0")
        assert "max_age" not in asked((await app.begin())["authorizationUri"])
        data = await app.visit(begun)
        served.provider.ledger.grants[-2].auth_time -= 3600
        served.provider.ledger.grants[-1].auth_time -= 3600
        refused = await app.verify(begun, data)
        assert (refused.status_code, refused.json()["code"]) == (502, "id_token_invalid")

    @pytest.mark.parametrize("uri", [OTHER_CALLBACK, f"{BASE}/callback/posting"])
    async def test_linking_that_policy_forbids_is_not_begun(self, start_api: Open, uri: str) -> None:
        running = await start_api(posting='linking = "never"')
        app = await (await Page.signed_in(running)).token()
        body = {"connectorId": "posting", "redirectUri": uri, "purpose": "link"}
        refused = await app.fetch("POST", "/api/verification/social", body)
        unknown = await app.fetch("POST", "/api/verification/social", {**body, "connectorId": "nobody"})
        assert (refused.status_code, refused.json()["code"]) == (404, "not_found")
        assert refused.content == unknown.content
        assert await running.host.hub.database.fetch("SELECT * FROM host_verification_records") == []

    async def test_what_could_only_link_is_not_begun_either(self, start_api: Open) -> None:
        running = await start_api(posting='linking = "never"')
        app = await (await Page.signed_in(running)).token()
        body = {"connectorId": "posting", "redirectUri": OTHER_CALLBACK}
        refused = await app.fetch("POST", "/api/verification/social", body)
        assert (refused.status_code, refused.json()["code"]) == (404, "not_found")
        assert await running.host.hub.database.fetch("SELECT * FROM host_verification_records") == []
        assert (await app.begin())["verificationRecordId"]

    async def test_an_unknown_purpose_is_refused(self, app: App) -> None:
        body = {"connectorId": "acme", "redirectUri": CALLBACK, "purpose": "sign_in"}
        refused = await app.fetch("POST", "/api/verification/social", body)
        assert (refused.status_code, refused.json()["code"]) == (400, "invalid_request")

    async def test_a_step_up_needs_an_identity(self, app: App) -> None:
        body = {"connectorId": "posting", "redirectUri": CALLBACK, "purpose": "tokens"}
        refused = await app.fetch("POST", "/api/verification/social", body)
        assert (refused.status_code, refused.json()["code"]) == (404, "identity_not_found")


class TestRedirectUris:
    @pytest.mark.parametrize(
        "uri",
        [
            "https://yourapp.com/callback/",
            "https://yourapp.com/callback?x=1",
            "https://YOURAPP.com/callback",
            "https://evil.test/callback",
            f"{BASE}/callback/posting",
            f"{BASE}/callback/acme/",
            "//yourapp.com/callback",
            "javascript:alert(1)",
        ],
    )
    async def test_only_an_applications_exact_string_is_taken(self, app: App, uri: str) -> None:
        body = {"connectorId": "acme", "redirectUri": uri}
        refused = await app.fetch("POST", "/api/verification/social", body)
        assert (refused.status_code, refused.json()["code"]) == (400, "invalid_request")
        assert "evil" not in refused.text

    async def test_one_uri_does_not_serve_two_connectors_that_do_not_name_themselves(self, app: App) -> None:
        await app.begin()
        body = {"connectorId": "posting", "redirectUri": CALLBACK}
        refused = await app.fetch("POST", "/api/verification/social", body)
        assert refused.status_code == 422
        assert "acme" in refused.json()["detail"]
        assert "posting" in refused.json()["detail"]
        answer = await app.fetch("POST", "/api/verification/social", {**body, "redirectUri": OTHER_CALLBACK})
        assert answer.status_code == 201

    @pytest.mark.parametrize("denied", [False, True])
    async def test_nobody_holds_a_uri_where_no_verification_succeeded(
        self, app: App, page: Page, served: Running, denied: bool
    ) -> None:
        body = {"connectorId": "posting", "redirectUri": CALLBACK}
        begun = await app.begin()
        if denied:
            data = {**await app.visit(begun), "code": "not-a-code-of-the-provider"}
            assert not (await app.verify(begun, data)).is_success
        for seconds, status in ((599, 422), (2, 201)):
            served.clock.now += seconds
            app = await page.token()
            assert (await app.fetch("POST", "/api/verification/social", body)).status_code == status

    async def test_a_stranger_takes_no_uri_from_where_a_verification_succeeded_once(
        self, app: App, page: Page, served: Running
    ) -> None:
        await app.verified()
        served.at_the_provider_sits(BOB)
        served.clock.now += 7200
        bob = await (await Page.signed_in(served)).token()
        body = {"connectorId": "posting", "redirectUri": CALLBACK}
        refused = await bob.fetch("POST", "/api/verification/social", body)
        assert refused.status_code == 422
        assert "acme" in refused.json()["detail"]
        assert "posting" in refused.json()["detail"]
        await (await page.token()).begin()

    @pytest.mark.parametrize("renewed", [False, True])
    async def test_a_uri_is_free_for_another_after_ninety_days_without_a_success(
        self, app: App, served: Running, renewed: bool
    ) -> None:
        await app.verified()
        body = {"connectorId": "posting", "redirectUri": CALLBACK}
        for seconds, status in ((90 * 86400 - 1, 422), (2, 422 if renewed else 201)):
            served.clock.now += seconds
            app = await (await Page.signed_in(served)).token()
            assert (await app.fetch("POST", "/api/verification/social", body)).status_code == status
            if renewed:
                await app.verified()

    async def test_a_holder_that_is_off_holds_nothing_when_it_is_back_either(
        self, app: App, start_api: Open
    ) -> None:
        await app.verified()
        off = await start_api(acme="token_storage = true\nenabled = false")
        off.clock.now += 601
        assert await off.host.records.holder(CALLBACK) == "acme"
        app = await (await Page.signed_in(off, "posting")).token()
        await app.verified(connectorId="posting")
        assert await off.host.records.holder(CALLBACK) == "posting"
        on = await start_api()
        on.clock.now += 1202
        app = await (await Page.signed_in(on)).token()
        body = {"connectorId": "acme", "redirectUri": CALLBACK}
        assert (await app.fetch("POST", "/api/verification/social", body)).status_code == 422

    async def test_a_holder_that_sends_iss_now_shares_with_others_that_do(
        self, app: App, start_api: Open
    ) -> None:
        await app.verified()
        running = await start_api()
        running.provider.callback_iss = "announced"
        running.clock.now += 601
        app = await (await Page.signed_in(running)).token()
        await app.verified(connectorId="posting", purpose="link")
        assert await running.host.records.holder(CALLBACK) == "acme"
        await app.verified()

    async def test_one_that_succeeds_late_takes_the_uri_from_no_holder(self, served: Running) -> None:
        """As two that shared it can, when one is left by the other and by the configuration."""
        records = served.host.records
        for connector in ("acme", "posting"):
            record = await records.create(
                record_id=connector,
                owner="alice",
                connector=connector,
                redirect_uri=CALLBACK,
                purpose=Purpose.TOKENS,
                content={},
                names_itself=True,
                beside="acme",
            )
            assert await records.verify(record, purpose=Purpose.TOKENS, content={})
            assert not await records.verify(record, purpose=Purpose.TOKENS, content={})
        assert await records.holder(CALLBACK) == "acme"
        await records.release(CALLBACK, holder="posting")
        assert await records.holder(CALLBACK) == "acme"
        await records.release(CALLBACK, holder="acme")
        assert not await records.verify(record, purpose=Purpose.TOKENS, content={})
        assert await records.holder(CALLBACK) is None

    async def test_of_two_connectors_at_once_one_gets_the_uri(self, app: App) -> None:
        bodies = [{"connectorId": name, "redirectUri": CALLBACK} for name in ("acme", "posting")] * 3
        answers = await asyncio.gather(
            *(app.fetch("POST", "/api/verification/social", body) for body in bodies)
        )
        got = {body["connectorId"] for body, answer in zip(bodies, answers, strict=True) if answer.is_success}
        assert len(got) == 1
        assert sorted(answer.status_code for answer in answers) == [201, 201, 201, 422, 422, 422]

    async def test_nobody_awaits_one_provider_where_another_person_awaits_another(
        self, app: App, served: Running
    ) -> None:
        """Else the one provider could send Bob on to the other with the state of his record and the
        challenge of Alice's, and hand her the code that the host brings it."""
        await app.begin()
        served.at_the_provider_sits(BOB)
        bob = await (await Page.signed_in(served)).token()
        body = {"connectorId": "posting", "redirectUri": CALLBACK}
        assert (await bob.fetch("POST", "/api/verification/social", body)).status_code == 422

    async def test_who_only_begins_takes_no_uri_from_where_others_come_back(
        self, app: App, page: Page, served: Running
    ) -> None:
        await app.begin(connectorId="posting")
        served.clock.now += 601
        app = await page.token()
        await app.verified()
        served.at_the_provider_sits(BOB)
        bob = await (await Page.signed_in(served)).token()
        for connector, status in (("posting", 422), ("acme", 201)):
            body = {"connectorId": connector, "redirectUri": CALLBACK}
            answer = await bob.fetch("POST", "/api/verification/social", body)
            assert answer.status_code == status

    async def test_connectors_that_send_iss_may_share(self, start_api: Open) -> None:
        running = await start_api()
        running.provider.callback_iss = "announced"
        app = await (await Page.signed_in(running)).token()
        await app.verified()
        answer = await app.fetch(
            "POST", "/api/verification/social", {"connectorId": "posting", "redirectUri": CALLBACK}
        )
        assert answer.status_code == 201


class TestClientState:
    STATE = "a-state-of-the-clients-own"

    async def test_it_travels_in_place_of_ours(self, app: App) -> None:
        begun = await app.begin(state=self.STATE)
        data = await app.visit(begun)
        assert data["state"] == self.STATE
        assert (await app.verify(begun, data)).status_code == 200

    async def test_it_is_unique_among_pending_ones(self, app: App, served: Running) -> None:
        begun = await app.begin(state=self.STATE)
        served.at_the_provider_sits(BOB)
        bob = await (await Page.signed_in(served)).token()
        body = {"connectorId": "acme", "redirectUri": CALLBACK, "state": self.STATE}
        refused = await bob.fetch("POST", "/api/verification/social", body)
        assert (refused.status_code, refused.json()["code"]) == (400, "invalid_request")
        served.provider.people = {"alice-1": Person()}
        assert (await app.verify(begun, await app.visit(begun))).status_code == 200
        assert (await bob.fetch("POST", "/api/verification/social", body)).status_code == 201

    async def test_it_is_free_again_when_the_record_has_expired(
        self, app: App, served: Running, page: Page
    ) -> None:
        await app.begin(state=self.STATE)
        served.clock.now += 601
        await (await page.token()).begin(state=self.STATE)

    @pytest.mark.parametrize("state", ["x" * 15, "x" * 513, "sixteen-and-\n-more", "ä" * 16, 16, ["x" * 16]])
    async def test_its_form_is_checked(self, app: App, state: Any) -> None:
        body = {"connectorId": "acme", "redirectUri": CALLBACK, "state": state}
        refused = await app.fetch("POST", "/api/verification/social", body)
        assert (refused.status_code, refused.json()["code"]) == (400, "invalid_request")

    @pytest.mark.parametrize("length", [16, 512])
    async def test_its_limits_are_within(self, app: App, length: int) -> None:
        await app.begin(state="s" * length)


class TestHostsOwnCallback:
    OWN = f"{BASE}/callback/acme"

    async def test_a_state_of_the_clients_is_refused_for_nothing_hands_it_back(self, app: App) -> None:
        body = {"connectorId": "acme", "redirectUri": self.OWN, "state": TestClientState.STATE}
        refused = await app.fetch("POST", "/api/verification/social", body)
        assert (refused.status_code, refused.json()["code"]) == (400, "invalid_request")
        assert "state" in refused.json()["detail"]

    async def test_the_host_completes_by_itself(self, app: App, page: Page) -> None:
        begun = await app.begin(redirectUri=self.OWN, scope="calendar")
        assert begun["authorizationUri"].startswith(f"{BASE}/continue/")
        pending = await app.verify(begun, {})
        assert (pending.status_code, pending.json()["code"]) == (422, "verification_pending")
        gone = await page.browser.get(begun["authorizationUri"])
        assert gone.status_code == 302
        assert "calendar" in asked(gone.headers["location"])["scope"]
        back = await page.browser.come_back(gone)
        assert back.status_code == 200
        assert "Acme has answered" in back.text
        assert (await app.verify(begun, {})).status_code == 200

    async def test_a_posted_answer_completes_it_too(self, served: Running) -> None:
        page = await Page.signed_in(served, "posting")
        app = await page.token()
        begun = await app.begin(connectorId="posting", redirectUri=f"{BASE}/callback/posting")
        gone = await page.browser.get(begun["authorizationUri"])
        assert (await page.browser.come_back(gone)).status_code == 200
        assert (await app.verify(begun, {})).status_code == 200

    async def test_nobody_else_may_follow_the_address(self, app: App, page: Page, served: Running) -> None:
        begun = await app.begin(redirectUri=self.OWN)
        stranger = await served.browser().get(begun["authorizationUri"])
        assert stranger.status_code == 401
        served.at_the_provider_sits(BOB)
        bob = await Page.signed_in(served)
        refused = await bob.browser.get(begun["authorizationUri"])
        unknown = await bob.browser.get("/continue/nothing~nothing")
        assert refused.status_code == 404
        assert refused.text == unknown.text
        # It was not used up by them.
        assert (await page.browser.get(begun["authorizationUri"])).status_code == 302
        assert (await page.browser.get(begun["authorizationUri"])).status_code == 404

    async def test_the_callback_is_held_to_the_session_before_any_token_request(
        self, app: App, page: Page, served: Running
    ) -> None:
        begun = await app.begin(redirectUri=self.OWN)
        gone = await page.browser.get(begun["authorizationUri"])
        before = served.provider.requests.count("token")
        await page.browser.post("/sign-out")
        refused = await page.browser.come_back(gone)
        assert refused.status_code == 409
        assert "owner_mismatch" in refused.text
        assert served.provider.requests.count("token") == before

    async def test_somebody_elses_session_in_the_same_browser_is_refused(
        self, app: App, page: Page, served: Running
    ) -> None:
        begun = await app.begin(redirectUri=self.OWN)
        gone = await page.browser.get(begun["authorizationUri"])
        await page.browser.post("/sign-out")
        served.at_the_provider_sits(BOB)
        await page.browser.sign_in()
        before = served.provider.requests.count("token")
        refused = await page.browser.come_back(gone)
        assert refused.status_code == 409
        assert served.provider.requests.count("token") == before

    async def test_with_an_applications_uri_the_host_never_completes_by_itself(
        self, app: App, page: Page, served: Running
    ) -> None:
        begun = await app.begin()
        data = await app.visit(begun)
        before = served.provider.requests.count("token")
        refused = await page.browser.get("/callback/acme", query=data)
        assert refused.status_code == 400
        assert "state_mismatch" in refused.text
        assert served.provider.requests.count("token") == before
        assert (await app.verify(begun, data)).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"connectorId": 1}',
        b'{"connectorId": "acme", "connectorId": "acme"}',
        b'{"connectorId": NaN}',
        b'{"connectorId": "acme"}',
        b'{"redirectUri": "https://yourapp.com/callback"}',
        b"\xff\xfe",
        b"[" * 50000,
        b'{"connectorId": "acme", "redirectUri": "\\ud800"}',
        b'{"connectorId": "acme", "redirectUri": "https://yourapp.com/callback", "scope": 1}',
    ],
)
async def test_a_malformed_body_is_refused(app: App, body: bytes) -> None:
    refused = await app.fetch("POST", "/api/verification/social", body)
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_request")


async def test_a_body_that_is_too_long_is_refused(app: App) -> None:
    refused = await app.fetch("POST", "/api/verification/social", b" " * 70000)
    assert refused.status_code == 413


async def test_a_scope_with_strange_characters_is_refused(app: App) -> None:
    body = {"connectorId": "acme", "redirectUri": CALLBACK, "scope": 'a "b"'}
    refused = await app.fetch("POST", "/api/verification/social", body)
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_scope")


async def test_an_unknown_connector_is_not_found(app: App) -> None:
    body = {"connectorId": "nobody", "redirectUri": CALLBACK}
    assert (await app.fetch("POST", "/api/verification/social", body)).status_code == 404
