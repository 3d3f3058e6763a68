"""Sybil runs the Python blocks of README.md and docs/ as they stand; TOML and shell blocks are checked."""

from __future__ import annotations

import asyncio
import contextlib
import io
import itertools
import pkgutil
import re
import shlex
import subprocess
import tomllib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sybil import Document, Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser
from sybil.typing import Parser

from connectors_core import Hub, Registry
from connectors_core.cli import main
from connectors_core.config import load_configuration
from connectors_core.testing.provider import SigningKey
from tests.docs.conftest import World

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    *sorted(ROOT.glob("*.md")),
    *sorted(ROOT.glob("docs/*.md")),
    *sorted(ROOT.glob("connectors/**/README.md")),
    *sorted(ROOT.glob("embedded/README.md")),
    *sorted(ROOT.glob("examples/README.md")),
    *sorted(ROOT.glob("host/README.md")),
]
ENTRY_POINTS = {
    "connectors_core.types",
    "connectors_core.plugins",
    "connectors_core.commands",
    "connectors_host.plugins",
}


def check_toml(example: Example) -> None:
    """A configuration file must load, whatever its references name; a manifest must name a group of ours."""
    document = tomllib.loads(str(example.parsed))
    if "project" in document:
        assert document["project"]["entry-points"].keys() <= ENTRY_POINTS
        return
    path = Path("connectors.toml")
    path.write_text(str(example.parsed), encoding="utf-8")
    names = re.findall(r"env:(\w+)", str(example.parsed))
    environ = {name: f"fake-{name}-{'x' * 32}" for name in names}
    environ |= {name: SigningKey.make("ES256", kid="k").pem() for name in names if "PRIVATE_KEY" in name}
    load_configuration(path, environ=environ)


def help_of(arguments: list[str]) -> object:
    """The exit status of ``connectors … --help``: some commands return it, argparse raises it."""
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            return main([*arguments, "--help"])
        except SystemExit as ended:
            return ended.code


def check_shell(example: Example) -> None:
    """The block must be a shell script whose commands, targets and files there are."""
    script = str(example.parsed)
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    for line in script.splitlines():
        words = shlex.split(line, comments=True)
        words = list(itertools.dropwhile(re.compile(r"[A-Z_]+=").match, words))
        match [Path(word).name if index == 0 else word for index, word in enumerate(words)]:
            case ["make", target, *_]:
                assert re.search(rf"(?m)^{re.escape(target)}:", (ROOT / "Makefile").read_text()), line
            case ["connectors", *arguments]:
                assert help_of(arguments) == 0, line
            case ["pip", "install", *arguments] | ["uv", "pip", "install", *arguments]:
                for option, value in itertools.pairwise(arguments):
                    assert option not in ("-r", "-e") or (ROOT / value).exists(), line
            case ["uvicorn", "--factory", application, *_]:
                assert callable(pkgutil.resolve_name(application)), line
            case (
                ["export", *_]
                | ["python3.11", "-m", "venv", _]
                | ["python", "-m", "pytest", *_]
                | ["uv", "venv", *_]
                | []
            ):
                pass
            case _:
                pytest.fail(f"nobody checks this command: {line}")


def read(path: Path) -> Document:
    parsers: list[Parser] = [
        PythonCodeBlockParser(),
        CodeBlockParser("toml", check_toml),
        CodeBlockParser("sh", check_shell),
    ]
    return Sybil(parsers, path=str(ROOT)).parse(path)


def run(path: Path) -> Mapping[str, Any]:
    """Evaluate every block of a document, in order; return the names that it defined."""
    document = read(path)
    for example in document.examples():
        example.evaluate()
    return document.namespace


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", [p for p in DOCUMENTS if p != ROOT / "README.md"], ids=name_of)
def test_blocks_run(path: Path, world: World) -> None:
    run(path)


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_no_block_escapes(path: Path) -> None:
    """A block is of a language that is checked, or of none: then it is text."""
    languages = re.findall(r"(?m)^ *```(\S*)\n(?:.*\n)*?^ *```$", path.read_text(encoding="utf-8"))
    assert set(languages) <= {"python", "toml", "sh", "text", ""}


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_links_lead_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\((?!https?://|#|mailto:)([^)#\s]+)", path.read_text(encoding="utf-8"))
    assert [target for target in targets if not (path.parent / target).exists()] == []


def test_readme_signs_in_and_its_connector_works(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first program, with somebody who opens the URL and pastes the address; then the connector."""

    def paste(prompt: str) -> str:
        uri = capsys.readouterr().out.split()[-1]
        with ThreadPoolExecutor(1) as thread:
            landing = thread.submit(asyncio.run, world.provider.visit(uri)).result()
        return f"{landing.uri}?{landing.query}"

    monkeypatch.setattr("builtins.input", paste)
    names = run(ROOT / "README.md")
    said = capsys.readouterr().out
    assert said.strip() == "Hello Alice Example, your address alice@example.test is verified: True"

    profile = asyncio.run(sign_in_with(names["GitHub"]))
    assert (profile.id, profile.name) == ("583231", "octocat")
    assert (profile.email, profile.email_verified) == ("octocat@example.org", False)


async def sign_in_with(connector: Any) -> Any:
    registry = Registry()
    registry.register(connector)
    async with Hub(registry) as hub:
        hub.add("github", config={"clientId": "my-app", "clientSecret": "my-secret"})
        started = await hub.begin("github", redirect_uri="https://my-app.example.org/callback")
        state = re.search(r"[?&]state=([^&]+)", started.uri)
        assert state
        query = f"code=fake-code&state={state[1]}"
        completed = await hub.complete(query, connector="github", binding=started.binding)
        return completed.profile


def test_readme_connector_is_short() -> None:
    blocks = re.findall(r"(?ms)^```python\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"))
    lines = next(block for block in blocks if "class GitHub" in block).splitlines()
    assert len([line for line in lines if line.strip()]) < 40
