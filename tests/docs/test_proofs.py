"""``docs/threats.md`` and ``docs/security-rules.md``: every row has a proof, and every proof is a test."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LEAST = {"threats": 22, "security-rules": 40}


def rows_of(page: str) -> list[list[str]]:
    """The cells of each row, without the head and the lines that only name what follows."""
    lines = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8").splitlines()
    head, *rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")
    ]
    rows = [row for row in rows if row != head and not row[0].startswith("**")]
    assert {len(row) for row in rows} == {len(head)}, page
    return rows


ROWS = {page: rows_of(page) for page in LEAST}


@pytest.mark.parametrize("row", [row for rows in ROWS.values() for row in rows], ids=lambda row: row[0][:40])
def test_every_row_is_proven_by_tests_that_there_are(row: list[str]) -> None:
    *told, proof = row
    assert all(told)
    named = re.findall(r"`([^`]+)`", proof)
    assert named, "nothing proves it"
    for each in named:
        path, _, test = each.partition("::")
        assert test in _tests_in(ROOT / path), each


@pytest.mark.parametrize("page", LEAST)
def test_there_are_rows(page: str) -> None:
    assert len(ROWS[page]) >= LEAST[page]


@cache
def _tests_in(path: Path) -> set[str]:
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, functions)}
