"""Wrong files, each with the problems that are expected beside it (``*.expected``)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connectors_core.config import load_configuration
from connectors_core.errors import ConfigurationError
from connectors_core.registry import Registry

FOLDER = Path(__file__).parent / "wrong"
FILES = sorted(FOLDER.glob("*.toml"))


def environment(canary: Any) -> dict[str, str]:
    return {
        "EMPTY": "",
        "CONNECTORS_KEYS": canary.secret("keys"),
        "CONNECTORS_ADMIN_TOKEN": canary.secret("admin-token"),
        "CHATTY_PASSWORD": canary.watch("hunter2-hunter2-hunter2", "a password"),
    }


def told(file: Path, registry: Registry, canary: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(file, registry=registry, environ=environment(canary))
    assert all(problem.source == str(file) for problem in caught.value.problems)
    canary.check(caught.value, *caught.value.problems)
    return str(caught.value).replace(f"{file}: ", "")


def test_there_are_at_least_twenty_wrong_files() -> None:
    assert len(FILES) >= 20
    assert {file.stem for file in FILES} == {file.stem for file in FOLDER.glob("*.expected")}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_mistake_is_told_at_once_with_its_place_and_cure(
    file: Path, registry: Registry, canary: Any
) -> None:
    assert told(file, registry, canary) == file.with_suffix(".expected").read_text().rstrip("\n")


def test_no_secret_of_a_file_is_told(registry: Registry, canary: Any) -> None:
    """Every secret in these files begins with ``canary-``."""
    everything = "".join(told(file, registry, canary) for file in FILES)
    assert "canary-" not in everything
    assert "canary-" in "".join(file.read_text() for file in FILES)
