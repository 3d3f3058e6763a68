"""The plugin is loaded into every test run of an environment: it costs next to nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

import connectors_core

HEAVY = ("pydantic", "httpx", "authlib", "joserfc", "cryptography", "sqlalchemy", "asyncio")


def test_the_plugin_imports_nothing_before_a_fixture_is_asked_for() -> None:
    script = (
        "import sys, pytest; before = set(sys.modules); import connectors_core.testing.plugin;"
        "print(*sorted(set(sys.modules) - before))"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    loaded = told.split()
    assert not [name for name in loaded if name.partition(".")[0] in HEAVY]
    ours = {name for name in loaded if name.startswith("connectors_core")}
    assert ours == {"connectors_core", "connectors_core.testing", "connectors_core.testing.plugin"}


def test_every_public_name_is_there_and_no_other() -> None:
    assert set(connectors_core._HOMES) == set(connectors_core.__all__)
    for name in connectors_core.__all__:
        assert getattr(connectors_core, name).__name__ == name
    assert set(connectors_core.__all__) <= set(dir(connectors_core))
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = connectors_core.Nothing
