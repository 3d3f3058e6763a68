"""``connectors check``: the plugins and the configuration file, without touching the network."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from contextlib import redirect_stdout
from dataclasses import replace

from ..config import Configuration, load_configuration
from ..errors import ConfigurationError
from ..registry import Registry, Status
from ..registry.plugins import PluginEntry
from .installed_types import registry
from .output import complain, plural, say

TOLD = (Status.FAILED, Status.INCOMPATIBLE, Status.SHADOWED)


class Check:
    help = "check the plugins and the configuration file, without touching the network"

    def configure(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--strict", action="store_true", help="count warnings as errors")

    def run(self, arguments: argparse.Namespace) -> int:
        errors: list[str] = []
        warnings: list[str] = []
        notes: list[str] = []
        summary = ""
        with redirect_stdout(sys.stderr):  # a plugin may print while it is imported
            try:
                # Without one of our own, so that [plugins] itself is held against what is installed.
                configuration = load_configuration(arguments.config, strict=arguments.strict)
                types = configuration.registry
                warnings += map(str, configuration.warnings)
                notes += map(str, configuration.without_effect)
                summary = f"{plural(len(configuration.connectors), 'connector')}"
                errors += _database_faults(configuration)
            except ConfigurationError as error:
                errors += map(str, error.problems)
                types = _registry(arguments)
            warnings += _plugin_faults(types)
        if arguments.strict:
            errors, warnings = errors + warnings, []
        for label, lines in (("error", errors), ("warning", warnings)):
            for line in lines:
                complain(f"{label}: {line}")
        for line in notes:
            say(f"note: {line}")
        if errors:
            complain(f"{arguments.config}: {plural(len(errors), 'problem')}")
            return 1
        told = f", {plural(len(warnings), 'warning')}" if warnings else ""
        say(f"{arguments.config}: {summary}, no problems{told}")
        return 0


def _registry(arguments: argparse.Namespace) -> Registry:
    """The installed types beside a file that cannot be used; none where its [plugins] cannot be read."""
    try:
        return registry(arguments)
    except ConfigurationError:
        return Registry()


def _database_faults(configuration: Configuration) -> list[str]:
    """Why the database's URL leads nowhere, or what is to be installed for it; nothing is connected."""
    from ..storage.database import open_database

    try:
        open_database(configuration.host.database)
    except ConfigurationError as error:
        return [str(replace(problem, source=str(configuration.path))) for problem in error.problems]
    return []


def _plugin_faults(types: Registry) -> Iterator[str]:
    for entry in types.load_all():
        if entry.status in TOLD or (entry.status is Status.LOADED and entry.cause):
            yield f"type {entry.id} of {entry.distribution} {entry.version} is {entry.status}: {entry.cause}"
    plugins: Iterable[PluginEntry] = types.plugins.entries
    for plugin in plugins:
        if plugin.status in TOLD:
            yield (
                f"plugin {plugin.name} of {plugin.distribution} {plugin.version} is {plugin.status}:"
                f" {plugin.cause}"
            )
