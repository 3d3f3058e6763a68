"""The locks say what is installed and nothing of where it came from."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
MANIFESTS = [
    ROOT / "pyproject.toml",
    *sorted(ROOT.glob("connectors/*/pyproject.toml")),
    ROOT / "embedded/pyproject.toml",
    ROOT / "host/pyproject.toml",
    ROOT / "demo/pyproject.toml",
]

LINE = re.compile(
    r"(?P<pin>[a-z0-9][a-z0-9._-]*==[0-9][a-z0-9.+!]*)( ; [^\\]+)? \\"
    r"|    --hash=sha256:[0-9a-f]{64}( \\)?"
    r"|    #( via)?( +[a-z0-9][a-z0-9._-]*)?"
    r"( \((host/|demo/|embedded/|connectors/[a-z0-9-]+/)?pyproject\.toml(:[a-z]+)?\))?"
    r"|    #( via)? +-[rc] requirements/[a-z]+\.(in|txt)"
    r"|(# (The following packages were excluded from the output:|connectors-[a-z0-9-]+))?"
)


def pins(lock: Path) -> dict[str, str]:
    """Name and version, with the marker, of every package of a lock."""
    lines = lock.read_text(encoding="utf-8").splitlines()
    return {name: rest for name, found, rest in (line.partition("==") for line in lines) if found}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_lock_holds_pins_and_hashes_and_no_address(lock: Path) -> None:
    strange = [line for line in lock.read_text(encoding="utf-8").splitlines() if not LINE.fullmatch(line)]
    assert strange == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_pin_has_a_hash(lock: Path) -> None:
    blocks = re.split(r"(?m)^(?=[a-z0-9])", lock.read_text(encoding="utf-8"))
    assert [
        block.splitlines()[0] for block in blocks if "==" in block and "--hash=sha256:" not in block
    ] == []


def test_demo_is_a_part_of_development() -> None:
    demo, development = (pins(ROOT / "requirements" / name) for name in ("demo.txt", "development.txt"))
    assert demo.items() <= development.items()


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: path.parent.name)
def test_what_a_distribution_depends_on_is_locked(manifest: Path) -> None:
    locked = pins(ROOT / "requirements" / "demo.txt")
    project = tomllib.loads(manifest.read_text(encoding="utf-8"))["project"]
    wanted = [re.split(r"[^A-Za-z0-9._-]", line)[0].lower() for line in project["dependencies"]]
    assert [name for name in wanted if not name.startswith("connectors-") and name not in locked] == []


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: path.parent.name)
def test_distributions_agree_on_python_licence_and_backend(manifest: Path) -> None:
    document = tomllib.loads(manifest.read_text(encoding="utf-8"))
    assert document["build-system"]["build-backend"] == "hatchling.build"
    assert document["project"]["requires-python"] == ">=3.11"
    assert document["project"]["license"] == "MIT"
    assert (manifest.parent / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: path.parent.name)
def test_package_is_typed(manifest: Path) -> None:
    packages = [path.parent for path in manifest.parent.glob("connectors_*/__init__.py")]
    assert packages
    assert all((package / "py.typed").is_file() for package in packages)
