"""``docs/authoring.md``: the connectors that it shows pass the tests that it shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.docs.conftest import World
from tests.docs.test_snippets import run

PAGE = Path(__file__).parents[2] / "docs" / "authoring.md"
SHOWN = (
    *("TestAcme", "TestAcmeID", "TestAcmeGames", "TestPieces", "TestStaff", "TestLonger", "TestForgetful"),
)


@pytest.fixture
def shown(world: World) -> dict[str, Any]:
    return dict(run(PAGE))


@pytest.mark.parametrize("name", SHOWN)
def test_shown_tests_pass(name: str, shown: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    kind = shown[name]
    for test in sorted(each for each in dir(kind) if each.startswith("test_") and each != "test_case"):
        try:
            getattr(kind(), test)()
        except pytest.skip.Exception:
            continue
    for case in kind().cases()[::7]:
        kind().test_case(case, caplog)


def test_every_test_class_is_played(shown: dict[str, Any]) -> None:
    classes = {name for name, value in shown.items() if name.startswith("Test") and isinstance(value, type)}
    assert classes == set(SHOWN)
