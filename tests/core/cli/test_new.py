"""``connectors new`` writes a distribution whose tests pass as they are."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from connectors_core.cli import main

ROOT = Path(__file__).parents[3]


def run_pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """pytest in ``folder``, which is installed nowhere."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("kind", ["oauth2", "oidc"])
def test_generated_tests_pass_as_generated(kind: str, tmp_path: Path) -> None:
    folder = tmp_path / "connectors-acme-id"
    assert main(["new", "acme-id", "--kind", kind, "--directory", str(folder)]) == 0
    done = run_pytest(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    manifest = tomllib.loads((folder / "pyproject.toml").read_text())
    points = manifest["project"]["entry-points"]["connectors_core.types"]
    assert points == {"acme-id": "connectors_acme_id:AcmeId"}


@pytest.mark.parametrize("kind", ["oauth2", "oidc"])
def test_generated_code_is_clean(kind: str, tmp_path: Path) -> None:
    main(["new", "acme", "--kind", kind, "--directory", str(tmp_path / "new")])
    ruff = Path(sys.executable).with_name("ruff")
    config = ("--config", str(ROOT / "pyproject.toml"), "--no-cache")
    for check in (("check", *config), ("format", "--check", *config)):
        done = subprocess.run([ruff, *check, tmp_path / "new"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_grid_of_a_connector_is_printed(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    main(["new", "acme", "--directory", str(folder)])
    done = run_pytest(folder, "--connector=connectors_acme:Acme", "-k", "state or signs")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "grid of connectors_acme:Acme" in done.stdout
    assert "callback.state-missing" in done.stdout
    assert "RFC 6749 §10.12: no state" in done.stdout
    for named, told in (
        ("connectors_acme:Nobody", "has no attribute"),
        ("json:JSONDecoder", "no conformance"),
    ):
        done = run_pytest(folder, f"--connector={named}")
        assert done.returncode == 4
        assert told in done.stderr + done.stdout


@pytest.mark.parametrize("name", ["Acme", "acme_id", "../acme", "a--b", "class", "1st", ""])
def test_a_name_that_cannot_be_an_id_is_refused(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["new", "--directory", str(tmp_path / "new"), "--", name]) == 1
    assert "NAME: is not a type id" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "pyproject.toml").write_text("mine")
    assert main(["new", "acme", "--directory", str(tmp_path)]) == 1
    assert "not empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["pyproject.toml"]
