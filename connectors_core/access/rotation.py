"""What a provider does to a used refresh token, and how long to wait for a holder that fell silent."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..grants import GrantState
from .timing import Timing

SHORTEST_LEASE = 2.0
FOREIGN = 60.0
"""Seconds: a lease that ends so much later than it can is of before a clock was set back; it is free."""

_POLICY = re.compile(r"none|overlap|strict|grace:([0-9]{1,6})")


@dataclass(frozen=True, slots=True)
class Rotation:
    """``name`` is none, overlap, grace or strict; ``grace`` is in seconds."""

    name: str = "strict"
    grace: float = 0.0

    @classmethod
    def read(cls, text: str) -> Rotation:
        """The policy that ``text`` (``grace:30``) states; what is unknown counts as strict."""
        match = _POLICY.fullmatch(text)
        if match is None:
            return cls()
        if match[1] is None:
            return cls(text)
        return cls("grace", float(match[1]))

    @property
    def loses(self) -> bool:
        """Whether an answer that is lost takes the only good refresh token along."""
        return self.name not in ("none", "overlap")

    def lease(self, timing: Timing) -> float:
        """How long a lease lasts: well within the grace, so that a crash is noticed before it ends."""
        if self.name == "grace":
            return min(timing.lease, max(self.grace / 2, min(SHORTEST_LEASE, timing.lease)))
        return timing.lease

    def free_at(self, state: GrantState, now: float, timing: Timing) -> float:
        """When the provider may be asked about a grant that is not due before; 0 where it may be now."""
        retry_at = state.retry_at or 0.0
        if retry_at > now + timing.longest_wait:
            retry_at = 0.0  # written by a host whose clock is ahead: nobody is told to wait that long
        return max(retry_at, self.takeover_at(state, now, timing))

    def takeover_at(self, state: GrantState, now: float, timing: Timing) -> float:
        """When the grant may be asked about, where a holder let its lease run out; else 0.

        Under strict reuse detection the next attempt is what kills a pair that a paused holder
        still brings home. So the holder is given time, while the present token serves.
        """
        if state.lease_until is None or state.lease_until > now or not self._spares(state):
            return 0.0
        assert state.expires_at is not None
        return min(state.lease_until + timing.takeover, state.expires_at)

    def spared(self, state: GrantState, now: float, timing: Timing) -> bool:
        """Whether a lease is not to be asked for, lest it be won in the moment in which it runs out.

        By then its holder is silent, and ``takeover_at`` counts.
        """
        if state.lease_until is None or state.expires_at is None or not self._spares(state):
            return False
        return now < state.expires_at and now < state.lease_until <= now + self.lease(timing) + FOREIGN

    def _spares(self, state: GrantState) -> bool:
        return self.name == "strict" and state.lease_holder is not None and state.expires_at is not None
