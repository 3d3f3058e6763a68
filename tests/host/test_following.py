"""What an account takes over of what several identities say of one address."""

from __future__ import annotations

from typing import Any

import pytest
from connectors_host.following import followed, renewed

from connectors_core.profile import IdentityKey
from connectors_core.stores import Identity
from connectors_core.testing.provider import Person
from tests.host.conftest import Browser, Running, Start

ALICE = {"name": "Alice Example", "email": "alice@example.test", "email_verified": True}
OTHER = {**ALICE, "name": "A. Example"}
FOLLOWS = 'sync_profile = "sign_in"'


async def say(running: Running, browser: Browser, connector: str, claims: dict[str, Any]) -> Any:
    """Sign in with that connector, whose provider says ``claims``; what the account then says."""
    sub = {"acme": "alice-1", "posting": "alice-2"}[connector]
    running.at_the_provider_sits(Person(sub=sub, claims=claims))
    await browser.sign_in(connector)
    said = (await browser.user())["claims"]
    return said.get("email"), said.get("email_verified")


@pytest.fixture
async def running(start: Start) -> Running:
    opened: Running = await start(acme=FOLLOWS, posting=FOLLOWS)
    return opened


@pytest.fixture
async def browser(running: Running) -> Browser:
    """Alice, verified by the first connector; the second knows her by the same address."""
    browser = running.browser()
    await say(running, browser, "acme", ALICE)
    running.clock.now += 1
    running.at_the_provider_sits(Person(sub="alice-2", claims=OTHER))
    assert (await browser.link("posting")).status_code == 302
    return browser


@pytest.mark.parametrize("word", [True, False, None])
async def test_a_second_identity_of_the_address_neither_takes_the_word_away_nor_gives_another(
    running: Running, browser: Browser, word: bool | None
) -> None:
    claims = {**OTHER, "email_verified": word} if word is not None else {"email": ALICE["email"]}
    for _ in range(2):
        assert await say(running, browser, "posting", claims) == (ALICE["email"], True)
    assert (await browser.user())["claims"]["name"] == ALICE["name"]


async def test_the_first_one_s_own_word_counts(running: Running, browser: Browser) -> None:
    denied = {**ALICE, "email_verified": False}
    assert await say(running, browser, "acme", denied) == (ALICE["email"], False)
    assert await say(running, browser, "posting", OTHER) == (ALICE["email"], False)
    assert await say(running, browser, "acme", ALICE) == (ALICE["email"], True)


async def test_silence_about_the_same_address_takes_no_word_back(running: Running, browser: Browser) -> None:
    for _ in range(2):
        assert await say(running, browser, "acme", {"email": ALICE["email"]}) == (ALICE["email"], True)
    owner = (await browser.user())["claims"]["sub"]
    first, _ = await running.host.hub.identities(owner)
    assert first.profile["email_verified"] is True


async def test_a_new_address_has_only_the_word_that_comes_with_it(running: Running, browser: Browser) -> None:
    assert await say(running, browser, "acme", {"email": "new@example.test"}) == ("new@example.test", None)
    assert await say(running, browser, "posting", OTHER) == ("new@example.test", None)
    verified = {"email": "new@example.test", "email_verified": True}
    assert await say(running, browser, "acme", verified) == ("new@example.test", True)


async def test_once_the_first_is_unlinked_the_next_one_s_word_counts(
    running: Running, browser: Browser
) -> None:
    await say(running, browser, "posting", OTHER)
    owner = (await browser.user())["claims"]["sub"]
    first, _ = await running.host.hub.identities(owner)
    await running.host.hub.unlink(first.id, owner=owner)
    assert await say(running, browser, "posting", {**OTHER, "email_verified": False}) == (
        ALICE["email"],
        False,
    )


def identity(number: int, **profile: Any) -> Identity:
    return Identity(
        tenant="default",
        id=f"identity_{number}",
        owner="user_1",
        connector="acme",
        target="acme",
        group="acme",
        key=IdentityKey("https://provider.test", str(number)),
        profile=profile,
        created_at=float(number),
        updated_at=float(number),
    )


def test_each_field_follows_the_first_identity_that_says_what_stands_there() -> None:
    one = identity(1, name="Alice", email="a@x.test")
    two = identity(2, name="Alice", email="b@x.test", phone="+1", email_verified=True)
    assert followed(one, [one, two]) == {"name": "Alice", "email": "a@x.test"}
    assert followed(two, [one, two]) == {"email": "b@x.test", "phone": "+1"}


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ({}, {"email": "a@x.test", "email_verified": True}),
        ({"email": "a@x.test"}, {"email": "a@x.test", "email_verified": True}),
        ({"email": "a@x.test", "email_verified": False}, {"email": "a@x.test", "email_verified": False}),
        ({"email": "b@x.test"}, {"email": "b@x.test"}),
        ({"email": "A@x.test"}, {"email": "A@x.test"}),
        ({"phone": "+1"}, {"email": "a@x.test", "email_verified": True, "phone": "+1"}),
    ],
)
def test_the_word_on_an_address_goes_with_the_address(said: dict[str, Any], kept: dict[str, Any]) -> None:
    assert renewed({"email": "a@x.test", "email_verified": True}, said) == kept
