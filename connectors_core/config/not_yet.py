"""Settings that this version accepts and gives no effect to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import Problem

NOT_YET: Mapping[tuple[str, ...], str] = {
    ("host", "admin_token"): "there is no console or management API yet",
    ("host", "trusted_proxies"): "requests are not limited yet",
    ("host", "strict"): "there is no posture report to hold against yet",
    ("host", "rate_limits", "*"): "requests are not limited yet",
}
"""Place of a setting (``*`` is any id) and why it has no effect.

Whoever gives one effect deletes its line.
"""


def without_effect(said: Mapping[str, Any], *, source: str = "") -> tuple[Problem, ...]:
    """What a file says to no effect; ``said`` holds its settings that are not the defaults."""
    return tuple(
        Problem(place, "has no effect in this version", reason, source)
        for pattern, reason in NOT_YET.items()
        for place in _places(said, pattern)
    )


def _places(value: Any, pattern: tuple[str, ...], place: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if not pattern:
        yield place
    elif isinstance(value, Mapping):
        for key in value if pattern[0] == "*" else {pattern[0]} & value.keys():
            yield from _places(value[key], pattern[1:], (*place, key))
