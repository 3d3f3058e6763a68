"""Durations as the ``jose`` libraries write them: "10 seconds", "5m", "1 week"; a number is seconds."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

_FORM = re.compile(r"(?:\+ ?)?(\d{1,9}(?:\.\d{1,9})?) ?([a-z]+)", re.IGNORECASE | re.ASCII)
_UNITS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), 86_400.0),
    **dict.fromkeys(("w", "week", "weeks"), 604_800.0),
    **dict.fromkeys(("y", "yr", "yrs", "year", "years"), 31_557_600.0),
}
"""Seconds; a year is 365.25 days."""


def parse_duration(value: object) -> float:
    """Return ``value`` in seconds, or raise ValueError. Neither "ago" nor negative: these are lengths."""
    if isinstance(value, str):
        found = _FORM.fullmatch(value)
        unit = _UNITS.get(found[2].lower()) if found else None
        if found is None or unit is None:
            raise ValueError('is not a duration: write "10 seconds", "5m", or a number of seconds')
        return float(found[1]) * unit
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e12:
        raise ValueError("is not a number of seconds")
    return float(value)


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0},
                {"type": "string", "pattern": "^[0-9.]+ ?[A-Za-z]+$"},
            ],
            "examples": ["10 seconds", "5m", 60],
        }
    ),
]
