"""What is away while somebody signs in or out: the database, a key, the provider, an identity."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connectors_core import Hub
from connectors_core.errors import KeyUnavailable, NotLinked, StorageError
from connectors_core.testing.provider import Person
from tests.embedded.conftest import BOB, PROGRAM, SESSION, Running


def failing(error: Exception) -> Callable[..., Any]:
    """A method of a hub that always raises that."""

    async def fail(*_: Any, **__: Any) -> None:
        raise error

    return fail


async def test_an_identity_that_is_unlinked_meanwhile_signs_nobody_in(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    await running.browser().sign_in()
    monkeypatch.setattr(running.hub_within, "save_tokens", failing(NotLinked("the identity is gone")))
    browser = running.browser()
    assert (await browser.sign_in()).status_code == 409
    assert SESSION not in browser.cookies


async def test_without_its_keys_the_vault_keeps_nobody_out(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    await running.browser().sign_in()
    monkeypatch.setattr(running.hub_within, "save_tokens", failing(KeyUnavailable("the key is away")))
    for person in (Person(), BOB):
        running.at_the_provider_sits(person)
        browser = running.browser()
        await browser.sign_in()
        assert (await browser.user())["isAuthenticated"] is True


async def test_an_outage_of_the_database_or_the_provider_keeps_nobody_signed_in(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = running.browser()
    await browser.sign_in()
    monkeypatch.setattr(running.hub_within, "take_handle", failing(StorageError("the database is away")))
    assert (await browser.get("/auth/sign-out")).headers["location"] == "/"
    assert not browser.cookies
    await browser.sign_in()
    monkeypatch.undo()
    monkeypatch.setattr(running.hub_within, "end_session_uri", failing(StorageError("the database is away")))
    assert (await browser.get("/auth/sign-out")).headers["location"] == "/"
    assert not browser.cookies


@pytest.mark.parametrize("start", ["flask", "django"], indirect=True)
async def test_a_database_that_is_not_there_is_a_page_that_says_so_and_not_where(
    running: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def down(*_: Any, **__: Any) -> None:
        raise StorageError("there is no /srv/app.db")

    monkeypatch.setattr(Hub, "__aenter__", down)
    answer = await running.browser().begin()
    assert (answer.status_code, "temporarily_unavailable" in answer.text) == (503, True)
    told = await running.browser().get("/auth/sign-in", headers=PROGRAM)
    assert told.json()["detail"] == "Temporarily unavailable"
    assert "/srv/app.db" not in answer.text + told.text
    assert caplog.text.count("/srv/app.db") == 2


async def test_an_outage_at_the_sign_in_is_a_page_that_says_so(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running.hub_within, "begin", failing(StorageError("the database is away")))
    answer = await running.browser().begin()
    assert (answer.status_code, "temporarily_unavailable" in answer.text) == (503, True)
