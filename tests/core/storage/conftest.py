from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from connectors_core.storage.database import OpenDatabase, open_database
from connectors_core.storage.migrations import prepare, upgrade
from tests.postgres_server import driver, postgres_server

pytest.register_assert_rewrite("tests.core.storage.conformance")

_numbers = itertools.count()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    driver()
    with postgres_server() as url:
        yield url


@pytest.fixture(scope="session")
def new_postgres_database(postgres_url: str) -> Callable[[], str]:
    """Make an empty database on the server and return its URL."""
    import psycopg

    def make() -> str:
        name = f"t{next(_numbers)}"
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        return postgres_url.replace("/postgres?", f"/{name}?")

    return make


@pytest.fixture(scope="session")
def postgres_schema_url(new_postgres_database: Callable[[], str]) -> str:
    """A database with our schema, shared by all tests: each leaves rows behind."""
    url = new_postgres_database()
    upgrade(url)
    return url


@pytest.fixture
def postgres_schema(postgres_schema_url: str) -> str:
    """The same without any rows."""
    import psycopg

    with psycopg.connect(postgres_schema_url) as connection:
        connection.execute(
            "DELETE FROM connectors_transactions; DELETE FROM connectors_handles;"
            "DELETE FROM connectors_identities"
        )
    return postgres_schema_url


@pytest.fixture(params=["sqlite in memory", "sqlite file", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    match request.param:
        case "sqlite in memory":
            return "sqlite://"
        case "sqlite file":
            return f"sqlite:///{tmp_path}/connectors.db"
        case _:
            url: str = request.getfixturevalue("postgres_schema")
            return url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[OpenDatabase]:
    """Each database that we have, with our schema and no rows."""
    opened = open_database(database_url)
    await prepare(opened)
    yield opened
    await opened.aclose()
