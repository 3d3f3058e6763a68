"""A connector stays small: what it needs is in the core, and what it has left is its provider's own."""

from __future__ import annotations

import ast
import io
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MOST = {
    "connectors/google/connectors_google": 60,
    "connectors/github/connectors_github": 40,
    "connectors/facebook/connectors_facebook": 60,
    "connectors/oidc/connectors_oidc": 80,
    "connectors/oauth2/connectors_oauth2": 100,
    "tests/core/oauth2/github_connector.py": 40,
}
"""Lines of code, by package or by module."""
LEFT_OUT = {"__init__.py", "config.py", "durations.py"}
"""A package's list of names, and the models of its configuration."""

_SILENT = (
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
)


def code_lines(source: str) -> int:
    """The lines that are neither blank, nor a comment, nor part of a docstring."""
    texts = {
        line
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    spoken = {
        line
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type not in _SILENT
        for line in range(token.start[0], token.end[0] + 1)
    }
    return len(spoken - texts)


SOURCE = '''"""One.

Two."""

# comment
x = (
    1,  # why
)
"""About x."""

def f():
    """Three."""
    return """

"""
'''


def test_lines_of_code_are_counted_without_what_only_speaks() -> None:
    assert code_lines(SOURCE) == 3 + 1 + 3


@pytest.mark.parametrize(("place", "most"), MOST.items())
def test_a_connector_has_few_lines_of_code(place: str, most: int) -> None:
    path = ROOT / place
    modules = [path] if path.is_file() else [file for file in path.glob("*.py") if file.name not in LEFT_OUT]
    assert modules
    assert sum(code_lines(module.read_text(encoding="utf-8")) for module in modules) <= most
