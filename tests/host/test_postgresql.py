"""The host's own tables on PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from connectors_host.app import own_migrations

from connectors_core.errors import StorageError
from connectors_core.storage.migrations import upgrade
from connectors_core.testing.provider import Person
from tests.host.conftest import Start


@pytest.fixture(scope="module")
def url(new_postgres_database: Callable[[], str]) -> str:
    return new_postgres_database()


async def test_a_schema_that_is_not_there_is_named_and_then_people_sign_in(start: Start, url: str) -> None:
    upgrade(url)
    with pytest.raises(StorageError, match="connectors db upgrade"):
        await start(database=url)
    upgrade(url, own_migrations())
    running = await start(database=url, acme='sync_profile = "sign_in"')
    browser = running.browser()
    await browser.sign_in()
    running.at_the_provider_sits(Person(claims={"name": "Alice New", "email": "new@x.test"}))
    await browser.sign_in()
    claims = (await browser.user())["claims"]
    assert (claims["name"], claims["email"], "email_verified" in claims) == ("Alice New", "new@x.test", False)
    await browser.post("/sign-out")
    assert (await browser.user())["isAuthenticated"] is False


async def test_a_provider_signs_somebody_out_once_and_it_is_written_down(start: Start, url: str) -> None:
    upgrade(url)
    upgrade(url, own_migrations())
    running = await start(database=url)
    running.provider.sid = "sid-1"
    browser = running.browser()
    await browser.sign_in()
    tokens = (
        running.provider.logout_token(sid="sid-1"),
        running.provider.logout_token(sub=None, sid="sid-1"),
    )
    for token in tokens:
        posted = [
            running.browser().post("/backchannel-logout/acme", form={"logout_token": token}) for _ in range(3)
        ]
        assert sorted(answer.status_code for answer in await asyncio.gather(*posted)) == [200, 400, 400]
    assert (await browser.user())["isAuthenticated"] is False
    kinds = await running.host.hub.database.fetch("SELECT kind FROM host_audit ORDER BY id")
    assert [kind for (kind,) in kinds].count("logout.received") == 1
