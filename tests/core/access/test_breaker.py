"""A connector that cannot be asked is not asked for every grant anew."""

from __future__ import annotations

import pytest

from connectors_core.access.breaker import Breaker
from connectors_core.access.timing import Timing
from connectors_core.connector import FailureKind, RefreshFailure


@pytest.fixture
def breaker():
    return Breaker(Timing(), lambda: 0.5)


def failure(kind, **more):
    return RefreshFailure(kind=kind, error="code", **more)


def test_one_grant_alone_never_opens_it(breaker):
    for _ in range(20):
        breaker.failed("one", failure(FailureKind.UNKNOWN), 100.0)
    assert breaker.wait(100.0) == 0


def test_three_grants_in_a_row_open_it_ever_longer(breaker):
    for grant in "abc":
        breaker.failed(grant, failure(FailureKind.NOT_PROCESSED), 100.0)
    first = breaker.wait(100.0)
    assert first == pytest.approx(0.4)
    breaker.enter(100.5)
    assert breaker.wait(100.5) == 10, "one asks, the others wait for its answer"
    breaker.failed("d", failure(FailureKind.NOT_PROCESSED), 100.6)
    assert breaker.wait(100.6) > first
    breaker.succeeded()
    assert breaker.wait(100.6) == 0
    breaker.enter(100.7)
    assert breaker.wait(100.7) == 0


def test_a_success_between_keeps_it_closed(breaker):
    for grant in "abcdef":
        breaker.failed(grant, failure(FailureKind.UNKNOWN), 100.0)
        breaker.succeeded()
    assert breaker.wait(100.0) == 0


def test_a_dead_grant_shows_that_the_provider_answers(breaker):
    for grant in "ab":
        breaker.failed(grant, failure(FailureKind.UNKNOWN), 100.0)
    breaker.failed("c", failure(FailureKind.DEAD), 100.0)
    breaker.failed("d", failure(FailureKind.UNKNOWN), 100.0)
    assert breaker.wait(100.0) == 0


def test_a_wrong_client_opens_it_at_once_and_says_why(breaker):
    breaker.failed("a", failure(FailureKind.MISCONFIGURED), 100.0)
    assert (breaker.wait(100.0), breaker.misconfigured) == (30, "code")


def test_retry_after_is_obeyed(breaker):
    for grant in "abc":
        breaker.failed(grant, failure(FailureKind.THROTTLED, retry_after=90.0), 100.0)
    assert breaker.wait(100.0) == 90


def test_the_success_of_another_process_closes_it(breaker):
    for grant in "abc":
        breaker.failed(grant, failure(FailureKind.NOT_PROCESSED), 100.0)
    breaker.heard_of_success()
    breaker.failed("d", failure(FailureKind.NOT_PROCESSED), 100.0)
    assert breaker.wait(100.0) == 0


def test_the_success_of_another_process_says_nothing_of_a_client_that_was_refused_here(breaker):
    breaker.failed("a", failure(FailureKind.MISCONFIGURED), 100.0)
    breaker.heard_of_success()
    assert (breaker.wait(100.0), breaker.misconfigured) == (30, "code")
