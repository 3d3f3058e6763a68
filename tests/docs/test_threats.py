"""``docs/threats.md``: every threat has a proof, and every proof is a test."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs" / "threats.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith("| threat ")
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:40])
def test_every_threat_is_met_by_tests_that_there_are(row: list[str]) -> None:
    threat, defence, proof = row
    assert threat
    assert defence
    named = re.findall(r"`([^`]+)`", proof)
    assert named, "nothing proves it"
    for each in named:
        path, _, test = each.partition("::")
        assert test in _tests_in(ROOT / path), each


def test_there_are_rows() -> None:
    assert len(ROWS) >= 22


def _tests_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(tree) if isinstance(node, functions)}
