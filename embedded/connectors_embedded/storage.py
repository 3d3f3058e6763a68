"""Where a client keeps what belongs to one browser."""

from __future__ import annotations

import os
from collections.abc import Awaitable
from typing import Protocol

from connectors_core import ConfigurationError, Problem


class Storage(Protocol):
    """Texts by key, for the browser of the request at hand: a session of the framework's, a cookie, a row.

    Each method may be ``async``. Values are sealed, in the URL-safe Base64 alphabet, and together no
    longer than ``MAX_STORED`` characters: they fit into a signed cookie.
    """

    def get(self, key: str) -> str | Awaitable[str | None] | None: ...

    def set(self, key: str, value: str | None) -> Awaitable[None] | None: ...

    def delete(self, key: str) -> Awaitable[None] | None: ...


MAX_STORED = 3072
"""Characters of all values together."""


class MemoryStorage(Storage):
    """Keeps one browser's values in the process, for tests alone: everybody else would share them.

    Without ``in_tests`` it serves only while pytest runs a test. Raises ConfigurationError.
    """

    def __init__(self, *, in_tests: bool = False) -> None:
        self._in_tests = in_tests
        self.values: dict[str, str] = {}

    def get(self, key: str) -> str | None:
        self._check()
        return self.values.get(key)

    def set(self, key: str, value: str | None) -> None:
        self._check()
        if value is None:
            self.values.pop(key, None)
        else:
            self.values[key] = value

    def delete(self, key: str) -> None:
        self.set(key, None)

    def _check(self) -> None:
        if not self._in_tests and "PYTEST_CURRENT_TEST" not in os.environ:
            problem = "is in memory, where all people share one sign-in"
            cure = "give storage= an object that keeps values per browser, as flask.session does"
            raise ConfigurationError([Problem(("storage",), problem, cure)])
