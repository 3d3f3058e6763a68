"""Whether a stored token serves a call, and whether to renew it. Pure; times are seconds since the epoch."""

from __future__ import annotations

import zlib
from enum import Enum

from ..grants import GrantState
from .timing import Timing


class Freshness(Enum):
    """What to do with the token that is stored."""

    FRESH = "serve it"
    STALE = "serve it and renew it meanwhile"
    DUE = "renew it, serve it where that fails"
    UNFIT = "renew it, it does not serve"
    SPENT = "it does not serve and cannot be renewed"


def freshness(
    state: GrantState,
    *,
    now: float,
    min_ttl: float,
    covered: bool = True,
    timing: Timing,
    newer_than: int | None = None,
) -> Freshness:
    """Judge an active grant for a call that needs ``min_ttl`` seconds.

    ``covered`` tells whether the stored access token carries the scopes that are needed;
    ``newer_than`` is the generation of a token that was refused: only a newer one serves.
    """
    left = float("inf") if state.expires_at is None else state.expires_at - now
    fit = covered and 0 < left >= min_ttl
    if newer_than is not None and state.generation <= newer_than:
        fit = False
    if fit and left > skew(state, timing):
        return Freshness.FRESH
    if not state.refreshable(now):
        return Freshness.FRESH if fit else Freshness.SPENT
    if not fit:
        return Freshness.UNFIT
    return Freshness.STALE if left > timing.hurry else Freshness.DUE


def skew(state: GrantState, timing: Timing) -> float:
    """How long before its end a token is renewed.

    A part of its lifetime, and up to a fifth more, the same for one grant at every call: tokens of
    one minute's sign-ins do not all come due in one minute.
    """
    if state.expires_at is None:
        return 0.0
    early = timing.earliest
    if not state.failures:
        early = min(early, max(0.0, state.expires_at - state.updated_at) * timing.early)
    return early * (1 + 0.2 * (zlib.crc32(state.secret_id.encode()) / 2**32))
