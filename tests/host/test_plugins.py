"""Host authors decide who comes in; their mistakes let nobody in and leave nothing behind."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from connectors_host import hookspecs
from connectors_host.hookspecs import Action, Admit, Deny, SignIn, hookimpl

from connectors_core.errors import ConfigurationError
from connectors_core.testing.provider import Person
from tests.canary import Canary
from tests.host.conftest import BOB, Running, Start

DOCUMENT = Path(__file__).parents[2] / "docs" / "host-hooks.md"
HOOKS = {
    name: function
    for name, function in vars(hookspecs).items()
    if hasattr(function, f"{hookspecs.PROJECT}_spec")
}
STAFF = Person(claims={"email": "a@acme.example", "email_verified": True})


class Asked:
    """Answers by ``answer`` and remembers what it was asked."""

    def __init__(self, answer: Callable[[SignIn], Any]) -> None:
        self.answer = answer
        self.events: list[SignIn] = []

    @hookimpl
    def admit_sign_in(self, event: SignIn) -> Any:
        self.events.append(event)
        return self.answer(event)


def example() -> Any:
    [code] = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), flags=re.DOTALL)
    namespace: dict[str, Any] = {"__name__": "example"}
    exec(code, namespace)
    [made] = [v for v in namespace.values() if inspect.isclass(v) and v.__module__ == "example"]
    return made()


async def rows(running: Running) -> list[int]:
    tables = ("host_accounts", "host_sessions", "connectors_identities")
    fetch = running.host.hub.database.fetch
    return [int((await fetch(f"SELECT COUNT(*) FROM {table}"))[0][0]) for table in tables]


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_documented_with_its_exact_signature_and_an_example(hook: str) -> None:
    spelled = f"{hook}{inspect.signature(HOOKS[hook])}".replace("'", "")
    assert f"## {hook}\n\n`{spelled}`\n" in DOCUMENT.read_text()
    assert hasattr(example(), hook)
    assert f"test_hook_{hook}" in globals()


def test_the_document_names_no_hook_that_does_not_exist() -> None:
    assert re.findall(r"^## (\w+)", DOCUMENT.read_text(), flags=re.MULTILINE) == list(HOOKS)


async def test_hook_admit_sign_in(start: Start) -> None:
    """The documented example: who is not of the staff stays out, who is gets an id of the author's."""
    running = await start(plugins=[example()])
    browser = running.browser()
    page = await browser.sign_in()
    assert (page.status_code, "sign_in_denied" in page.text) == (403, True)
    assert await rows(running) == [0, 0, 0]
    running.at_the_provider_sits(STAFF)
    await browser.sign_in()
    claims = (await browser.user())["claims"]
    assert (claims["sub"], claims["name"]) == ("staff:alice-1", "New colleague")
    assert (await running.browser().sign_in()).status_code == 302


async def test_a_plugin_is_told_what_is_about_to_happen(start: Start) -> None:
    asked = Asked(lambda event: None)
    running = await start(plugins=[asked])
    browser = running.browser()
    await browser.sign_in()
    owner = (await browser.user())["claims"]["sub"]
    await browser.sign_in()
    running.at_the_provider_sits(BOB)
    await browser.link()
    told = [(event.action, event.owner, event.connector, event.subject) for event in asked.events]
    assert told == [
        (Action.SIGN_UP, None, "acme", "alice-1"),
        (Action.SIGN_IN, owner, "acme", "alice-1"),
        (Action.LINK, owner, "posting", "bob-1"),
    ]
    assert asked.events[0].profile.email == "alice@example.test"
    assert asked.events[0].claims["sub"] == "alice-1"
    assert asked.events[0].issuer == "https://provider.test"


@pytest.mark.parametrize("action", [Action.SIGN_IN, Action.LINK])
async def test_who_is_denied_later_stays_out_and_what_was_there_stays(start: Start, action: Action) -> None:
    running = await start(
        plugins=[Asked(lambda event: Deny("no") if event.action is action else None)],
        acme='sync_profile = "sign_in"',
    )
    browser = running.browser()
    await browser.sign_in()
    before = await rows(running)
    if action is Action.LINK:
        page = await browser.link()
    else:
        running.at_the_provider_sits(Person(claims={"name": "Changed"}))
        page = await running.browser().sign_in()
    assert page.status_code == 403
    assert await rows(running) == before
    assert (await browser.user())["claims"]["name"] == "Alice Example"


async def test_enriched_fields_follow_the_plugin(start: Start) -> None:
    names = iter(["One", "Two"])
    asked = Asked(lambda event: Admit(fields={"name": next(names)}))
    running = await start(plugins=[asked], acme='sync_profile = "sign_in"')
    browser = running.browser()
    for name in ("One", "Two"):
        await browser.sign_in()
        assert (await browser.user())["claims"]["name"] == name


async def test_a_plugin_names_the_account_of_a_new_identity_even_where_sign_up_is_closed(
    start: Start,
) -> None:
    browser = (await start()).browser()
    await browser.sign_in()
    owner = (await browser.user())["claims"]["sub"]
    for named, status in ((owner, 302), ("somebody-new", 403)):
        asked = Asked(lambda event, named=named: Admit(owner=named) if event.owner is None else None)
        running = await start(host="sign_up = false", plugins=[asked], posting='linking = "never"')
        running.at_the_provider_sits(Person(sub=f"of-{named}", claims={}))
        assert (await running.browser().sign_in("posting")).status_code == status


def torn(event: SignIn) -> Any:
    raise RuntimeError(CANARY)


def leaving(event: SignIn) -> Any:
    raise SystemExit(CANARY)


CANARY = "what-a-plugin-says-is-shown-to-nobody"


@pytest.mark.parametrize(
    "answer",
    [
        torn,
        leaving,
        lambda event: "yes",
        lambda event: True,
        lambda event: Admit(fields=None),
        lambda event: Admit(fields=[("name", "One")]),
        lambda event: Admit(fields={1: "one"}),
        lambda event: Admit(fields={"id": "other"}),
        lambda event: Admit(fields={"email_verified": "true"}),
        lambda event: Admit(owner=""),
        lambda event: Admit(owner="x" * 300),
        lambda event: Admit(owner="a\nb"),
    ],
)
async def test_a_plugin_s_mistake_is_a_page_and_leaves_nothing_half_written(
    start: Start, answer: Callable[[SignIn], Any], caplog: pytest.LogCaptureFixture, canary: Canary
) -> None:
    running = await start(plugins=[Asked(answer)])
    page = await running.browser().sign_in()
    assert page.status_code == 503
    assert "temporarily_unavailable" in page.text
    assert page.headers["retry-after"]
    assert await rows(running) == [0, 0, 0]
    assert CANARY not in page.text + caplog.text


async def test_a_plugin_cannot_move_a_known_person_to_another_account(start: Start) -> None:
    running = await start()
    await running.browser().sign_in()
    running = await start(plugins=[Asked(lambda event: Admit(owner="somebody-else"))])
    assert (await running.browser().sign_in()).status_code == 503


async def test_the_first_answer_counts(start: Start) -> None:
    second = Asked(lambda event: Admit())
    running = await start(plugins=[second, Asked(lambda event: Deny())])
    assert (await running.browser().sign_in()).status_code == 403
    assert second.events == []


class Asynchronous:
    @hookimpl
    async def admit_sign_in(self, event: SignIn) -> None: ...


class Misspelled:
    @hookimpl
    def admit_signin(self, event: SignIn) -> None: ...


class WrongArguments:
    @hookimpl
    def admit_sign_in(self, person: SignIn) -> None: ...


@pytest.mark.parametrize("plugin", [Asynchronous(), Misspelled(), WrongArguments()])
async def test_a_plugin_that_does_not_fit_keeps_the_host_from_starting(start: Start, plugin: object) -> None:
    with pytest.raises(ConfigurationError, match="cannot be used"):
        await start(plugins=[plugin])
