"""A provider's documents, changed in every place that a test may care about."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

Path = tuple[str | int, ...]

MISSING = object()
ODD: tuple[Any, ...] = (
    MISSING,
    None,
    "",
    " ",
    [],
    {},
    7,
    -0.5,
    True,
    "x" * 3000,
    "a\x00b",
    [None],
    {"a": []},
)
"""What may stand where something else is expected."""
ABSENT: tuple[Any, ...] = (MISSING, None, "", [], {})


def leaves(document: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every value that is neither object nor array, with the way to it."""
    items = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in items:
        if isinstance(value, dict | list):
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value


def places(document: Any, path: Path = ()) -> Iterator[Path]:
    """Every place in a document, inner ones after those that hold them."""
    items = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in items:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))


def with_value(document: Any, path: Path, value: Any) -> Any:
    """A copy with another value at ``path``, or none where it is MISSING."""
    changed = copy.deepcopy(document)
    node = changed
    for key in path[:-1]:
        node = node[key]
    if value is MISSING:
        del node[path[-1]]
    else:
        node[path[-1]] = value
    return changed


def changed_where(document: Any, chosen: Callable[[Path, Any], bool], value: Any) -> Any:
    """A copy with another value in every chosen leaf; the document itself where there is none."""
    for path, _ in reversed([leaf for leaf in leaves(document) if chosen(*leaf)]):
        document = with_value(document, path, value)
    return document
