"""What a command is, and those that other distributions bring."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol

from ..registry.installed import LoadFailure, failure, installed, load

COMMANDS_GROUP = "connectors_core.commands"


class Command(Protocol):
    """One command. A distribution names its own by entry point in the group ``connectors_core.commands``.

    The entry point's name is the command's, its value an object like this. ``arguments.config`` is
    the path of the configuration file in force, ``arguments.config_given`` whether somebody named it.
    """

    help: str

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add the command's own arguments."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Do it and return the exit code. A ConnectorError is shown by its message."""


@dataclass(frozen=True, slots=True)
class Unavailable:
    """A command that is installed and cannot be used."""

    cause: str
    traceback: str = ""


@dataclass(frozen=True, slots=True)
class Foreign:
    """A command of another distribution, not imported yet; ``overruled`` are others of its name."""

    name: str
    load: Callable[[], Command | Unavailable]
    overruled: tuple[str, ...] = ()


def foreign_commands(taken: Collection[str]) -> dict[str, Foreign]:
    """Commands of other distributions by name, without importing any. None of them takes a ``taken`` name."""
    found: dict[str, Foreign] = {}
    for point in installed(COMMANDS_GROUP):
        source = f"{point.distribution} {point.version}".strip()
        if point.name in found:
            first = found[point.name]
            found[point.name] = Foreign(point.name, first.load, (*first.overruled, source))
        elif point.name and point.name not in taken:

            def open_command(point=point, source=source) -> Command | Unavailable:  # type: ignore[no-untyped-def]
                loaded = load(point)
                if isinstance(loaded, LoadFailure):
                    return Unavailable(f"{source}: {loaded.cause}", loaded.traceback)
                if not (
                    isinstance(getattr(loaded, "help", None), str)
                    and callable(getattr(loaded, "configure", None))
                    and callable(getattr(loaded, "run", None))
                ):
                    return Unavailable(f"{source}: is not a command (help, configure, run)")
                command: Command = loaded
                return command

            found[point.name] = Foreign(point.name, open_command)
    return found


def configure(command: Command, parser: argparse.ArgumentParser) -> Unavailable | None:
    """Let a command add its arguments, or say why that failed."""
    try:
        command.configure(parser)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        told = failure(error)
        return Unavailable(told.cause, told.traceback)
    return None
