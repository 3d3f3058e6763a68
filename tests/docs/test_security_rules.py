"""``docs/security-rules.md``: every rule has a proof, and every proof is a test."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security-rules.md").read_text(encoding="utf-8")
ROWS = [
    (rule.strip(), proof)
    for rule, proof in (line.strip("|").split("|") for line in PAGE.splitlines() if line.startswith("| "))
    if rule.strip() != "rule" and not rule.strip().startswith("**")
]


@pytest.mark.parametrize(("rule", "proof"), ROWS, ids=[rule[:40] for rule, _ in ROWS])
def test_every_rule_is_held_by_tests_that_there_are(rule: str, proof: str) -> None:
    named = re.findall(r"`([^`]+)`", proof)
    assert named, "nothing proves it"
    for each in named:
        path, _, test = each.partition("::")
        assert test in _tests_in(ROOT / path), each


def test_there_are_rules() -> None:
    assert len(ROWS) >= 40


@cache
def _tests_in(path: Path) -> set[str]:
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, functions)}
