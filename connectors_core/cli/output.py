"""What commands print."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any


def say(line: str) -> None:
    """Print a line on standard output: what was asked for."""
    sys.stdout.write(f"{line}\n")


def complain(line: str) -> None:
    """Print a line on standard error: what is wrong."""
    sys.stderr.write(f"{line}\n")


def print_document(document: Any) -> None:
    """Print one JSON document."""
    say(json.dumps(document, indent=2, ensure_ascii=False))


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print aligned columns; the last one may be as long as it likes."""
    table = [[title.upper() for title in head], *([cell or "-" for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
