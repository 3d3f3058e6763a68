from __future__ import annotations

import ast
from pathlib import Path

import connectors_core.oauth2 as oauth2


def test_everything_imported_is_exported_once():
    tree = ast.parse(Path(oauth2.__file__).read_text())
    imported = {
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert imported == set(oauth2.__all__)
    assert len(imported) == len(oauth2.__all__)


def test_nothing_of_oidc_is_imported():
    for path in Path(oauth2.__file__).parent.glob("*.py"):
        modules = {
            n.module or "" for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.ImportFrom)
        }
        assert not any("oidc" in module for module in modules), path.name
