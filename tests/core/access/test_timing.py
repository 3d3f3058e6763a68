"""How long to wait after a failure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors_core.access.timing import Timing
from connectors_core.errors import NotSent, TemporarilyUnavailable

from .conftest import refused

TIMING = Timing()


@given(failures=st.integers(0, 10**6), drawn=st.floats(0, 1, exclude_max=True))
def test_the_wait_is_drawn_from_all_below_a_ceiling_that_grows(failures, drawn):
    ceiling = TIMING.next_attempt(failures, lambda: 1.0)
    assert TIMING.next_attempt(failures, lambda: drawn) == pytest.approx(max(TIMING.poll[0], ceiling * drawn))
    assert TIMING.next_attempt(failures + 1, lambda: 1.0) >= ceiling
    assert ceiling <= TIMING.longest_backoff


@pytest.mark.parametrize(("failures", "ceiling"), [(0, 0.5), (1, 0.65), (2, 0.845), (18, 56.228), (19, 60)])
def test_the_ceiling_is_as_documented(failures, ceiling):
    assert TIMING.next_attempt(failures, lambda: 1.0) == pytest.approx(ceiling, abs=0.001)


@pytest.mark.parametrize(("drawn", "wait"), [(0.0, 0.02), (0.25, 0.125), (0.99, 0.495)])
async def test_hosts_that_fail_in_one_moment_do_not_come_back_in_one(
    world, access, held, keep, connector, store, drawn, wait
):
    await keep(left=-1)
    world.drawn = drawn
    connector.seen.answers = [NotSent("refused")]
    failed_at = world.now
    assert (await world.run(access.token(held))).access_token == "access-1"
    assert world.now - failed_at == pytest.approx(wait)


@pytest.mark.parametrize("drawn", [0.0, 0.99])
async def test_after_retry_after_they_come_back_apart_and_never_before(
    world, access, held, keep, connector, store, drawn
):
    await keep(left=-1)
    world.drawn = drawn
    connector.seen.answers = [refused("slow_down", 429, retry_after=60.0)]
    with pytest.raises(TemporarilyUnavailable):
        await world.run(access.token(held))
    state = await store.state("default", "identity-1")
    assert state.retry_at - world.now == pytest.approx(60 + max(0.02, 0.5 * drawn))
