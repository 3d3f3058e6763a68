"""JSON from outside, read strictly."""

from __future__ import annotations

import json
from typing import Any, NoReturn


def read_json(body: bytes) -> Any:
    """Return what ``body`` says, or raise ValueError with a fixed text that quotes nothing of it.

    Refused besides malformed JSON: a key given twice in one object (parsers disagree on which
    counts), ``NaN`` and ``Infinity``, nesting too deep to walk, numbers too long to hold, and bytes
    that are not UTF-8. A byte order mark is skipped. RFC 8259 §4, §8.1.
    """
    try:
        return _DECODER.decode(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise ValueError("is not the JSON we accept") from None


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError
    return result


def _no_constant(_: str) -> NoReturn:
    raise ValueError


_DECODER = json.JSONDecoder(object_pairs_hook=_distinct, parse_constant=_no_constant)
