"""``connectors db``: the database schema."""

from __future__ import annotations

import argparse

from ..config import load_host_settings
from .output import say
from .vault_session import plugins_of


class Db:
    help = "bring the database schema to this version"

    def configure(self, parser: argparse.ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        text = "bring the schema to this version, in the vaults that plugins name too"
        actions.add_parser("upgrade", help=text, description=text)

    def run(self, arguments: argparse.Namespace) -> int:
        from ..storage.migrations import OWN, locations, upgrade
        from ..vault.detached import named

        url = load_host_settings(arguments.config).database
        for location in locations():
            upgrade(url, location)
            say(f"{location.name}: up to date")
        for name, vault in sorted(plugins_of(arguments).vaults().items()):
            with named(name):
                upgrade(vault.database, OWN)
            say(f"vault {name}: up to date")
        return 0
