"""``connectors new``: a connector distribution to start from, whose tests pass as generated."""

from __future__ import annotations

import argparse
import keyword
import re
from importlib import resources
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ..errors import ConfigurationError, Problem
from .output import say

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
KINDS = ("oauth2", "oidc")
_FALLBACK = "0.1.0"


class New:
    help = "write a connector distribution to start from"

    def configure(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="the connector type's id, such as acme")
        parser.add_argument("--kind", choices=KINDS, default="oauth2", help="what the provider speaks")
        parser.add_argument(
            "--directory", metavar="DIR", type=Path, help="where to write (default: ./connectors-NAME)"
        )

    def run(self, arguments: argparse.Namespace) -> int:
        folder = arguments.directory or Path(f"connectors-{arguments.name}")
        write(arguments.name, kind=arguments.kind, folder=folder)
        say(f"wrote {folder}; now, there:")
        say('  pip install -e . "connectors-core[testing]" && python -m pytest')
        say(f"then put the provider's facts into connectors_{_module(arguments.name)}/connector.py")
        return 0


def write(name: str, *, kind: str, folder: Path) -> None:
    """Write the distribution into ``folder``, a new or empty one. Raises ConfigurationError."""
    if not NAME.fullmatch(name) or keyword.iskeyword(name):
        raise ConfigurationError(
            [Problem(("NAME",), "is not a type id", "small letters, digits and single dashes, as in acme-id")]
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigurationError([Problem((str(folder),), "is there already and not empty")])
    major, minor, *_ = _core_version().split(".")
    words = {
        "NAME": name,
        "MODULE": _module(name),
        "CLASS": "".join(part.capitalize() for part in name.split("-")),
        "TITLE": " ".join(part.capitalize() for part in name.split("-")),
        "CORE": f"connectors-core>={major}.{minor},<{major}.{int(minor) + 1}",
        "TESTING": f"connectors-core[testing]>={major}.{minor},<{major}.{int(minor) + 1}",
        "INITIAL": name[0].upper(),
    }
    package = f"connectors_{words['MODULE']}"
    for template, target in (
        ("pyproject.toml", "pyproject.toml"),
        ("package.py", f"{package}/__init__.py"),
        (f"{kind}.py", f"{package}/connector.py"),
        ("README.md", f"{package}/README.md"),
        ("logo.svg", f"{package}/logo.svg"),
        ("empty", f"{package}/py.typed"),
        (f"test_{kind}.py", f"tests/test_{words['MODULE']}.py"),
    ):
        path = folder / target
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_filled(template, words), encoding="utf-8")


def _filled(template: str, words: dict[str, str]) -> str:
    if template == "empty":
        return ""
    text = resources.files(__package__).joinpath("scaffold", f"{template}.txt").read_text(encoding="utf-8")
    return re.sub(r"@([A-Z]+)@", lambda found: words[found[1]], text)


def _module(name: str) -> str:
    return name.replace("-", "_")


def _core_version() -> str:
    try:
        return version("connectors-core")
    except PackageNotFoundError:
        return _FALLBACK
