"""A connector that cannot be asked is not asked for every grant anew. In this process only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ..connector import FailureKind, RefreshFailure
from .timing import Timing

DIFFERENT = 3
"""Grants that must fail in a row before the connector is held to be at fault, not one of them."""


LOOK = 1.0
"""Seconds after which to look again while somebody asks."""


@dataclass(slots=True)
class Breaker:
    """Closed until a client-wide refusal, or failures of ``DIFFERENT`` grants without a success between.

    While open nobody asks; when its time is over one may try, and the next after the answer. Who
    asks says ``enter`` before and ``left`` at the end, whatever came of it. Times are those of a
    monotonic clock, in seconds.
    """

    timing: Timing
    draw: Callable[[], float]
    misconfigured: str = ""
    message: str = ""
    open_until: float = 0.0
    _opened: int = 0
    _asked: bool = False
    _failing: set[str] = field(default_factory=set)

    def wait(self, now: float) -> float:
        """Seconds until somebody may ask, or until to look whether who asks was answered; 0: closed."""
        left = max(0.0, self.open_until - now)
        return min(left, LOOK) if self._asked else left

    def enter(self, now: float) -> int:
        """Ask: while it is not known to be well, others wait for this answer. Returns ``entered``."""
        if self._opened:
            self.open_until, self._asked = now + self.timing.request, True
        return self._opened

    def left(self, entered: int, now: float) -> None:
        """Where nothing was heard after all, another may ask at once."""
        if self._asked and entered == self._opened:
            self.open_until, self._asked = now, False

    def succeeded(self) -> None:
        self._failing.clear()
        self._opened, self.open_until, self._asked, self.misconfigured = 0, 0.0, False, ""

    def heard_of_success(self) -> None:
        """Another process was answered: so may this one be, unless it is this client that was refused."""
        if not self.misconfigured:
            self.succeeded()

    def failed(self, grant: str, failure: RefreshFailure, now: float, entered: int) -> None:
        if failure.kind is FailureKind.DEAD:
            # The provider answered, and spoke of this grant alone.
            self.succeeded()
            return
        if entered != self._opened:
            return  # asked before it opened: of one outage many such answers come, and say nothing new
        if len(self._failing) < DIFFERENT:
            self._failing.add(grant)
        certain = failure.kind is FailureKind.MISCONFIGURED
        if not certain and not self._opened and len(self._failing) < DIFFERENT:
            return
        if certain or failure.kind is FailureKind.REFUSED:
            self.misconfigured, self.message = failure.error, failure.message
            wait = self.timing.misconfigured
        else:
            self.misconfigured = ""
            asked = min(failure.retry_after or 0.0, self.timing.longest_retry_after)
            wait = max(asked, self.timing.next_attempt(self._opened + 1, self.draw))
        self._opened += 1
        self.open_until, self._asked = now + wait, False
