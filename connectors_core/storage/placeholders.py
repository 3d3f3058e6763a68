"""Statements are written once, with ``:name`` parameters as SQLite reads them; drivers read others."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

_TOKEN = re.compile(
    r"""
      '(?:[^']|'')*'                     # string
    | "(?:[^"]|"")*"                     # identifier
    | --[^\n]* | /\*.*?\*/               # comment
    | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$    # dollar-quoted string
    | ::                                 # cast
    | :(?P<name>[A-Za-z_]\w*)
    | %
    """,
    re.VERBOSE | re.DOTALL,
)


@lru_cache(maxsize=1024)
def placeholders(sql: str) -> bytes:
    """Write ``:name`` as psycopg's ``%(name)s`` and ``%`` as ``%%``.

    Casts (``::``), strings, quoted identifiers and comments keep their colons. Not understood:
    array slices with a name for a bound, and backslash escapes of quotes in ``E''`` strings.
    """
    return _written(sql, named="%({})s".format, percent="%%")


@lru_cache(maxsize=1024)
def numbered(sql: str) -> tuple[bytes, tuple[str, ...]]:
    """Write ``:name`` as the server's own ``$1``; return the names too, in the order of their numbers."""
    names: dict[str, int] = {}
    written = _written(sql, named=lambda name: f"${names.setdefault(name, len(names) + 1)}", percent="%")
    return written, tuple(names)


def _written(sql: str, *, named: Callable[[str], str], percent: str) -> bytes:
    def replaced(match: re.Match[str]) -> str:
        return named(match["name"]) if match["name"] else match[0].replace("%", percent)

    return _TOKEN.sub(replaced, sql).encode()
