"""``connectors db``: the database schema."""

from __future__ import annotations

import argparse

from ..config import load_host_settings
from .output import say


class Db:
    help = "bring the database schema to this version"

    def configure(self, parser: argparse.ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        actions.add_parser("upgrade", help="bring the schema to this version")

    def run(self, arguments: argparse.Namespace) -> int:
        from ..storage.migrations import locations, upgrade

        url = load_host_settings(arguments.config).database
        for location in locations():
            upgrade(url, location)
            say(f"{location.name}: up to date")
        return 0
