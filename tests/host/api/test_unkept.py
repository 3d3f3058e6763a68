"""Grants that were fetched and are not kept: revoked, where no live grant would go with them."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from connectors_host.hookspecs import Action, Deny, SignIn, hookimpl

from connectors_core.errors import KeyUnavailable
from connectors_core.testing.provider import Person
from tests.host.api.conftest import App, Open, Page
from tests.host.conftest import BOB, Browser, Running

STORES = "token_storage = true"
TRUSTED = f'{STORES}\nemail_domains = ["example.test"]'
CLAIMS = {"name": "Alice Example", "email": "alice@example.test", "email_verified": True}
SECOND = Person(sub="alice-2", claims=CLAIMS)


async def standing(running: Running, sub: str) -> int:
    """How many grants of that person stand at the provider, once it was told what is due."""
    await running.host.hub.drain_revocations()
    grants = running.provider.ledger.grants
    return sum(grant.person.sub == sub and not grant.revoked for grant in grants)


def fields(text: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]+)">', text))


async def meet_bob(running: Running) -> tuple[Browser, dict[str, str]]:
    browser = (await Page.signed_in(running)).browser
    running.at_the_provider_sits(BOB)
    page = await browser.sign_in()
    assert page.status_code == 200
    return browser, fields(page.text)


async def asked(start_api: Open, **options: Any) -> tuple[Running, Browser, dict[str, str]]:
    """Alice has an account; in a new browser a second account of hers brings her address."""
    running = await start_api(acme=TRUSTED, posting=TRUSTED, **options)
    await Page.signed_in(running)
    running.at_the_provider_sits(SECOND)
    browser = running.browser()
    page = await browser.sign_in("posting")
    assert page.status_code == 409
    return running, browser, fields(page.text)


async def test_who_stays_gives_the_other_account_s_grant_back(served: Running) -> None:
    browser, form = await meet_bob(served)
    assert await standing(served, "bob-1") == 1
    await browser.post("/switch", form={**form, "choice": "stay"})
    assert await standing(served, "bob-1") == 0
    assert await standing(served, "alice-1") == 1


async def test_who_stays_takes_nothing_from_the_other_person_s_live_grant(served: Running) -> None:
    served.at_the_provider_sits(BOB)
    await Page.signed_in(served)
    served.at_the_provider_sits(Person())
    browser, form = await meet_bob(served)
    await browser.post("/switch", form={**form, "choice": "stay"})
    served.clock.now += 601
    assert await standing(served, "bob-1") == 2


async def test_what_nobody_decides_is_given_back_when_its_time_is_up(served: Running) -> None:
    await meet_bob(served)
    served.clock.now += 599
    assert await standing(served, "bob-1") == 1
    served.clock.now += 62
    assert await standing(served, "bob-1") == 0


class Slow:
    """Asks a directory that takes its time; the ten minutes end meanwhile, and the revocations go out."""

    def __init__(self) -> None:
        self.running: Running | None = None
        self.stood = 0

    @hookimpl
    def admit_sign_in(self, event: SignIn) -> None:
        if self.running is not None and event.action is Action.SIGN_UP:
            self.running.clock.now += 5
            self.stood = asyncio.run_coroutine_threadsafe(standing(self.running, "bob-1"), self.loop).result(
                5
            )

    def watch(self, running: Running) -> None:
        self.running, self.loop = running, asyncio.get_running_loop()


async def test_what_is_decided_at_the_end_of_the_time_is_not_given_back_meanwhile(start_api: Open) -> None:
    slow = Slow()
    running = await start_api(plugins=[slow])
    browser, form = await meet_bob(running)
    slow.watch(running)
    running.clock.now += 599
    done = await browser.post("/switch", form={**form, "choice": "switch"})
    assert (done.status_code, slow.stood) == (303, 1)
    running.clock.now += 61
    assert await standing(running, "bob-1") == 1


async def test_what_was_decided_stays_good(served: Running) -> None:
    browser, form = await meet_bob(served)
    await browser.post("/switch", form={**form, "choice": "switch"})
    served.clock.now += 661
    assert await standing(served, "bob-1") == 1


async def test_skipping_gives_the_grant_back_and_linking_keeps_it(start_api: Open) -> None:
    for choice, stands in (("skip", 0), ("link", 1)):
        running, browser, _ = await asked(start_api, database="sqlite://")
        running.at_the_provider_sits(Person(claims=CLAIMS))
        question = await browser.sign_in("acme")
        done = await browser.post("/linking", form={**fields(question.text), "choice": choice})
        assert done.status_code == 303
        assert await standing(running, "alice-2") == stands
        running.clock.now += 661
        assert await standing(running, "alice-2") == stands
        assert await standing(running, "alice-1") == 2


async def test_somebody_else_who_signs_in_meanwhile_leaves_it_to_nobody(start_api: Open) -> None:
    running, browser, _ = await asked(start_api)
    running.at_the_provider_sits(BOB)
    assert (await browser.sign_in("acme")).status_code == 302
    assert await standing(running, "alice-2") == 0


async def test_a_program_that_is_told_linking_required_leaves_no_grant(start_api: Open) -> None:
    running, _, _ = await asked(start_api)
    running.at_the_provider_sits(Person(sub="alice-3", claims=CLAIMS))
    browser = running.browser()
    started = await browser.begin("posting")
    landing = await running.provider.visit(started.headers["location"])
    kept = await browser.post("/callback/posting", form=dict(landing.parameters), cookies=False)
    answer = await browser.get(kept.headers["location"], headers={"Accept": "application/json"})
    assert answer.json()["code"] == "linking_required"
    assert await standing(running, "alice-3") == 0


async def test_who_begins_an_account_of_their_own_keeps_it(start_api: Open) -> None:
    running, browser, form = await asked(start_api)
    assert (await browser.post("/linking", form={**form, "choice": "new"})).status_code == 303
    running.clock.now += 661
    assert await standing(running, "alice-2") == 1


class Denying:
    """Lets in whom it knows."""

    def __init__(self) -> None:
        self.known = {"alice-1"}

    @hookimpl
    def admit_sign_in(self, event: Any) -> Deny | None:
        return None if event.subject in self.known else Deny("not on the list")


async def test_whom_a_plugin_denies_leaves_no_grant(start_api: Open) -> None:
    running = await start_api(plugins=[Denying()])
    running.at_the_provider_sits(BOB)
    assert (await running.browser().sign_in()).status_code == 403
    assert await standing(running, "bob-1") == 0


async def test_whom_a_plugin_denies_later_keeps_what_is_live(start_api: Open) -> None:
    plugin = Denying()
    running = await start_api(plugins=[plugin])
    await Page.signed_in(running)
    plugin.known.clear()
    assert (await running.browser().sign_in()).status_code == 403
    assert await standing(running, "alice-1") == 2


async def test_a_stranger_where_sign_up_is_closed_leaves_no_grant(start_api: Open) -> None:
    running = await start_api(host="sign_up = false")
    assert (await running.browser().sign_in()).status_code == 403
    assert await standing(running, "alice-1") == 0


@pytest.mark.parametrize("purpose", ["tokens", "reauthenticate"])
async def test_another_account_s_answer_to_a_step_up_is_given_back(served: Running, purpose: str) -> None:
    app = await (await Page.signed_in(served)).token()
    served.at_the_provider_sits(BOB)
    begun = await app.begin(purpose=purpose)
    refused = await app.verify(begun, await app.visit(begun))
    assert refused.json()["code"] == "verification_mismatch"
    assert await standing(served, "bob-1") == 0
    assert await standing(served, "alice-1") == 1


async def test_another_account_s_answer_to_a_reconnect_is_given_back(served: Running) -> None:
    browser = (await Page.signed_in(served)).browser
    owner = (await browser.user())["claims"]["sub"]
    (identity,) = await served.host.hub.identities(owner)
    gone = await browser.begin_at_account("/account/reconnect", identity=identity.id)
    served.at_the_provider_sits(BOB)
    page = await browser.come_back(gone)
    assert (page.status_code, "verification_mismatch" in page.text) == (422, True)
    assert await standing(served, "bob-1") == 0
    assert await standing(served, "alice-1") == 1


class TestRecords:
    async def test_one_that_is_not_used_is_given_back_when_it_ends(self, served: Running) -> None:
        app = await (await Page.signed_in(served)).token()
        served.at_the_provider_sits(BOB)
        await app.verified(purpose="link")
        assert await standing(served, "bob-1") == 1
        served.clock.now += 661
        assert await standing(served, "bob-1") == 0
        assert await standing(served, "alice-1") == 1

    async def test_one_that_is_not_used_outlives_no_account(self, served: Running) -> None:
        app = await (await Page.signed_in(served)).token()
        await app.verified(scope="calendar")
        served.at_the_provider_sits(BOB)
        await app.verified(purpose="link")
        assert (await app.fetch("DELETE", "/my-account")).status_code == 204
        served.clock.now += 661
        assert await standing(served, "bob-1") == 0
        assert await standing(served, "alice-1") == 0

    @pytest.mark.parametrize("used", [True, False])
    async def test_a_step_up_takes_the_live_grant_along_in_neither_case(
        self, served: Running, used: bool
    ) -> None:
        app = await (await Page.signed_in(served)).token()
        record = await app.verified(scope="calendar")
        if used:
            path = "/my-account/identities/acme/access-token"
            merged = await app.fetch("PATCH", path, {"socialVerificationId": record})
            assert merged.status_code == 200
        served.clock.now += 661
        assert await standing(served, "alice-1") == 2

    async def test_one_that_linked_stays_good(self, served: Running) -> None:
        app: App = await (await Page.signed_in(served)).token()
        served.at_the_provider_sits(BOB)
        body = {"newIdentifierVerificationRecordId": await app.verified(purpose="link")}
        assert (await app.fetch("POST", "/my-account/identities", body)).status_code == 204
        served.clock.now += 661
        assert await standing(served, "bob-1") == 1


async def test_a_vault_that_is_out_of_reach_keeps_nobody_from_going_on(
    served: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unreachable(*_: Any, **__: Any) -> bool:
        raise KeyUnavailable("the key service does not answer")

    monkeypatch.setattr(type(served.host.hub), "abandon", unreachable)
    browser, form = await meet_bob(served)
    assert (await browser.post("/switch", form={**form, "choice": "stay"})).status_code == 303
