"""``docs/dependencies.md`` has a line for everything that is asked for by name."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]


def asked_for() -> Iterator[str]:
    for manifest in [
        ROOT / "pyproject.toml",
        *ROOT.glob("connectors/*/pyproject.toml"),
        ROOT / "embedded/pyproject.toml",
        ROOT / "host/pyproject.toml",
        ROOT / "demo/pyproject.toml",
    ]:
        project = tomllib.loads(manifest.read_text(encoding="utf-8"))["project"]
        yield from project["dependencies"]
        for extra in project.get("optional-dependencies", {}).values():
            yield from extra
    for names in sorted(ROOT.glob("requirements/*.in")):
        yield from (line for line in names.read_text(encoding="utf-8").splitlines() if line[:1].isalpha())


def test_every_dependency_has_its_line() -> None:
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    names = {re.split(r"[^A-Za-z0-9._-]", line)[0].lower() for line in asked_for()}
    missing = [
        name for name in sorted(names) if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", page)
    ]
    assert [name for name in missing if not name.startswith("connectors-")] == []
