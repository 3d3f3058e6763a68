"""The floors are held: each rule of ``checks/floors.py`` is broken once in a small copy and reported."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def modules() -> set[str]:
    """Every module that has a floor."""
    manifest = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    floors = next(each for each in manifest["tool"]["importlinter"]["contracts"] if each["id"] == "floors")
    return {name for layer in floors["layers"] for name in re.findall(r"\w+", layer)}


def write(root: Path, path: str, text: str = "") -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text, encoding="utf-8")


def build(tmp_path: Path) -> Path:
    """The floors with nothing in the rooms, and four members."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    write(tmp_path, "connectors_core/__init__.py", '__all__ = ["Hub"]\nHub = _inner = None\n')
    for module in modules():
        write(tmp_path, f"connectors_core/{module}.py")
    members = {
        "connectors/acme": "connectors_acme",
        "embedded": "connectors_embedded",
        "host": "connectors_host",
    }
    for folder, package in members.items():
        write(tmp_path, f"{folder}/pyproject.toml")
        write(tmp_path, f"{folder}/{package}/__init__.py", "from connectors_core import Hub\n")
    write(tmp_path, "connectors/other/pyproject.toml")
    write(tmp_path, "connectors/other/connectors_other/__init__.py")
    write(tmp_path, "demo/pyproject.toml")
    write(tmp_path, "demo/connectors_demo/__init__.py")
    return tmp_path


def check(root: Path) -> subprocess.CompletedProcess[str]:
    script = ROOT / "checks" / "floors.py"
    return subprocess.run([sys.executable, script, root], capture_output=True, text=True, check=False)


def test_floors_hold_here() -> None:
    done = check(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_demo_puts_everybody_together(tmp_path: Path) -> None:
    house = build(tmp_path)
    text = "import connectors_acme, connectors_host\nimport connectors_core.testing.provider\n"
    write(house, "demo/connectors_demo/together.py", text)
    done = check(house)
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_empty_house_holds_and_type_checking_imports_are_free(tmp_path: Path) -> None:
    house = build(tmp_path)
    write(
        house,
        "connectors_core/errors.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import httpx, connectors_core.hub\n",
    )
    done = check(house)
    assert done.returncode == 0, done.stdout + done.stderr


ACME = "connectors/acme/connectors_acme/__init__.py"
EMBEDDED = "embedded/connectors_embedded/__init__.py"
HOST = "host/connectors_host/pages.py"

BROKEN = {
    "a lower floor imports a higher one": (
        "connectors_core/registry.py",
        "import connectors_core.config",
        "connectors_core.registry -> connectors_core.config",
    ),
    "an import inside a function": (
        "connectors_core/http.py",
        "def f():\n    from connectors_core import flow",
        "connectors_core.http -> connectors_core.flow",
    ),
    "oauth2 imports oidc": (
        "connectors_core/oauth2.py",
        "import connectors_core.oidc",
        "connectors_core.oauth2 -> connectors_core.oidc",
    ),
    "flow imports the vault": (
        "connectors_core/flow.py",
        "import connectors_core.vault",
        "connectors_core.flow -> connectors_core.vault",
    ),
    "access imports storage": (
        "connectors_core/access.py",
        "import connectors_core.storage",
        "connectors_core.access -> connectors_core.storage",
    ),
    "storage imports the flow": (
        "connectors_core/storage.py",
        "import connectors_core.flow",
        "connectors_core.storage -> connectors_core.flow",
    ),
    "the contract imports httpx": (
        "connectors_core/connector.py",
        "import httpx",
        "connectors_core.connector -> httpx",
    ),
    "the contract imports joserfc": (
        "connectors_core/tokens.py",
        "from joserfc import jwk",
        "connectors_core.tokens -> joserfc",
    ),
    "config imports a protocol": (
        "connectors_core/config.py",
        "import connectors_core.oauth2",
        "connectors_core.config -> connectors_core.oauth2",
    ),
    "a command imports a protocol": (
        "connectors_core/cli.py",
        "import connectors_core.oidc",
        "connectors_core.cli -> connectors_core.oidc",
    ),
    "the hub imports testing": (
        "connectors_core/hub.py",
        "import connectors_core.testing",
        "connectors_core.hub -> connectors_core.testing",
    ),
    "the core imports a connector": (
        "connectors_core/sync.py",
        "import connectors_acme",
        "connectors_core.sync -> connectors_acme",
    ),
    "a connector imports its sibling": (
        ACME,
        "import connectors_other",
        "connectors_acme -> connectors_other",
    ),
    "a connector imports the host": (ACME, "import connectors_host", "connectors_acme -> connectors_host"),
    "a connector imports testing": (
        ACME,
        "import connectors_core.testing",
        "connectors_acme -> connectors_core.testing",
    ),
    "the host imports a connector": (
        HOST,
        "import connectors_acme",
        "connectors_host.pages -> connectors_acme",
    ),
    "embedded sign-in imports the host": (
        EMBEDDED,
        "import connectors_host",
        "connectors_embedded -> connectors_host",
    ),
    "the host imports the demo": (
        HOST,
        "import connectors_demo",
        "connectors_host.pages -> connectors_demo",
    ),
    "the demo reaches into a package": (
        "demo/connectors_demo/__init__.py",
        "import connectors_core.oauth2.pkce",
        "demo/connectors_demo/__init__.py:1: connectors_core.oauth2.pkce is not public",
    ),
    "the host uses a private name": (
        HOST,
        "from connectors_core import _inner",
        "_inner of connectors_core is not public",
    ),
    "the host uses an unlisted name": (
        HOST,
        "from connectors_core import Inner",
        "Inner of connectors_core is not public",
    ),
    "the host reaches into a package": (
        HOST,
        "import connectors_core.oauth2.pkce",
        "connectors_core.oauth2.pkce is not public",
    ),
}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What is said of a house in which everything is broken."""
    root = build(tmp_path_factory.mktemp("house"))
    for path, text, _ in BROKEN.values():
        with (root / path).open("a", encoding="utf-8") as module:
            module.write(text + "\n")
    done = check(root)
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("name", BROKEN)
def test_reports(report: str, name: str) -> None:
    _, _, said = BROKEN[name]
    assert said in report


def test_reports_a_module_without_a_floor(tmp_path: Path) -> None:
    write(build(tmp_path), "connectors_core/somewhere.py")
    done = check(tmp_path)
    assert done.returncode == 1
    assert "connectors_core.somewhere" in done.stdout
