"""The pytest plugin: ``provider`` without sockets, ``provider_server`` on a loopback port, ``clock``.

It is loaded wherever connectors-core is installed, so it imports nothing until a fixture is asked
for. ``--connector=module:Class`` runs the conformance tests of that connector alone and prints the
grid. ``provider_server`` is asynchronous and needs pytest-asyncio in its ``auto`` mode; everything
else does without.
"""

from __future__ import annotations

import pkgutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .provider import Provider

pytest.register_assert_rewrite("connectors_core.testing.conformance", "connectors_core.testing.grid")


@dataclass(slots=True)
class Clock:
    """Seconds since the epoch that pass only when told to."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def provider(clock: Clock) -> Provider:
    """A provider by the test's clock; reach it through ``provider.transport()``."""
    from .provider import Provider

    return Provider(clock=clock)


@pytest.fixture
async def provider_server(provider: Provider) -> AsyncIterator[Provider]:
    """The same provider on a loopback port."""
    async with provider.serving() as serving:
        yield serving


# The grid of one connector

_LINES = pytest.StashKey[dict[str, tuple[str, str]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("connectors").addoption(
        "--connector",
        metavar="MODULE:CLASS",
        help="run only the conformance tests of this connector type, and print the grid",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the conformance tests of the connector named. Raises UsageError where there are none."""
    named = config.getoption("--connector")
    if not named:
        return
    try:
        wanted = pkgutil.resolve_name(named)
    except (ImportError, AttributeError, ValueError) as error:
        raise pytest.UsageError(f"--connector={named}: {error}") from None
    kept = [item for item in items if _connector_of(item) is wanted]
    if not kept:
        raise pytest.UsageError(
            f"--connector={named}: no conformance class among the tests has `connector = {wanted.__name__}`"
        )
    config.hook.pytest_deselected(items=[item for item in items if _connector_of(item) is not wanted])
    items[:] = kept
    several = len({_class_of(item) for item in kept}) > 1
    config.stash[_LINES] = {item.nodeid: _line_of(item, several=several) for item in kept}


def _connector_of(item: pytest.Item) -> object:
    tested = getattr(item, "cls", None)
    return getattr(tested, "connector", None) if hasattr(tested, "connectors_conformance") else None


def _class_of(item: pytest.Item) -> str:
    return getattr(getattr(item, "cls", None), "__name__", "")


def _line_of(item: pytest.Item, *, several: bool) -> tuple[str, str]:
    """The name of what the test shows, behind its class's where there are several, and the source."""
    callspec: Any = getattr(item, "callspec", None)
    case = callspec.params.get("case") if callspec else None
    name = getattr(item, "originalname", item.name).removeprefix("test_").replace("_", " ")
    name, why = (name, "") if case is None else (case.name, f"{case.source}: {case.changes}")
    return (f"{_class_of(item)} {name}" if several else name), why


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if _LINES not in config.stash:
        return
    outcomes = {
        report.nodeid: outcome
        for outcome in ("passed", "skipped", "failed", "error")
        for report in terminalreporter.getreports(outcome)
    }
    rows = [(outcomes.get(node, "not run"), *line) for node, line in config.stash[_LINES].items()]
    width = max(len(name) for _, name, _ in rows)
    terminalreporter.section(f"grid of {config.getoption('--connector')}")
    for outcome, name, why in rows:
        terminalreporter.write_line(f"{outcome:8}{name:{width}}  {why}".rstrip())
    terminalreporter.write_line(f"{sum(row[0] == 'passed' for row in rows)} of {len(rows)} hold")
