"""How far a long command is: a bar on a terminal, a line every five seconds elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO

BAR = 28
REDRAW = 0.1
LINE = 5.0
"""Seconds between two drawings of the bar, and between two lines."""


class ProgressBar:
    """Writes to standard error, so that standard output holds what was asked for."""

    def __init__(
        self,
        label: str,
        *,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._label = label
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._terminal = self._stream.isatty()
        self._started = clock()
        self._told_at = float("-inf") if self._terminal else self._started
        self._drawn = 0

    def show(self, done: int, total: int) -> None:
        now = self._clock()
        if now - self._told_at < (REDRAW if self._terminal else LINE):
            return
        self._told_at = now
        self._write(done, total, now)

    def close(self, done: int, total: int) -> None:
        """Draw how it ended."""
        if self._terminal:
            self._write(done, total, self._clock())
            self._stream.write("\n")
            self._stream.flush()

    def _write(self, done: int, total: int, now: float) -> None:
        line = self._line(done, total, now - self._started)
        if self._terminal:
            self._stream.write("\r" + line.ljust(self._drawn))
            self._drawn = len(line)
        else:
            self._stream.write(line + "\n")
        self._stream.flush()

    def _line(self, done: int, total: int, elapsed: float) -> str:
        share = min(done / total, 1.0) if total else 1.0
        rate = done / elapsed if elapsed > 0 else 0.0
        left = _duration(max(total - done, 0) / rate) if rate else "?"
        full = round(share * BAR)
        bar = f" {'━' * full}{'─' * (BAR - full)}" if self._terminal else ""
        return f"{self._label}{bar} {done:,}/{max(total, done):,} {rate:,.0f}/s {left} left"


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"
