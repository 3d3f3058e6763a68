"""Entry points of installed distributions: found without importing, loaded under a guard."""

from __future__ import annotations

import importlib.metadata
import re
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Any

TYPES_GROUP = "connectors_core.types"
PLUGINS_GROUP = "connectors_core.plugins"

MAX_CAUSE = 300
"""Characters kept of what a plugin says about its failure."""


class Status(StrEnum):
    """What became of an entry point."""

    AVAILABLE = "available"
    LOADED = "loaded"
    FAILED = "failed"
    BLOCKED = "blocked"
    INCOMPATIBLE = "incompatible"
    SHADOWED = "shadowed"


@dataclass(frozen=True, slots=True)
class Installed:
    """An entry point and the distribution that brings it. ``fault`` says why it cannot be read at all."""

    name: str
    distribution: str
    version: str
    entry_point: importlib.metadata.EntryPoint | None = None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class LoadFailure:
    """Why an entry point could not be loaded: one line, and the traceback for those who ask."""

    cause: str
    traceback: str


def normalise(name: str) -> str:
    """Return a distribution name in the one spelling that is compared. PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def precedence(name: str, distribution: str) -> tuple[bool, bool, str]:
    """Sort key of those that claim one name; the smallest wins.

    First the distribution named after it (``connectors-google`` for ``google``), then other
    ``connectors-*``, then by distribution name: a newcomer cannot take a name by sorting early.
    """
    spelled = normalise(distribution)
    return (
        spelled != normalise(f"connectors-{name}"),
        not spelled.startswith("connectors-"),
        spelled,
    )


def is_blocked(name: str, distribution: str, *, allow: Iterable[str], block: Iterable[str]) -> str:
    """Return why the operator's lists bar an entry point, or ``""``. An empty ``allow`` allows all."""
    names = {normalise(name), normalise(distribution)}
    if names & {normalise(entry) for entry in block}:
        return "on the block list"
    allowed = {normalise(entry) for entry in allow}
    return "not on the allow list" if allowed and not names & allowed else ""


def installed(group: str) -> list[Installed]:
    """Every entry point of ``group``, by name and precedence, without importing anything.

    A distribution that cannot be read is reported, not raised. Of two copies of one the first on
    ``sys.path`` counts, as everywhere in Python.
    """
    found: list[Installed] = []
    seen: set[str] = set()
    for distribution in importlib.metadata.distributions():
        try:
            text = distribution.read_text("entry_points.txt") or ""
        except (OSError, UnicodeError):
            continue
        if group not in text:
            continue
        name, version = _name_and_version(distribution)
        if normalise(name) in seen:
            continue
        seen.add(normalise(name))
        try:
            points = distribution.entry_points.select(group=group)
            found += (Installed(point.name, name, version, point) for point in points)
        except Exception as error:
            # importlib.metadata raises whatever its parser stumbles over (TypeError for a line without "=").
            fault = f"its entry_points.txt cannot be read ({type(error).__name__})"
            found.append(Installed("", name, version, fault=fault))
    return sorted(found, key=lambda one: (one.name, precedence(one.name, one.distribution)))


def installed_names() -> set[str]:
    """The names that an operator's lists may hold: type ids, plugin names, distributions; normalised."""
    points = [*installed(TYPES_GROUP), *installed(PLUGINS_GROUP)]
    return {normalise(name) for point in points for name in (point.name, point.distribution)}


def load(point: Installed) -> Any | LoadFailure:
    """Import what an entry point names, or say why that failed.

    Contains everything a plugin may raise, ``SystemExit`` included, except ``KeyboardInterrupt``.
    """
    if point.entry_point is None:
        return LoadFailure(point.fault, "")
    try:
        return point.entry_point.load()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return failure(error)


def failure(error: BaseException) -> LoadFailure:
    """What ``error`` says, in one line with the module that raised it, and its traceback."""
    try:
        said = " ".join(str(error).split())
    except Exception:
        said = ""
    text = f"{type(error).__name__}: {said}" if said else type(error).__name__
    text = "".join(c for c in text if c.isprintable())
    if len(text) > MAX_CAUSE:
        text = text[: MAX_CAUSE - 1] + "…"
    place = _raised_in(error.__traceback__)
    try:
        trace = "".join(traceback.format_exception(error))
    except Exception:
        trace = ""
    return LoadFailure(f"{text} (in {place})" if place else text, trace)


def _raised_in(trace: TracebackType | None) -> str:
    """The innermost module outside the import system, with its line."""
    place = ""
    while trace is not None:
        module = str(trace.tb_frame.f_globals.get("__name__", ""))
        if module and module != __name__ and not module.startswith(("importlib", "_frozen_importlib")):
            place = f"{module}, line {trace.tb_lineno}"
        trace = trace.tb_next
    return place


def _name_and_version(distribution: importlib.metadata.Distribution) -> tuple[str, str]:
    """Read the two headers by hand: the e-mail parser behind ``metadata`` costs more than all the rest."""
    try:
        text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
    except (OSError, UnicodeError):
        text = ""
    lines = (line.partition(":") for line in text.split("\n\n", 1)[0].splitlines())
    headers = {key.lower(): value.strip() for key, colon, value in lines if colon}
    return headers.get("name", ""), headers.get("version", "")
