"""Known secrets go in; nothing that the run prints may hold one."""

from __future__ import annotations

import base64
import logging
import traceback
from collections import defaultdict
from itertools import count

MARK = "canary-"
BLOCK = 4
"""Characters by which a text is looked up: all secrets at once, however many there are."""


def _encodings(value: str) -> tuple[str, ...]:
    """``value`` and what Base64 makes of it wherever in the encoded bytes it begins (Basic, JWT, state)."""
    found = [value]
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + value.encode()).decode().rstrip("=")
        # The first and last characters also depend on what stands beside the value.
        inner = encoded[(0, 2, 3)[offset] : (len(value) + offset) * 8 // 6]
        found += {inner, inner.translate(str.maketrans("+/", "-_"))}
    return tuple(found)


class Canary(logging.Handler):
    """Makes secrets, listens to every log record of the run, and tells where a secret came out."""

    def __init__(self) -> None:
        super().__init__(level=logging.DEBUG)
        self._numbers = count(1)
        self._watched: dict[str, str] = {}
        self._ending: defaultdict[str, list[str]] = defaultdict(list)
        self._watch(MARK, "a canary")
        self._heard: list[tuple[str, str]] = []
        self._checked = 0

    def secret(self, kind: str) -> str:
        """A new secret: a token, code, verifier, state, password … It holds URL-safe characters alone."""
        return f"{MARK}{kind}-{next(self._numbers):05d}-must-not-be-seen-anywhere"

    def watch(self, value: str, kind: str) -> str:
        """Treat as a secret what something else made: a state, a provider's token. Returns ``value``."""
        if len(value) < 12:
            raise ValueError("a secret this short would be found by chance")
        self._watch(value, kind)
        return value

    def _watch(self, value: str, kind: str) -> None:
        for secret in _encodings(value):
            if secret in self._watched:
                continue
            self._watched[secret] = kind
            # However a text is cut into blocks, one of them lies within the last 2 * BLOCK - 1 characters.
            end = secret[1 - 2 * BLOCK :]
            for at in range(BLOCK):
                self._ending[end[at : at + BLOCK]].append(secret)

    def emit(self, record: logging.LogRecord) -> None:
        self.hear(self.format(record), f"the log of {record.name}")

    def hear(self, text: str, where: str) -> None:
        """Keep text that was printed, for the check at the end of the test and of the run."""
        self._heard.append((text, where))

    def check(self, *things: object) -> None:
        """Fail if a page, a message, an exception with its causes or any value's text shows a secret."""
        for thing in things:
            self._check(_text(thing), f"the text of a {type(thing).__name__}")

    def check_heard(self, *, all_of_it: bool = False) -> None:
        """Fail if what was heard since the last check, or ever, shows a secret."""
        start, self._checked = self._checked, len(self._heard)
        for text, where in self._heard[0 if all_of_it else start :]:
            self._check(text, where)

    def _check(self, text: str, where: str) -> None:
        blocks = {text[at : at + BLOCK] for at in range(0, len(text), BLOCK)}
        likely = set().union(*(self._ending[block] for block in blocks & self._ending.keys()))
        shown = sorted({self._watched[secret] for secret in likely if secret in text})
        # The text itself is left out: a failing run is printed too.
        assert not shown, f"{where} shows {', '.join(shown)} ({len(text)} characters)"


def _text(thing: object) -> str:
    if isinstance(thing, bytes | bytearray):
        return thing.decode("utf-8", errors="replace")
    if isinstance(thing, BaseException):
        chain = "".join(traceback.format_exception(thing))
        return f"{thing}\n{thing!r}\n{thing.args!r}\n{chain}\n{vars(thing)!r}"
    return thing if isinstance(thing, str) else f"{thing}\n{thing!r}"
