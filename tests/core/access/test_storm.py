"""The storm of ``benchmarks/refresh_storm.py``, small: several processes, one grant, one request."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from connectors_core.storage.migrations import upgrade
from tests.postgres_server import driver, postgres_server

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "refresh_storm.py"


@pytest.fixture(scope="module")
def storm() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("refresh_storm", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["refresh_storm"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules["refresh_storm"]


@pytest.fixture(scope="module")
def sqlite_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('storm') / 'storm.db'}"
    upgrade(url)
    return url


@pytest.fixture(scope="module")
def postgresql_url() -> Iterator[str]:
    driver()
    with postgres_server() as url:
        upgrade(url)
        yield url


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
async def test_a_killed_holder_costs_nothing_within_the_grace(
    storm: ModuleType, database: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue(f"{database}_url")
    scenario = replace(storm.SCENARIOS["kill-aimed-grace"], seconds=1.8)
    figures = await storm.storm(scenario, url, runs=1, processes=2, callers=25)
    assert figures.refreshed >= 1, figures.line()
    assert (figures.most_in_flight, figures.lost) == (1, 0), figures.line()
    assert not figures.failed, figures.line()


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
async def test_nobody_fails_while_a_living_token_that_does_not_serve_is_renewed(
    storm: ModuleType, database: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue(f"{database}_url")
    scenario = replace(storm.SCENARIOS["min-ttl"], seconds=2.2)
    figures = await storm.storm(scenario, url, runs=1, processes=2, callers=25)
    assert figures.refreshed >= 1, figures.line()
    assert (figures.most_in_flight, figures.lost) == (1, 0), figures.line()
    assert not figures.failed, figures.line()


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
async def test_what_strict_rotation_cannot_save_is_told_and_nothing_else_is_lost(
    storm: ModuleType, database: str, request: pytest.FixtureRequest
) -> None:
    """Killed between the request and the commit: no client can close that window."""
    url = request.getfixturevalue(f"{database}_url")
    scenario = replace(storm.SCENARIOS["kill-aimed-strict"], seconds=1.5)
    figures = await storm.storm(scenario, url, runs=1, processes=2, callers=25)
    assert (figures.most_in_flight, figures.avoidable) == (1, 0), figures.line()
    assert figures.hit == 1, figures.line()
    assert not figures.failed, figures.line()


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
async def test_a_lost_answer_costs_nothing_within_the_grace(
    storm: ModuleType, database: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue(f"{database}_url")
    scenario = replace(storm.SCENARIOS["lost-grace"], lost=0.5, seconds=1.2)
    figures = await storm.storm(scenario, url, runs=1, processes=2, callers=25)
    assert figures.refreshed >= 1, figures.line()
    assert (figures.most_in_flight, figures.lost) == (1, 0), figures.line()
    assert not figures.failed, figures.line()


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
async def test_a_process_that_is_paused_brings_its_answer_home(
    storm: ModuleType, database: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue(f"{database}_url")
    scenario = replace(storm.SCENARIOS["paused-strict"], stop=1.0, seconds=1.8)
    figures = await storm.storm(scenario, url, runs=1, processes=2, callers=25)
    assert figures.hit == 1, figures.line()
    assert (figures.most_in_flight, figures.lost) == (1, 0), figures.line()
    assert not figures.failed, figures.line()


async def test_a_provider_that_refuses_and_breaks_off_costs_nothing(
    storm: ModuleType, sqlite_url: str
) -> None:
    scenario = replace(storm.SCENARIOS["faults"], seconds=1.5)
    figures = await storm.storm(scenario, sqlite_url, runs=1, processes=2, callers=25)
    assert (figures.most_in_flight, figures.lost) == (1, 0), figures.line()
    assert not figures.failed, figures.line()


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
async def test_an_outage_of_three_seconds_under_200_callers_is_no_storm(
    storm: ModuleType, database: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue(f"{database}_url")
    scenario = replace(storm.SCENARIOS["outage"], outage=3.0, seconds=3.2)
    figures = await storm.storm(scenario, url, runs=1, processes=2, callers=100)
    assert 1 <= figures.most_in_outage <= 10, figures.line()
    assert figures.requests <= 12, figures.line()
    assert (figures.lost, figures.most_in_flight) == (0, 1), figures.line()
    assert not figures.failed, figures.line()
