"""Reading stored access tokens, by the person's own application and by applications without the person."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from connectors_core import hookspecs
from connectors_core.events import Event
from connectors_core.testing.provider import Person
from tests.host.api.conftest import App, Open, Page, api_of
from tests.host.conftest import BOB, Running

TOKEN = "/my-account/identities/acme/access-token"


@pytest.fixture
async def page(served: Running) -> Page:
    return await Page.signed_in(served)


@pytest.fixture
async def app(page: Page) -> App:
    return await page.token()


async def test_a_token_comes_in_both_spellings_with_one_value(app: App, served: Running) -> None:
    answer = await app.fetch("GET", TOKEN)
    said = answer.json()
    assert answer.status_code == 200
    assert sorted(said) == [
        *("accessToken", "access_token", "expires_at", "expires_in", "scope", "token_type")
    ]
    assert said["access_token"] == said["accessToken"]
    assert said["token_type"] == "Bearer"
    assert said["expires_in"] == 3600
    assert said["expires_at"] == served.clock.now + 3600
    assert api_of(served, said["access_token"], "email") == 200


async def test_there_is_no_lifetime_where_the_provider_gives_none(start_api: Open) -> None:
    running = await start_api()
    with running.provider.deviate("token_endpoint.expires-in-missing"):
        app = await (await Page.signed_in(running)).token()
    said = (await app.fetch("GET", TOKEN)).json()
    assert "expires_in" not in said
    assert "expires_at" not in said


async def test_it_is_for_fetch_on_this_host_alone(app: App, page: Page) -> None:
    answer = await app.fetch("GET", TOKEN)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    for destination in ("document", "iframe", "script", "image"):
        refused = await page.fetch("GET", TOKEN, headers={"Sec-Fetch-Dest": destination})
        assert (refused.status_code, refused.json()["code"]) == (403, "csrf_failed")
        assert refused.headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/my-account/identities/nothing/access-token", 404),
        ("/api/my-account/identities/nothing/access-token", 404),
        ("/api/users/user_0/identities/acme/access-token", 401),
    ],
)
async def test_its_refusals_are_for_this_host_alone_too(page: Page, path: str, status: int) -> None:
    refused = await page.fetch("GET", path)
    assert refused.status_code == status
    assert refused.headers["cross-origin-resource-policy"] == "same-origin"
    assert refused.headers["cache-control"] == "no-store"
    document = await page.fetch("GET", path, headers={"Sec-Fetch-Dest": "document", "Accept": "text/html"})
    assert document.status_code == 403
    assert "csrf_failed" in document.text
    assert document.headers["cross-origin-resource-policy"] == "same-origin"
    unsupported = await page.fetch("POST", path)
    assert unsupported.status_code == 405
    assert unsupported.headers["cross-origin-resource-policy"] == "same-origin"


async def test_a_page_of_the_host_needs_its_token_even_to_read(page: Page) -> None:
    assert (await page.fetch("GET", TOKEN)).status_code == 200
    for headers in ({"X-CSRF-Token": None}, {"X-CSRF-Token": "x"}, {"Sec-Fetch-Site": "same-site"}):
        refused = await page.fetch("GET", TOKEN, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (403, "csrf_failed")


async def test_min_ttl_refreshes_before_it_is_due(app: App, page: Page, served: Running) -> None:
    first = (await app.fetch("GET", TOKEN)).json()["access_token"]
    served.clock.now += 3000
    app = await page.token()
    assert (await app.fetch("GET", TOKEN)).json()["access_token"] == first
    again = (await app.fetch("GET", TOKEN, min_ttl="1800")).json()
    assert again["access_token"] != first
    assert again["expires_in"] >= 1800


@pytest.mark.parametrize("min_ttl", ["-1", "x", "nan", "inf", "86401", ""])
async def test_a_min_ttl_that_is_none_is_refused(app: App, min_ttl: str) -> None:
    refused = await app.fetch("GET", TOKEN, min_ttl=min_ttl)
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_request")


async def test_a_missing_scope_is_named(app: App) -> None:
    refused = await app.fetch("GET", TOKEN, scope="email calendar")
    assert (refused.status_code, refused.json()["code"], refused.json()["missing"]) == (
        403,
        "scope_required",
        ["calendar"],
    )


async def test_a_dead_grant_says_why(app: App, page: Page, served: Running) -> None:
    for grant in served.provider.ledger.grants:
        grant.revoked = "by the person"
    served.clock.now += 3700
    app = await page.token()
    refused = await app.fetch("GET", TOKEN)
    problem = refused.json()
    assert (refused.status_code, problem["code"], problem["reason"]) == (
        403,
        "reauthorization_required",
        "invalid_grant",
    )


async def test_what_is_not_there_looks_the_same_for_everybody(app: App, served: Running) -> None:
    served.at_the_provider_sits(BOB)
    bob = await Page.signed_in(served)
    owner = (await bob.look())["claims"]["sub"]
    theirs = (await served.host.hub.identities(owner))[0].id
    answers = [
        await app.fetch("GET", TOKEN, identity=theirs),
        await app.fetch("GET", TOKEN, identity="identity_of-nobody"),
        await app.fetch("GET", "/my-account/identities/posting/access-token"),
        await app.fetch("GET", "/my-account/identities/nothing/access-token"),
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1
    assert answers[0].json()["code"] == "identity_not_found"


async def test_a_connector_that_stores_nothing_says_so(start_api: Open) -> None:
    app = await (await Page.signed_in(await start_api(acme=""))).token()
    refused = await app.fetch("GET", TOKEN)
    assert (refused.status_code, refused.json()["code"]) == (422, "token_storage_disabled")
    record = await app.verified(scope="calendar")
    refused = await app.fetch("PATCH", TOKEN, {"socialVerificationId": record})
    assert (refused.status_code, refused.json()["code"]) == (422, "token_storage_disabled")


class TestUpdate:
    async def test_a_record_widens_the_grant_once(self, app: App, served: Running) -> None:
        record = await app.verified(scope="calendar")
        answer = await app.fetch("PATCH", TOKEN, {"socialVerificationId": record})
        assert answer.status_code == 200
        assert {"calendar", "email"} <= set(answer.json()["scope"].split())
        assert api_of(served, answer.json()["accessToken"], "calendar") == 200
        again = await app.fetch("PATCH", TOKEN, {"socialVerificationId": record})
        assert (again.status_code, again.json()["code"]) == (400, "transaction_consumed")

    async def test_of_two_at_once_one_uses_the_record(self, app: App) -> None:
        record = await app.verified(scope="calendar")
        answers = await asyncio.gather(
            *(app.fetch("PATCH", TOKEN, {"socialVerificationId": record}) for _ in range(4))
        )
        assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]

    @pytest.mark.parametrize("method", ["PATCH", "PUT"])
    @pytest.mark.parametrize("prefix", ["", "/api"])
    @pytest.mark.parametrize("name", ["socialVerificationId", "verificationRecordId", "verificationId"])
    async def test_every_spelling_is_understood(self, app: App, method: str, prefix: str, name: str) -> None:
        record = await app.verified(scope="calendar")
        assert (await app.fetch(method, prefix + TOKEN, {name: record})).status_code == 200

    async def test_two_spellings_with_two_values_are_refused(self, app: App) -> None:
        record = await app.verified(scope="calendar")
        body = {"socialVerificationId": record, "verificationId": "x"}
        refused = await app.fetch("PATCH", TOKEN, body)
        assert (refused.status_code, refused.json()["code"]) == (400, "invalid_request")

    async def test_a_pending_record_is_no_proof(self, app: App) -> None:
        begun = await app.begin(scope="calendar")
        body = {"socialVerificationId": begun["verificationRecordId"]}
        refused = await app.fetch("PATCH", TOKEN, body)
        assert (refused.status_code, refused.json()["code"]) == (422, "verification_pending")

    async def test_another_persons_record_is_not_there(self, app: App, served: Running) -> None:
        record = await app.verified(scope="calendar")
        served.at_the_provider_sits(BOB)
        bob = await (await Page.signed_in(served)).token()
        refused = await bob.fetch("PATCH", TOKEN, {"socialVerificationId": record})
        unknown = await bob.fetch("PATCH", TOKEN, {"socialVerificationId": "x" * 43})
        assert refused.status_code == 404
        assert refused.content == unknown.content
        assert (await app.fetch("PATCH", TOKEN, {"socialVerificationId": record})).status_code == 200

    async def test_a_record_of_another_target_does_not_fit(self, app: App, served: Running) -> None:
        served.at_the_provider_sits(Person(sub="alice-2", claims={"name": "Alice Two"}))
        record = await app.verified(
            connectorId="posting", redirectUri="https://yourapp.com/other", purpose="link"
        )
        linked = await app.fetch(
            "POST", "/my-account/identities", {"newIdentifierVerificationRecordId": record}
        )
        assert linked.status_code == 204
        served.at_the_provider_sits(Person())
        record = await app.verified(scope="calendar")
        refused = await app.fetch(
            "PATCH", "/my-account/identities/posting/access-token", {"socialVerificationId": record}
        )
        assert (refused.status_code, refused.json()["code"]) == (422, "verification_mismatch")

    async def test_a_record_serves_again_when_storing_failed(
        self, app: App, served: Running, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from connectors_core.errors import KeyUnavailable

        record = await app.verified(scope="calendar")
        with monkeypatch.context() as patch:

            async def fails(*_: object) -> None:
                raise KeyUnavailable("the key cannot be reached")

            patch.setattr(served.host.hub, "save_tokens", fails)
            refused = await app.fetch("PATCH", TOKEN, {"socialVerificationId": record})
            assert refused.status_code == 503
        assert (await app.fetch("PATCH", TOKEN, {"socialVerificationId": record})).status_code == 200


class TestApplications:
    """Client credentials of an application that may read tokens."""

    @pytest.fixture
    async def owner(self, page: Page) -> str:
        return str((await page.look())["claims"]["sub"])

    @staticmethod
    async def read(
        page: Page, owner: str, *, auth: tuple[str, str] | None, target: str = "acme", **query: str
    ) -> httpx.Response:
        header = httpx.BasicAuth(*auth)._auth_header if auth else None
        headers = {"Accept": "*/*", **({"Authorization": header} if header else {})}
        path = f"/api/users/{owner}/identities/{target}/access-token"
        return await page.send("GET", path, None, headers, query)

    CALENDAR = ("calendar", "not-a-secret-of-anybody")

    @contextmanager
    def events(self, served: Running) -> Iterator[list[Event]]:
        seen: list[Event] = []

        class Observer:
            @hookspecs.hookimpl
            def observe(self, event: Event) -> None:
                seen.append(event)

        served.host.configuration.registry.plugins.register(Observer())
        yield seen

    async def test_it_reads_without_the_persons_session_and_the_reading_is_told(
        self, page: Page, owner: str, served: Running
    ) -> None:
        await page.browser.post("/sign-out")
        with self.events(served) as seen:
            answer = await self.read(page, owner, auth=self.CALENDAR)
        assert answer.status_code == 200
        assert api_of(served, answer.json()["access_token"], "email") == 200
        told = [event for event in seen if event.name == "tokens.read"]
        assert [(event.owner, event.target, event.detail) for event in told] == [
            (owner, "acme", {"app": "calendar", "outcome": "served"})
        ]
        assert answer.json()["access_token"] not in repr(seen)

    @pytest.mark.parametrize(
        "auth",
        [
            None,
            ("calendar", "wrong"),
            ("calendar", ""),
            ("nobody", "not-a-secret-of-anybody"),
            ("", ""),
        ],
    )
    async def test_bad_credentials_all_look_the_same(
        self, page: Page, owner: str, auth: tuple[str, str] | None
    ) -> None:
        refused = await self.read(page, owner, auth=auth)
        assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")
        assert refused.headers["www-authenticate"].startswith("Basic ")
        assert refused.json()["detail"] == "the application's credentials are not good"

    async def test_only_listed_targets(self, page: Page, owner: str) -> None:
        for auth, target in ((self.CALENDAR, "posting"), (("nosy", "another-secret-of-nobody"), "acme")):
            refused = await self.read(page, owner, auth=auth, target=target)
            assert (refused.status_code, refused.json()["code"]) == (403, "insufficient_scope")

    async def test_a_listed_target_is_no_way_to_the_grant_of_one_that_is_not(self, start_api: Open) -> None:
        shared = 'token_storage = true\nidentity_group = "one"'
        running = await start_api(acme=shared, posting=shared)
        for connector, status in (("posting", 403), ("acme", 200)):
            page = await Page.signed_in(running, connector)
            owner = str((await page.look())["claims"]["sub"])
            with self.events(running) as seen:
                answer = await self.read(page, owner, auth=self.CALENDAR)
            assert answer.status_code == status
            if status == 403:
                assert answer.json()["code"] == "insufficient_scope"
                assert answer.headers["www-authenticate"].startswith("Basic ")
                (told,) = [event for event in seen if event.name == "tokens.read"]
                assert told.detail == {"app": "calendar", "outcome": "insufficient_scope"}

    async def test_unknown_people_look_like_those_without_the_identity(
        self, page: Page, owner: str, served: Running
    ) -> None:
        served.at_the_provider_sits(BOB)
        bob = await Page.signed_in(served, "posting")
        without = str((await bob.look())["claims"]["sub"])
        answers = [await self.read(page, each, auth=self.CALENDAR) for each in ("user_0", without)]
        assert {answer.status_code for answer in answers} == {404}
        assert len({answer.content for answer in answers}) == 1

    async def test_a_persons_token_is_no_credential_here(self, app: App, owner: str) -> None:
        refused = await app.fetch("GET", f"/api/users/{owner}/identities/acme/access-token")
        assert refused.status_code == 401
