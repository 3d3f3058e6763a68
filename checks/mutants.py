"""Check that the author kit and the tests notice: ``python checks/mutants.py [-k PATTERN] [--jobs N]``.

Turns off every check of flow, oauth2 and oidc, one at a time, and plays the kit against what is
left: the named cases through a hub, the mistakes of hosts and authors, and the conformance
classes of the connectors in this tree. Those of access are held against its own tests. A check is
an ``if`` that ends in an exception, a ``raise`` of its own, or a call of a function that only
checks. A check that nothing misses is printed, and makes the exit status 1; those of
``EQUIVALENT`` are left out, each with the reason why nobody could tell.

Each mutant is one function's code, exchanged in a forked process: no file is changed.
"""

from __future__ import annotations

import argparse
import ast
import asyncio
import copy
import gc
import importlib
import importlib.util
import logging
import os
import pkgutil
import re
import select
import signal
import sys
import time
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from connectors_core.testing.grid import SLOW
from connectors_core.testing.misuse import MISUSE
from connectors_core.testing.plugin import Clock
from connectors_core.testing.provider import CASES, Provider

ROOT = Path(__file__).parents[1].resolve()
KIT = ("connectors_core.flow", "connectors_core.oauth2", "connectors_core.oidc")
"""Packages whose checks the author kit must notice."""
TESTED = {
    "connectors_core.access": (
        "tests/core/access",
        "--ignore=tests/core/access/test_storm.py",  # its processes are others
        "tests/core/hub/test_access_tokens.py",
    )
}
"""Packages whose checks the tests must notice, and which tests."""
CHECKING = ("check_", "_check", "raise_", "_reject", "_require")
"""Beginnings of the names of functions that return nothing and raise where something is wrong."""
NOBODY = "NOBODY"
PATIENCE = 120
"""Seconds after which a mutant that never ends counts as noticed."""

EQUIVALENT: dict[str, str] = {
    "access.access:Access.token:judged is Freshness.SPENT": "the refresh says the same at its first look",
    "access.flights:Flights.answer:isinstance(error, ConnectorError)": (
        "the result raises the same error, with a traceback that grows"
    ),
    "oauth2.client_auth:_json_object:not isinstance(value, dict)": "what begins with a brace is an object",
    "oauth2.client_auth:_read_pem:raise ValueError": "without a key the next line raises the same",
    "oauth2.connector:OAuth2Connector.endpoint:url is None": "None is no URL: the next check says the same",
    "oauth2.connector:OAuth2Connector.server_metadata:self.issuer is None": "the constructor refuses that",
    "oidc.connector:OIDCConnector._signed:newer is None": "without keys none fits, which is the same error",
    "oidc.connector:OIDCConnector.accept:tokens.id_token is None": (
        "reading no token is the same error on an exchange, and the same tokens without it on a refresh"
    ),
    "oidc.id_token:_candidates:policy.secret_key is None": "no key then fits the signature",
    "oidc.id_token:_candidates:not candidates": "no key then fits the signature",
    "oauth2.token_endpoint:read_token_response:response.status_code < 400": (
        "the empty body that would be read instead lacks an access token, which is the same error"
    ),
}
"""Checks that cannot be missed, as ``module:function:what``, and why."""


@dataclass(frozen=True, slots=True)
class Mutant:
    module: str
    function: str
    line: int
    what: str
    code: types.CodeType

    @property
    def package(self) -> str:
        return self.module.rpartition(".")[0]

    @property
    def name(self) -> str:
        return f"{self.module.removeprefix('connectors_core.')}:{self.function}:{self.what}"


# Where the checks are


def modules() -> Iterator[types.ModuleType]:
    for name in (*KIT, *TESTED):
        package = importlib.import_module(name)
        for found in pkgutil.iter_modules(package.__path__):
            yield importlib.import_module(f"{name}.{found.name}")


def raises(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Raise):
        return True
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        called = statement.value.func
        name = called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")
        return name.startswith(CHECKING)
    return False


def sites(function: ast.AST) -> Iterator[ast.stmt]:
    """Every check in a function, as the statement to turn off."""
    inside: set[ast.stmt] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.If) and node.body and raises(node.body[-1]):
            inside.add(node.body[-1])
            yield node
    for node in ast.walk(function):
        if isinstance(node, ast.stmt) and raises(node) and node not in inside:
            yield node


class TurnOff(ast.NodeTransformer):
    def __init__(self, line: int, column: int, kind: type) -> None:
        self.place = (line, column, kind)

    def visit(self, node: ast.AST) -> Any:
        here = (getattr(node, "lineno", 0), getattr(node, "col_offset", -1), type(node))
        if here != self.place:
            return self.generic_visit(node)
        if isinstance(node, ast.If):
            node.test = ast.copy_location(ast.Constant(False), node.test)
            return node
        return ast.copy_location(ast.Pass(), node)


def functions(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield f"{node.name}.{inner.name}", inner


def code_of(code: types.CodeType, qualname: str) -> types.CodeType | None:
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            if constant.co_qualname == qualname:
                return constant
            if found := code_of(constant, qualname):
                return found
    return None


def mutants() -> Iterator[Mutant]:
    for module in modules():
        assert module.__file__
        source = Path(module.__file__).read_text(encoding="utf-8")
        tree = ast.parse(source)
        for qualname, function in functions(tree):
            for site in sites(function):
                changed = TurnOff(site.lineno, site.col_offset, type(site)).visit(copy.deepcopy(tree))
                compiled = compile(ast.fix_missing_locations(changed), module.__file__, "exec")
                code = code_of(compiled, qualname)
                assert code is not None
                shown = site.test if isinstance(site, ast.If) else site
                what = " ".join((ast.get_source_segment(source, shown) or "").split())[:90]
                yield Mutant(module.__name__, qualname, site.lineno, what, code)


def put(mutant: Mutant) -> None:
    """Exchange the code of the function, wherever it is held."""
    file = importlib.import_module(mutant.module).__file__
    for thing in gc.get_objects():
        if isinstance(thing, types.FunctionType):
            code = thing.__code__
            if code.co_filename == file and code.co_qualname == mutant.function:
                thing.__code__ = mutant.code


# What notices


class Log(logging.Handler):
    """Stands in for pytest's ``caplog``."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text += self.format(record)

    def set_level(self, level: int) -> None:
        logging.getLogger().setLevel(level)


Play = Callable[[], None]
Plays = list[tuple[str, Play]]


def load(path: Path) -> types.ModuleType:
    name = "played_" + "_".join(path.relative_to(ROOT).with_suffix("").parts)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def plays() -> Plays:
    """Everything of the kit that can notice, by name."""
    cases = load(ROOT / "tests/core/testing/test_cases.py")

    def case(name: str) -> Play:
        async def play() -> None:
            clock, log = Clock(), Log()
            logging.getLogger().addHandler(log)
            slow = name in cases.UNTIL_THE_DEADLINE
            async with cases.acting(Provider(clock=clock), clock, slow=slow) as actor:
                await cases.meet(actor, CASES[name], log)
            logging.getLogger().removeHandler(log)

        return lambda: asyncio.run(play())

    def mistake(name: str) -> Play:
        async def play() -> None:
            clock = Clock()
            async with cases.acting(Provider(clock=clock), clock) as actor:
                ended: type[Exception] | None = None
                try:
                    await MISUSE[name].play(actor)
                except Exception as error:
                    ended = type(error)
                assert ended is MISUSE[name].expected, name

        return lambda: asyncio.run(play())

    found: Plays = [(name, case(name)) for name in CASES]
    found += [(name, mistake(name)) for name in MISUSE]
    for path in sorted(ROOT.glob("tests/**/test_conformance*.py")):
        module = load(path)
        for kind in vars(module).values():
            if getattr(kind, "connectors_conformance", False) and kind.__name__.startswith("Test"):
                found += conformance(kind)
    return found


def conformance(kind: type) -> Iterator[tuple[str, Play]]:
    """The tests of a conformance class that are not cases: those are played already."""
    for name in dir(kind):
        if name.startswith("test_") and name != "test_case":
            yield f"{kind.__name__}.{name}", getattr(kind(), name)


def tests(arguments: tuple[str, ...]) -> Plays:
    def play() -> None:
        options = ("-q", "-x", "--assert=plain", "-p", "no:cacheprovider")
        assert pytest.main([*options, *arguments]) == pytest.ExitCode.OK

    return [("the tests", play)]


def first_to_notice(found: Plays) -> str:
    for name, play in found:
        try:
            play()
        except BaseException as error:
            if type(error).__name__ != "Skipped":
                return name
    return ""


NEAR: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("id_token", "algorithms"), ("id_token", "keys")),
    **dict.fromkeys(("callback", "authorization", "sealing"), ("callback", "host", "store")),
    **dict.fromkeys(("jwks",), ("keys",)),
    **dict.fromkeys(("discovery", "document_cache"), ("discovery",)),
    **dict.fromkeys(("token_endpoint", "error_response", "json_body"), ("token_endpoint", "refresh")),
    "connector": ("author", "id_token"),
}
"""The areas of cases that likely notice, by module."""


def in_order(mutant: Mutant, found: Plays) -> Plays:
    """The likeliest first: the cases of an area named like the module."""
    module = mutant.module.rpartition(".")[2]
    near = NEAR.get(module, (module,))
    return sorted(found, key=lambda play: (play[0] in SLOW, not play[0].startswith(near), play[0] in CASES))


def played(mutant: Mutant | None, found: Plays) -> tuple[int, int]:
    """Play the mutant, or none, in a process of its own: where that will write who noticed, and its id."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return reading, child
    os.close(reading)
    signal.alarm(PATIENCE)
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    if mutant is not None:
        put(mutant)
        found = in_order(mutant, found)
    os.write(writing, (first_to_notice(found) or NOBODY).encode())
    os._exit(0)


def all_played(chosen: list[tuple[Mutant, Plays]], jobs: int) -> Iterator[tuple[Mutant, str]]:
    """Every mutant with who noticed it, some at a time. Without threads: a fork would copy their locks."""
    waiting, running = list(reversed(chosen)), dict[int, tuple[Mutant, int]]()
    while waiting or running:
        while waiting and len(running) < jobs:
            mutant, found = waiting.pop()
            reading, child = played(mutant, found)
            running[reading] = mutant, child
        for ready in select.select(list(running), [], [])[0]:
            mutant, child = running.pop(ready)
            yield mutant, said(ready, child)


def said(reading: int, child: int) -> str:
    """Who noticed, when the process ``child`` has ended."""
    with os.fdopen(reading, "rb") as answer:
        who = answer.read().decode()
    os.waitpid(child, 0)
    return who or "the clock"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("-k", dest="words", default="", help="only mutants whose name has a match of this")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--verbose", action="store_true", help="name who noticed each")
    arguments = parser.parse_args()
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    started = time.monotonic()
    os.chdir(ROOT)
    chosen = [m for m in mutants() if re.search(arguments.words, m.name) and m.name not in EQUIVALENT]
    found = {package: tests(paths) for package, paths in TESTED.items()}
    packages = {mutant.package for mutant in chosen}
    if not packages.isdisjoint(KIT):
        found |= dict.fromkeys(KIT, plays())
        if unwell := first_to_notice(found[KIT[0]]):
            sys.exit(f"without a mutant, {unwell} fails")
    for package in packages.intersection(TESTED):
        if (unwell := said(*played(None, found[package]))) != NOBODY:
            sys.exit(f"without a mutant, {unwell} fail")
    lost: list[Mutant] = []
    for mutant, by in all_played([(each, found[each.package]) for each in chosen], arguments.jobs):
        if by == NOBODY:
            lost.append(mutant)
        if arguments.verbose or by == NOBODY:
            print(f"{by}: line {mutant.line}: {mutant.name}", flush=True)
    seconds = time.monotonic() - started
    share = 100 * (len(chosen) - len(lost)) / max(1, len(chosen))
    print(
        f"{len(chosen) - len(lost)} of {len(chosen)} checks are missed when they are off: {share:.1f} %"
        f" (and {len(EQUIVALENT)} that nobody could miss), {seconds:.0f} s"
    )
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
