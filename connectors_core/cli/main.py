"""Arguments in, exit code out; no traceback leaves."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ..errors import ConnectorError
from ..registry.installed import failure
from .check import Check
from .commands import Command, Unavailable, configure, foreign_commands, open_command
from .db import Db
from .installed_types import List, Schema
from .new import New
from .output import complain
from .tokens import Tokens
from .vault import VaultCommand

CORE: Mapping[str, Command] = {
    "list": List(),
    "schema": Schema(),
    "check": Check(),
    "db": Db(),
    "vault": VaultCommand(),
    "tokens": Tokens(),
    "new": New(),
}

DEFAULT_CONFIG = "connectors.toml"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    ``--help``, ``--version`` (0) and wrong usage (2) end in SystemExit, as argparse has it.
    """
    try:
        return _run(list(sys.argv[1:] if argv is None else argv))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has seen enough; Python would complain again when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _run(argv: list[str]) -> int:
    outer = _globals()
    ahead, rest = outer.parse_known_args(argv)
    wanted = next((word for word in rest if not word.startswith("-")), "")
    foreign, overruled = ({}, []) if wanted in CORE else foreign_commands(CORE.keys())
    commands: dict[str, Command] = dict(CORE)
    unavailable: dict[str, Unavailable] = {}
    for name in [wanted] if wanted in foreign else foreign:
        opened = open_command(foreign[name])
        if isinstance(opened, Unavailable):
            unavailable[name] = opened
        else:
            commands[name] = opened
    parser = _parser(outer, commands, unavailable, overruled)
    if wanted in unavailable:
        return _failed(f"{wanted} is unavailable: {unavailable[wanted].cause}", ahead, unavailable[wanted])
    arguments = parser.parse_args(argv)
    named = arguments.config or os.environ.get("CONNECTORS_CONFIG")
    arguments.config, arguments.config_given = Path(named or DEFAULT_CONFIG), bool(named)
    try:
        return commands[arguments.command].run(arguments)
    except ConnectorError as error:
        return _failed(str(error), arguments)
    except (KeyboardInterrupt, BrokenPipeError, SystemExit):
        raise
    except BaseException as error:
        told = failure(error)
        what = type(error).__name__
        return _failed(
            f"{arguments.command} failed with {what}; --verbose shows where",
            arguments,
            Unavailable(told.cause, told.traceback),
        )


def _failed(message: str, arguments: argparse.Namespace, details: Unavailable | None = None) -> int:
    complain(f"error: {message}")
    if details is not None and arguments.verbose:
        complain(details.traceback)
    return 1


def _globals(**options: object) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, argument_default=None)
    parser.add_argument(
        "--config",
        metavar="FILE",
        help=f"the configuration file (default: $CONNECTORS_CONFIG, else ./{DEFAULT_CONFIG})",
        **options,  # type: ignore[arg-type]
    )
    parser.add_argument(
        "--verbose",
        action="store_true",
        help="show tracebacks too",
        **options,  # type: ignore[arg-type]
    )
    return parser


def _parser(
    outer: argparse.ArgumentParser,
    commands: dict[str, Command],
    unavailable: dict[str, Unavailable],
    overruled: Sequence[str],
) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="connectors",
        description="Connectors for identity servers: what is installed, what is configured, what is wrong.",
        parents=[outer],
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--version", action="version", help="show the version and exit", version=f"connectors {_version()}"
    )
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    # Given before or after the command, an option means the same: SUPPRESS keeps what stood before it.
    inner = _globals(default=argparse.SUPPRESS)
    for name, command in list(commands.items()):
        own = subparsers.add_parser(
            name,
            help=command.help.replace("%", "%%"),
            description=command.help,
            parents=[inner],
            conflict_handler="resolve",
            allow_abbrev=False,
        )
        if fault := configure(command, own):
            unavailable[name] = fault
            del commands[name]
    lines = [f"  {name}: unavailable: {fault.cause}" for name, fault in unavailable.items()]
    lines += [f"  {line}" for line in overruled]
    if lines:
        parser.epilog = "\n".join(["installed, and not usable:", *lines])
    return parser


def _version() -> str:
    try:
        return version("connectors-core")
    except PackageNotFoundError:
        return "(not installed)"
