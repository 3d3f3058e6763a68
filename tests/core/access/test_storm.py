"""The storm of ``benchmarks/refresh_storm.py``, small: several processes, one grant, one request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from itertools import chain
from typing import Any

import pytest

from benchmarks.refresh_storm import Figures, Workers, storm
from benchmarks.storm_provider import SCENARIOS
from connectors_core.storage.migrations import upgrade
from tests.postgres_server import driver, missing, postgres_server

SHORT: dict[str, dict[str, Any]] = {
    "outage": {"seconds": 0.5},
    "faults": {"seconds": 1.0},
    "min-ttl": {"min_ttl": 19.2, "seconds": 1.0},
    "lost-grace": {"lost": 0.5, "seconds": 0.7},
    "paused-strict": {"stop": 1.0, "hit_within": 0.0, "seconds": 0.5},
    "kill-aimed-grace": {"hit_within": 0.0, "seconds": 0.5},
    "kill-aimed-strict": {"hit_within": 0.0, "seconds": 0.5},
}
"""What each scenario has less of than in the benchmark. Who is killed comes last: it must be replaced."""

Storms = dict[tuple[str, str], Figures]


@pytest.fixture(scope="module")
def storms(tmp_path_factory: pytest.TempPathFactory) -> Storms:
    """The figures of all scenarios, which each store's four processes go through one after the other."""
    urls = [f"sqlite:///{tmp_path_factory.mktemp('storm') / 'storm.db'}"]
    with ExitStack() as stack:
        with suppress(pytest.skip.Exception):
            driver()
            urls.append(stack.enter_context(postgres_server()))
        for url in urls:
            upgrade(url)
        figures = asyncio.run(_all_storms(urls))
    return {(each.store, each.scenario): each for each in figures}


async def _all_storms(urls: list[str]) -> list[Figures]:
    async def one_after_the_other(url: str) -> list[Figures]:
        workers = Workers(url)
        try:
            return [
                await storm(
                    replace(SCENARIOS[name], **less),
                    workers,
                    runs=1,
                    callers=50 if name == "outage" else 12,
                )
                for name, less in SHORT.items()
            ]
        finally:
            await workers.stop()

    return list(chain(*await asyncio.gather(*map(one_after_the_other, urls))))


@pytest.fixture(params=["sqlite", "postgresql"])
def figures_of(storms: Storms, request: pytest.FixtureRequest) -> Callable[[str], Figures]:
    """What came of a scenario on the store; nobody failed, and no two requests were under way at once."""

    def figures_of(scenario: str) -> Figures:
        if (request.param, scenario) not in storms:
            missing("PostgreSQL's driver or server is missing")
        figures = storms[request.param, scenario]
        assert figures.most_in_flight == 1, figures.line()
        assert not figures.failed, figures.line()
        return figures

    return figures_of


FiguresOf = Callable[[str], Figures]


def test_a_killed_holder_costs_nothing_within_the_grace(figures_of: FiguresOf) -> None:
    figures = figures_of("kill-aimed-grace")
    assert figures.refreshed >= 1, figures.line()
    assert (figures.hit, figures.lost) == (1, 0), figures.line()


def test_nobody_fails_while_a_living_token_that_does_not_serve_is_renewed(figures_of: FiguresOf) -> None:
    figures = figures_of("min-ttl")
    assert figures.refreshed >= 2, figures.line()
    assert figures.lost == 0, figures.line()


def test_what_strict_rotation_cannot_save_is_told_and_nothing_else_is_lost(figures_of: FiguresOf) -> None:
    """Killed between the request and the commit: no client can close that window."""
    figures = figures_of("kill-aimed-strict")
    assert (figures.hit, figures.avoidable) == (1, 0), figures.line()


def test_a_lost_answer_costs_nothing_within_the_grace(figures_of: FiguresOf) -> None:
    figures = figures_of("lost-grace")
    assert figures.refreshed >= 1, figures.line()
    assert figures.lost == 0, figures.line()


def test_a_process_that_is_paused_brings_its_answer_home(figures_of: FiguresOf) -> None:
    figures = figures_of("paused-strict")
    assert (figures.hit, figures.lost) == (1, 0), figures.line()


def test_a_provider_that_refuses_and_breaks_off_costs_nothing(figures_of: FiguresOf) -> None:
    figures = figures_of("faults")
    assert figures.refreshed >= 1, figures.line()
    assert figures.lost == 0, figures.line()


def test_an_outage_of_three_seconds_under_200_callers_is_no_storm(figures_of: FiguresOf) -> None:
    figures = figures_of("outage")
    assert figures.calls >= 200, figures.line()
    assert 1 <= figures.most_in_outage <= 10, figures.line()
    assert figures.requests <= 12, figures.line()
    assert figures.lost == 0, figures.line()
