"""The TOML file as it stands: read, and mistakes of its shape told."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import ConfigurationError, Problem

TABLES = ("host", "plugins", "connectors", "apps")
MAX_FILE = 4 * 1024 * 1024
"""Bytes of a configuration file."""


def read_document(path: Path) -> dict[str, Any]:
    """Return the file's tables. Raises ConfigurationError where it cannot be read or is not TOML."""
    source = str(path)

    def wrong(message: str, cure: str = "") -> ConfigurationError:
        return ConfigurationError([Problem((), message, cure, source)])

    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_FILE + 1)
    except FileNotFoundError:
        cure = "connectors init, of connectors-host, writes one; --config names another"
        raise wrong("there is no such file", cure) from None
    except OSError as error:
        raise wrong(f"cannot be read: {error.strerror}") from None
    if len(content) > MAX_FILE:
        raise wrong(f"is larger than {MAX_FILE} bytes")
    try:
        return tomllib.loads(content.decode())
    except tomllib.TOMLDecodeError as error:
        raise wrong(f"is not TOML: {_reason(str(error), content.decode())}") from None
    except UnicodeDecodeError as error:
        raise wrong(f"is not UTF-8 at byte {error.start}") from None
    except RecursionError:
        raise wrong("is nested too deeply") from None


def _reason(message: str, text: str) -> str:
    """tomllib's message up to anything it quotes from the file, which may be a secret, and the place."""
    reason = re.split(r"[\"'(]", message, maxsplit=1)[0].strip() or "cannot be understood"
    if place := re.search(r"\(at line (\d+), column (\d+)\)$", message):
        return f"{reason}, at line {place[1]}, column {place[2]}"
    return f"{reason}, at line {text.count(chr(10)) + 1}, column {len(text) - text.rfind(chr(10))}"


def unknown_tables(document: Mapping[str, Any], *, source: str) -> list[Problem]:
    """Top-level keys that are no table of ours."""
    problems = []
    for key in document:
        if key not in TABLES:
            near = difflib.get_close_matches(key, TABLES, n=1, cutoff=0.6)
            cure = f"did you mean {near[0]}?" if near else f"known tables: {', '.join(TABLES)}"
            problems.append(Problem((key,), "is not a known table", cure, source))
    return problems


def table(document: Mapping[str, Any], *path: str, source: str, problems: list[Problem]) -> dict[str, Any]:
    """The table at ``path``, empty where there is none; notes a problem where something else stands."""
    value: Any = document
    for part in path:
        value = value.get(part, {}) if isinstance(value, Mapping) else {}
    if isinstance(value, Mapping):
        return dict(value)
    problems.append(Problem(path, "must be a table", f"write [{'.'.join(path)}]", source))
    return {}
