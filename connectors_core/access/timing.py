"""Every duration in one place, and what is drawn from it. All are in seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

MOST_STEPS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long things take and may take.

    ``lease``: for how long nobody else asks the provider; it is renewed while its holder lives, so
    it bounds the wait after a crash. ``request`` is the sender's total deadline. ``patience`` is
    what one call waits at most. A token is renewed ``early`` of its lifetime before its end, at
    most ``earliest``, and later by at most a fifth of that for another grant. With more than
    ``hurry`` left nobody waits for that. ``takeover``: how long the answer of a holder that never
    reported back is waited for where a second use of its refresh token would revoke the grant.
    ``backoff`` grows by ``growth`` with every failure up to ``longest_backoff``; the wait is drawn below
    it. So an outage of seconds costs a handful of requests and is over seconds after its end, and
    within ``patience`` a provider may refuse a dozen times.
    ``longest_retry_after`` bounds what a provider may ask for. For ``commit_patience`` seconds a new
    pair is tried to be stored.
    """

    lease: float = 15.0
    request: float = 10.0
    patience: float = 20.0
    early: float = 0.1
    earliest: float = 300.0
    hurry: float = 30.0
    takeover: float = 60.0
    backoff: float = 0.5
    growth: float = 1.3
    longest_backoff: float = 60.0
    longest_retry_after: float = 900.0
    misconfigured: float = 30.0
    poll: tuple[float, float] = (0.02, 0.2)
    commit_retry: tuple[float, float] = (0.05, 2.0)
    commit_patience: float = 3600.0

    @property
    def longest_wait(self) -> float:
        """The longest that a failure keeps anybody from asking again."""
        return self.longest_retry_after + max(self.longest_backoff, self.misconfigured)

    def next_attempt(self, failures: int, draw: Callable[[], float]) -> float:
        """Full jitter: anything up to the backoff of the ``failures`` before. ``draw`` gives [0, 1)."""
        ceiling = self.backoff * self.growth ** min(failures, MOST_STEPS)
        return max(self.poll[0], min(ceiling, self.longest_backoff) * draw())


def uptime() -> float:
    """Seconds that go on while the process, or the whole machine where that can be told, sleeps."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return float(time.clock_gettime(time.CLOCK_BOOTTIME))
    return time.monotonic()
