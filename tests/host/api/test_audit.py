"""The audit trail: every fact once, written before the answer leaves, and never a secret."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from connectors_host import audit
from connectors_host.audit import Fact, Trail

from connectors_core.errors import StorageError
from connectors_core.events import Event
from connectors_core.hookspecs import hookimpl
from tests.canary import Canary
from tests.host.api.conftest import CALLBACK, Open, Page
from tests.host.conftest import BOB, Browser, Running, Start


async def trail(running: Running) -> list[tuple[str, str]]:
    """Kind and outcome of all that was written, oldest first."""
    rows = await running.host.hub.database.fetch("SELECT kind, outcome FROM host_audit ORDER BY id")
    return [(kind, outcome) for kind, outcome in rows]


async def owner_of(browser: Browser) -> str:
    return str((await browser.user())["claims"]["sub"])


async def test_a_first_sign_in_and_a_second(running: Running) -> None:
    browser = running.browser()
    await browser.sign_in()
    first = [("identity.linked", "done"), ("account.created", "done"), ("sign_in.completed", "done")]
    assert await trail(running) == first
    await browser.sign_in()
    assert await trail(running) == [*first, ("sign_in.completed", "done")]


async def test_a_fact_says_who_whose_where_and_when(running: Running) -> None:
    browser = running.browser()
    await browser.sign_in()
    owner = await owner_of(browser)
    (session,) = await running.host.sessions.of_owner(owner)
    facts = await running.host.trail.of_owner(owner)
    assert facts[-1] == Fact(
        at=running.clock.now,
        kind="sign_in.completed",
        owner=owner,
        actor=f"session:{session.handle}",
        target="acme",
        connector="acme",
        outcome="done",
    )


async def test_what_is_refused_is_written_too(start: Start) -> None:
    running = await start(host="sign_up = false")
    assert (await running.browser().sign_in()).status_code == 403
    browser = running.browser()
    started = await browser.begin()
    running.provider.denies_with = "access_denied"
    await browser.come_back(started)
    assert await trail(running) == [
        ("authorization.refused", "sign_up_closed"),
        ("authorization.failed", "access_denied"),
    ]


async def test_strangers_fill_no_database(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "STRANGERS", 3)
    stranger = running.browser()
    stranger.cookies["__Host-connectors-transaction"] = "of-nobody"
    for _ in range(2):
        for _ in range(5):
            await stranger.get("/callback/acme", query={"state": "x" * 43, "code": "y"})
        await running.browser().sign_in()
        running.clock.now += 60
    written = [kind for kind, _ in await trail(running)]
    assert (written.count("authorization.failed"), written.count("sign_in.completed")) == (6, 2)


async def test_linking_unlinking_and_leaving(start: Start) -> None:
    running = await start()
    browser = running.browser()
    await browser.sign_in()
    owner = await owner_of(browser)
    running.at_the_provider_sits(BOB)
    await browser.link()
    before = len(await trail(running))
    (linked,) = [each for each in await running.host.hub.identities(owner) if each.connector == "posting"]
    await browser.form("/account/unlink", identity=linked.id)
    await browser.form("/account/sessions", session="all")
    assert (await trail(running))[before:] == [("identity.unlinked", "done"), ("sessions.ended", "done")]
    kinds = [fact.kind for fact in await running.host.trail.of_owner(owner)]
    assert kinds.count("identity.linked") == 2


async def test_signing_out_and_being_signed_out(running: Running) -> None:
    browser = running.browser()
    await browser.sign_in()
    owner = await owner_of(browser)
    await browser.post("/sign-out")
    await browser.sign_in()
    form = {"logout_token": running.provider.logout_token()}
    for _ in range(2):
        await running.browser().post("/backchannel-logout/acme", form=form)
    assert [each for each in await trail(running) if "sign_in" not in each[0]][2:] == [
        ("session.ended", "done"),
        ("logout.received", "done"),
        ("logout.refused", "logout_token_invalid"),
    ]
    assert [fact.actor for fact in await running.host.trail.of_owner(owner)][-1] == "provider"


async def test_reads_of_tokens_by_a_session_by_a_bearer_and_by_an_application(start_api: Open) -> None:
    running = await start_api()
    page = await Page.signed_in(running)
    owner = await owner_of(page.browser)
    path = "/my-account/identities/acme/access-token"
    assert (await page.fetch("GET", path)).status_code == 200
    app = await page.token()
    assert (await app.fetch("GET", path)).status_code == 200
    assert (await app.fetch("GET", path, scope="calendar")).status_code == 403
    basic = {"Authorization": "Basic Y2FsZW5kYXI6bm90LWEtc2VjcmV0LW9mLWFueWJvZHk="}
    assert (
        await page.send("GET", f"/api/users/{owner}/identities/acme/access-token", None, basic, {})
    ).status_code == 200
    reads = [fact for fact in await running.host.trail.of_owner(owner) if fact.kind == "tokens.read"]
    (session,) = await running.host.sessions.of_owner(owner)
    of_session = f"session:{session.handle}"
    assert [(fact.actor, fact.target, fact.outcome) for fact in reads] == [
        (of_session, "acme", "served"),
        (of_session, "acme", "served"),
        (of_session, "acme", "scope_required"),
        ("app:calendar", "acme", "served"),
    ]


async def test_more_scope_is_a_fact_and_the_token_it_hands_out_is_another(start_api: Open) -> None:
    running = await start_api()
    page = await Page.signed_in(running)
    app = await page.token()
    record = await app.verified(scope="calendar")
    before = len(await trail(running))
    answer = await app.fetch(
        "PATCH", "/my-account/identities/acme/access-token", {"socialVerificationId": record}
    )
    assert answer.status_code == 200, answer.text
    assert [kind for kind, _ in (await trail(running))[before:]] == ["tokens.stored", "tokens.read"]
    assert CALLBACK not in repr(await trail(running))


async def test_observers_hear_what_is_written(running: Running) -> None:
    heard: list[Event] = []

    class Listening:
        @hookimpl
        def observe(self, event: Event) -> None:
            heard.append(event)

    running.host.configuration.registry.plugins.register(Listening())
    await running.browser().sign_in()
    written = [kind for kind, _ in await trail(running)]
    assert [event.name for event in heard if event.name not in audit.LEFT_OUT] == written


async def test_nothing_is_answered_that_cannot_be_written(
    start_api: Open, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    running = await start_api()
    page = await Page.signed_in(running)

    async def fails(self: Trail, facts: Any) -> None:
        if facts:
            raise StorageError("the disk is full")

    monkeypatch.setattr(Trail, "write", fails)
    answer = await page.fetch("GET", "/my-account/identities/acme/access-token")
    assert (answer.status_code, answer.json()["code"]) == (503, "temporarily_unavailable")
    assert "access_token" not in answer.text
    assert "not in the audit trail" in caplog.text
    assert (await page.browser.get("/user")).status_code == 200


async def test_what_happens_between_requests_is_written_too(running: Running) -> None:
    def happened() -> None:
        running.host.tell("token.needs_reauthorization", owner="user_1", reason="invalid_grant")

    await asyncio.create_task(_call(happened))
    for _ in range(3):
        happened()
    between = _between(running)
    await between.settled()
    assert await trail(running) == [("token.needs_reauthorization", "invalid_grant")] * 4


async def _call(function: Any) -> None:
    function()


def _between(running: Running) -> audit.Heard:
    (observer,) = [
        each.kwargs["observer"] for each in running.app.user_middleware if "observer" in each.kwargs
    ]
    assert isinstance(observer, audit.Observer)
    assert observer.between is not None
    return observer.between


async def test_what_a_request_left_behind_is_written_when_it_comes(running: Running) -> None:
    between = _between(running)
    heard = audit.Heard(running.host.trail, onward=between)
    with audit.hearing(heard):
        heard.end()
        running.host.tell("token.unsaved", owner="user_1", code="storage_error")
    await between.settled()
    assert await trail(running) == [("token.unsaved", "storage_error")]


async def test_facts_go_after_ninety_days_and_not_before(running: Running) -> None:
    await running.browser().sign_in()
    (first, *_) = await running.host.hub.database.fetch("SELECT owner FROM host_audit")
    owner = first[0]
    running.clock.now += audit.RETENTION - 1
    running.host.tell("probe", owner="user_2")
    await _between(running).settled()
    assert len(await running.host.trail.of_owner(owner)) == 3
    running.clock.now += 2
    assert await running.host.trail.of_owner(owner) == []
    running.host.tell("probe", owner="user_2")
    await _between(running).settled()
    assert await trail(running) == [("probe", "done")] * 2


async def test_the_export_holds_what_was_done_and_a_deletion_leaves_no_person(running: Running) -> None:
    browser = running.browser()
    await browser.sign_in()
    owner = await owner_of(browser)
    export = (await browser.get("/account/export")).json()
    assert [event["kind"] for event in export["events"]] == [
        *("identity.linked", "account.created", "sign_in.completed"),
    ]
    await browser.form("/account/delete", sure="yes")
    facts = await running.host.trail.of_owner(owner)
    assert [fact.kind for fact in facts][-2:] == ["identity.unlinked", "account.deleted"]
    rows = repr(await running.host.hub.database.fetch("SELECT * FROM host_audit"))
    assert "Alice" not in rows
    assert "alice" not in rows


async def test_no_secret_is_in_the_trail(
    start_api: Open, canary: Canary, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    running = await start_api()
    page = await Page.signed_in(running)
    app = await page.token()
    await app.fetch("GET", "/my-account/identities/acme/access-token")
    await app.verified(scope="calendar")
    for value in (*running.provider.secrets(), *page.browser.cookies.values(), app.token, page.csrf):
        canary.watch(value, "a secret")
    rows = await running.host.hub.database.fetch("SELECT * FROM host_audit")
    assert len(rows) >= 5
    canary.check(repr(rows), caplog.text)
