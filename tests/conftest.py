"""What every test has: a canary in all that is printed, a way to ask for programs, and PostgreSQL."""

from __future__ import annotations

import itertools
import logging
import os
import shutil
import warnings
from collections.abc import Callable, Iterator

import pytest

from tests.canary import Canary
from tests.postgres_server import driver, postgres_server

CANARY = Canary()
_numbers = itertools.count()


@pytest.fixture(scope="session")
def canary() -> Iterator[Canary]:
    """Listens to all loggers at DEBUG for the whole run: ``secret``, ``watch``, ``check``."""
    root = logging.getLogger()
    level = root.level
    root.addHandler(CANARY)
    root.setLevel(logging.DEBUG)
    yield CANARY
    root.setLevel(level)
    root.removeHandler(CANARY)
    CANARY.check_heard(all_of_it=True)


@pytest.fixture(autouse=True)
def _nothing_secret_is_printed(canary: Canary) -> Iterator[None]:
    yield
    canary.check_heard()


def pytest_warning_recorded(warning_message: warnings.WarningMessage) -> None:
    CANARY.hear(str(warning_message.message), "a warning")


@pytest.fixture(scope="session")
def program() -> Callable[..., str]:
    """``program("chromium", "chromium-browser")``: the path of the first one found.

    Without any the test is skipped; where ``CONNECTORS_REQUIRE_ALL`` is set, it fails.
    """

    def find(*names: str) -> str:
        for name in names:
            if path := shutil.which(name):
                return path
        give_up = pytest.fail if os.environ.get("CONNECTORS_REQUIRE_ALL") else pytest.skip
        return str(give_up(f"needs {' or '.join(names)}"))

    return find


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The one server of the run."""
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
