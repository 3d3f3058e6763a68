"""What every test has: a canary in all that is printed, and a way to ask for programs."""

from __future__ import annotations

import logging
import os
import shutil
import warnings
from collections.abc import Callable, Iterator

import pytest

from tests.canary import Canary

CANARY = Canary()


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
