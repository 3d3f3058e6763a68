"""When a stored token is served, renewed, or neither."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors_core.access.freshness import Freshness, freshness, skew
from connectors_core.access.timing import Timing
from connectors_core.grants import GrantState

from .test_rotation import STATE as BASE

NOW = 10_000.0
TIMING = Timing()


def state(left: float | None, *, lifetime: float = 3600.0, refreshable: bool = True, **more) -> GrantState:
    return replace(
        BASE,
        expires_at=None if left is None else NOW + left,
        updated_at=NOW if left is None else NOW + left - lifetime,
        has_refresh_token=refreshable,
        generation=3,
        lease_holder=None,
        lease_until=None,
        **more,
    )


def judged(of: GrantState, *, min_ttl: float = 0.0, **more) -> Freshness:
    return freshness(of, now=NOW, min_ttl=min_ttl, timing=TIMING, **more)


@pytest.mark.parametrize(
    ("left", "min_ttl", "refreshable", "expected"),
    [
        (1000, 0, True, Freshness.FRESH),
        (200, 0, True, Freshness.STALE),
        (200, 250, True, Freshness.UNFIT),
        (29, 0, True, Freshness.DUE),
        (0, 0, True, Freshness.UNFIT),
        (-5, 0, True, Freshness.UNFIT),
        (1000, 1001, True, Freshness.UNFIT),
        (29, 0, False, Freshness.FRESH),
        (29, 60, False, Freshness.SPENT),
        (-5, 0, False, Freshness.SPENT),
        (None, 10**9, True, Freshness.FRESH),
    ],
)
def test_table(left, min_ttl, refreshable, expected):
    assert judged(state(left, refreshable=refreshable), min_ttl=min_ttl) is expected


def test_a_refused_or_narrower_token_does_not_serve():
    assert judged(state(1000), newer_than=3) is Freshness.UNFIT
    assert judged(state(1000), newer_than=2) is Freshness.FRESH
    assert judged(state(1000), covered=False) is Freshness.UNFIT
    assert judged(state(None, refreshable=False), newer_than=3) is Freshness.SPENT


def test_a_refresh_token_past_its_end_renews_nothing():
    assert judged(state(-5, refresh_expires_at=NOW - 1)) is Freshness.SPENT


@given(lifetime=st.floats(1, 10**7), secret=st.text(min_size=1, max_size=20))
def test_the_skew_is_a_part_of_the_lifetime_and_at_most_six_minutes(lifetime, secret):
    of = replace(state(lifetime, lifetime=lifetime), secret_id=secret)
    assert 0 < skew(of, TIMING) <= min(0.12 * lifetime + 1e-3, 360)
    assert skew(of, TIMING) == skew(of, TIMING)
    assert judged(of) is Freshness.FRESH


def test_tokens_of_one_moment_do_not_all_come_due_at_once():
    skews = {round(skew(replace(state(3600), secret_id=f"secret-{n}"), TIMING)) for n in range(1000)}
    assert len(skews) > 30


def test_after_a_failure_it_stays_due():
    failed = replace(state(200), updated_at=NOW, failures=1)
    assert judged(failed) is Freshness.STALE
