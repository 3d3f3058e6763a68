"""``connectors list`` and ``connectors schema``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout

from ..config import load_plugin_settings
from ..errors import ConnectorMisconfigured
from ..registry import Registry
from .output import complain, print_document, print_table


def registry(arguments: argparse.Namespace) -> Registry:
    """The installed types, as ``[plugins]`` of the configuration file allows where there is one."""
    if not arguments.config_given and not arguments.config.exists():
        return Registry.from_entry_points()
    lists = load_plugin_settings(arguments.config)
    return Registry.from_entry_points(allow=lists.allow, block=lists.block)


class List:
    help = "list the installed connector types"

    def configure(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def run(self, arguments: argparse.Namespace) -> int:
        with redirect_stdout(sys.stderr):  # a plugin may print while it is imported
            entries = registry(arguments).load_all()
        if arguments.json:
            print_document(
                {
                    "types": [
                        {
                            "id": entry.id,
                            "distribution": entry.distribution,
                            "version": entry.version,
                            "status": entry.status,
                            "capabilities": list(entry.capabilities),
                            "cause": entry.cause,
                        }
                        for entry in entries
                    ]
                }
            )
            return 0
        rows: list[Sequence[str]] = [
            (
                entry.id,
                f"{entry.distribution} {entry.version}",
                entry.status,
                ", ".join(entry.capabilities),
                entry.cause,
            )
            for entry in entries
        ]
        if not rows:
            complain("no connector types are installed")
            return 0
        print_table(("id", "distribution", "status", "capabilities", "cause"), rows)
        if arguments.verbose:
            for entry in entries:
                if entry.traceback:
                    complain(f"\n{entry.id}:\n{entry.traceback}")
        return 0


class Schema:
    help = "print the JSON Schema of a type's configuration"

    def configure(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("type", metavar="TYPE", help="a connector type, as `connectors list` shows it")

    def run(self, arguments: argparse.Namespace) -> int:
        with redirect_stdout(sys.stderr):
            kind = registry(arguments).type(arguments.type)
            try:
                schema = kind.Config.model_json_schema(by_alias=True)
            except Exception as error:
                # pydantic has no schema for some types that a plugin may use.
                raise ConnectorMisconfigured(
                    f"type {kind.id} has no JSON Schema ({type(error).__name__})"
                ) from error
        print_document({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})
        return 0
