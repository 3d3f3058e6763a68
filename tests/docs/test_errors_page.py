"""``docs/errors.md`` lists the exception tree as it is."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from connectors_core import ConnectorError, errors

ROOT = Path(__file__).parents[2]
SCRIPT = runpy.run_path(str(ROOT / "checks" / "errors_page.py"), run_name="errors_page")


def test_page_is_up_to_date() -> None:
    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    assert page == SCRIPT["rendered"](page), "run: python checks/errors_page.py"


@pytest.mark.parametrize("error", [error for _, error in SCRIPT["tree"](ConnectorError)])
def test_every_exception_says_what_it_means(error: type[ConnectorError]) -> None:
    assert error.__doc__
    assert error.code
    assert isinstance(error.step, errors.Step)


def test_tree_is_drawn_in_the_module() -> None:
    drawn = errors.__doc__ or ""
    assert [
        error.__name__ for _, error in SCRIPT["tree"](ConnectorError) if error.__name__ not in drawn
    ] == []
