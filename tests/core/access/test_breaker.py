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
        breaker.failed("one", failure(FailureKind.UNKNOWN), 100.0, 0)
    assert breaker.wait(100.0) == 0


def test_three_grants_in_a_row_open_it_ever_longer(breaker):
    for grant in "abc":
        breaker.failed(grant, failure(FailureKind.NOT_PROCESSED), 100.0, 0)
    first = breaker.wait(100.0)
    assert first == pytest.approx(0.325)
    entered = breaker.enter(100.5)
    assert breaker.wait(100.5) == 1, "one asks, the others look in a second whether it was answered"
    assert breaker.wait(110.5) == 0, "a question that is not answered keeps the others no longer"
    breaker.failed("d", failure(FailureKind.NOT_PROCESSED), 100.6, entered)
    breaker.left(entered, 100.6)
    assert breaker.wait(100.6) > first
    breaker.succeeded()
    assert breaker.wait(100.6) == 0
    breaker.enter(100.7)
    assert breaker.wait(100.7) == 0


def test_answers_to_what_was_asked_before_it_opened_do_not_prolong_it(breaker):
    for number in range(30):
        breaker.failed(f"grant-{number}", failure(FailureKind.NOT_PROCESSED), 100.0, 0)
    assert breaker.wait(100.0) == pytest.approx(0.325)


def test_who_has_not_asked_after_all_lets_another(breaker):
    for grant in "abc":
        breaker.failed(grant, failure(FailureKind.NOT_PROCESSED), 100.0, 0)
    entered = breaker.enter(101.0)
    breaker.left(entered, 101.0)
    assert breaker.wait(101.0) == 0


def test_who_asked_before_it_opened_ends_no_others_question(breaker):
    early = breaker.enter(99.0)
    for grant in "abc":
        breaker.failed(grant, failure(FailureKind.NOT_PROCESSED), 100.0, 0)
    breaker.enter(101.0)
    breaker.left(early, 101.0)
    assert breaker.wait(101.0) == 1


def test_a_success_between_keeps_it_closed(breaker):
    for grant in "abcdef":
        breaker.failed(grant, failure(FailureKind.UNKNOWN), 100.0, 0)
        breaker.succeeded()
    assert breaker.wait(100.0) == 0


def test_a_dead_grant_shows_that_the_provider_answers(breaker):
    for grant in "ab":
        breaker.failed(grant, failure(FailureKind.UNKNOWN), 100.0, 0)
    breaker.failed("c", failure(FailureKind.DEAD), 100.0, 0)
    breaker.failed("d", failure(FailureKind.UNKNOWN), 100.0, 0)
    assert breaker.wait(100.0) == 0


def test_a_wrong_client_opens_it_at_once_and_says_why(breaker):
    breaker.failed("a", failure(FailureKind.MISCONFIGURED), 100.0, 0)
    assert (breaker.wait(100.0), breaker.misconfigured) == (30, "code")


def test_retry_after_is_obeyed(breaker):
    for grant in "abc":
        breaker.failed(grant, failure(FailureKind.THROTTLED, retry_after=90.0), 100.0, 0)
    assert breaker.wait(100.0) == 90


def test_the_success_of_another_process_closes_it(breaker):
    for grant in "abc":
        breaker.failed(grant, failure(FailureKind.NOT_PROCESSED), 100.0, 0)
    breaker.heard_of_success()
    breaker.failed("d", failure(FailureKind.NOT_PROCESSED), 100.0, 0)
    assert breaker.wait(100.0) == 0


def test_the_success_of_another_process_says_nothing_of_a_client_that_was_refused_here(breaker):
    breaker.failed("a", failure(FailureKind.MISCONFIGURED), 100.0, 0)
    breaker.heard_of_success()
    assert (breaker.wait(100.0), breaker.misconfigured) == (30, "code")
