"""The host's own tables on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from connectors_host.app import own_migrations

from connectors_core.errors import StorageError
from connectors_core.storage.migrations import upgrade
from connectors_core.testing.provider import Person
from tests.host.conftest import Start
from tests.postgres_server import driver, postgres_server


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    driver()
    with postgres_server() as url:
        yield url


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
