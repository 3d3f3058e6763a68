"""What a command is, and those that other distributions bring."""

from __future__ import annotations

import argparse
from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from ..registry.installed import Installed, LoadFailure, failure, installed, load

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


def foreign_commands(taken: Collection[str]) -> tuple[dict[str, Installed], list[str]]:
    """Commands of other distributions by name, without importing any.

    The second are those that do not count: their name is ``taken``, or another distribution's.
    """
    found: dict[str, Installed] = {}
    overruled: list[str] = []
    for point in installed(COMMANDS_GROUP):
        if point.fault:
            overruled.append(f"{point.distribution} {point.version}: {point.fault}")
        elif point.name in taken or point.name in found:
            overruled.append(f"{point.name}: not used from {point.distribution} {point.version}")
        else:
            found[point.name] = point
    return found, overruled


def open_command(point: Installed) -> Command | Unavailable:
    """Import a command, or say why that failed."""
    source = f"{point.distribution} {point.version}"
    loaded = load(point)
    if isinstance(loaded, LoadFailure):
        return Unavailable(f"{source}: {loaded.cause}", loaded.traceback)
    named = isinstance(getattr(loaded, "help", None), str)
    if not (
        named and callable(getattr(loaded, "configure", None)) and callable(getattr(loaded, "run", None))
    ):
        return Unavailable(f"{source}: is not a command (help, configure, run)")
    command: Command = loaded
    return command


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
