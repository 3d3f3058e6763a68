"""Check who imports whom: ``python checks/floors.py [ROOT]``.

Runs the import-linter contracts of ``pyproject.toml`` and, for every member (``connectors/*``,
``embedded``, ``host``), the rules that need no list: a connector knows ``connectors_core`` and no
sibling, host and embedded sign-in know no connector and not each other, nobody imports
``connectors_core.testing``, and all use public names alone.
``demo`` puts them all together, with a provider of ``connectors_core.testing``; nobody imports it.
A name is public when its module is ``connectors_core`` or one below it, nothing on the way begins
with an underscore, and the module's ``__all__``, where there is one, lists it.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

CORE = "connectors_core"
DEMO = "demo"


def members(root: Path) -> dict[str, Path]:
    """The import package of every member, with the folder that holds it."""
    folders = ("connectors/*", "demo", "embedded", "host")
    manifests = sorted(found for each in folders for found in root.glob(f"{each}/pyproject.toml"))
    return {
        package.parent.name: manifest.parent
        for manifest in manifests
        for package in sorted(manifest.parent.glob("connectors_*/__init__.py"))
    }


def exists(root: Path, module: str) -> bool:
    """Tell whether a module of ours is there; every module of others counts as there."""
    if module.partition(".")[0] != CORE:
        return True
    path = root.joinpath(*module.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def contracts(root: Path) -> dict[str, Mapping[str, Any]]:
    """Every contract to check, by id."""
    manifest = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    found: dict[str, Mapping[str, Any]] = {}
    for contract in manifest["tool"]["importlinter"]["contracts"]:
        present = {
            key: [module for module in contract[key] if exists(root, module)]
            for key in ("source_modules", "forbidden_modules")
            if key in contract
        }
        if all(present.values()):
            found[contract["id"]] = {**contract, **present}
    packages = members(root)
    for package, folder in packages.items():
        if folder.name == DEMO:
            continue
        barred = [other for other in packages if other != package]
        found[f"member-{package}"] = forbidden(
            f"{package} stands on {CORE} alone",
            source=package,
            barred=[*barred, *(m for m in [f"{CORE}.testing"] if exists(root, m))],
            # The host reaches connectors through the registry; a connector reaches nothing beside it.
            indirect=folder.name == "host",
        )
    if packages:
        found["core-without-members"] = forbidden(
            f"{CORE} knows no member", source=CORE, barred=list(packages), indirect=False
        )
    return {key: contract for key, contract in found.items() if contract.get("forbidden_modules", True)}


def forbidden(name: str, *, source: str, barred: list[str], indirect: bool) -> dict[str, Any]:
    return {
        "name": name,
        "type": "forbidden",
        "source_modules": [source],
        "forbidden_modules": barred,
        "allow_indirect_imports": indirect,
    }


def as_ini(
    options: Mapping[str, Any], packages: Iterable[str], found: Mapping[str, Mapping[str, Any]]
) -> str:
    """The contracts in the other form that import-linter reads, which needs no writer."""

    def lines(section: str, values: Mapping[str, Any]) -> Iterator[str]:
        yield f"[{section}]"
        for key, value in values.items():
            text = "".join(f"\n    {line}" for line in value) if isinstance(value, list) else f" {value}"
            yield f"{key} ={text}"

    top = {k: v for k, v in options.items() if k != "contracts"} | {"root_packages": [CORE, *packages]}
    sections = [lines("importlinter", top)]
    sections += [
        lines(f"importlinter:contract:{key}", {k: v for k, v in contract.items() if k != "id"})
        for key, contract in found.items()
    ]
    return "\n\n".join("\n".join(section) for section in sections) + "\n"


def run_import_linter(root: Path) -> tuple[int, str]:
    """Check the contracts; the exit status and what import-linter printed."""
    packages = members(root)
    manifest = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    text = as_ini(manifest["tool"]["importlinter"], packages, contracts(root))
    with tempfile.TemporaryDirectory() as scratch:
        config = Path(scratch, "importlinter.ini")
        config.write_text(text, encoding="utf-8")
        path = os.pathsep.join(map(str, [root, *dict.fromkeys(packages.values())]))
        done = subprocess.run(
            [Path(sys.executable).with_name("lint-imports"), "--config", config, "--no-logo", "--no-cache"],
            cwd=root,
            env={**os.environ, "PYTHONPATH": path, "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
    return done.returncode, done.stdout + done.stderr


def exported(root: Path, module: str) -> set[str] | None:
    """The ``__all__`` of a module of ours, read without importing it; None where it has none."""
    path = root.joinpath(*module.split("."))
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    if not source.is_file():
        return None
    for node in ast.parse(source.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets
        ):
            return set(ast.literal_eval(node.value))
    return None


def imports(tree: ast.AST) -> Iterator[tuple[int, str, str | None]]:
    """Every absolute import in a module: line, module, name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield from ((node.lineno, node.module, alias.name) for alias in node.names)


def private_uses(root: Path) -> list[str]:
    """Every place where a member imports something of the core that is not public."""
    found = []
    for package, folder in members(root).items():
        for source in sorted((folder / package).rglob("*.py")):
            for line, module, name in imports(ast.parse(source.read_text(encoding="utf-8"))):
                parts = module.split(".")
                if parts[0] != CORE:
                    continue
                names = exported(root, module)
                submodule = name is not None and exists(root, f"{module}.{name}") and len(parts) == 1
                listed = name is None or names is None or name in names or submodule
                hidden = any(part.startswith("_") for part in [*parts, name or ""])
                shows_testing = folder.name == DEMO and parts[1:2] == ["testing"]
                if (len(parts) > 2 and not shows_testing) or hidden or not listed:
                    what = module if name is None else f"{name} of {module}"
                    found.append(f"{source.relative_to(root)}:{line}: {what} is not public")
    return found


def main(root: Path) -> int:
    status, printed = run_import_linter(root)
    print(printed.strip())
    private = private_uses(root)
    print("\n".join(private) or f"Members use public names alone: {', '.join(members(root)) or 'none yet'}")
    return 1 if status or private else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[1]).resolve()))
