"""``connectors oidc key``: the keys that sign for applications."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from contextlib import redirect_stdout
from datetime import UTC, datetime
from typing import cast

from connectors_core.config import load_configuration, load_host_settings
from connectors_core.errors import ConfigurationError, Problem
from connectors_core.hub import Hub
from connectors_core.registry import Registry
from connectors_core.storage import database as databases
from connectors_core.storage import migrations

from ..app import own_migrations
from ..console import complain, tell
from ..signing_key import SigningKey, State
from ..signing_keys import SigningKeys

MEANS = {
    State.WAITING: "published, signs from",
    State.SIGNING: "signs until",
    State.LEAVING: "signs no more, published until",
    State.PAST: "public half alone, for id_token_hint, until",
}

IN_MEMORY = ("sqlite://", "sqlite:///:memory:")
FORGETS = Problem(
    ("host", "database"),
    "is in memory, so its keys are those of the host that runs and end with it",
    "to keep and rotate keys, name a file: sqlite:///connectors.db",
)


class Oidc:
    help = "list and rotate the keys that sign for applications"

    def configure(self, parser: argparse.ArgumentParser) -> None:
        key = parser.add_subparsers(dest="action", required=True, metavar="ACTION").add_parser(
            "key", help="list and rotate keys", description=self.help, allow_abbrev=False
        )
        changes = key.add_subparsers(dest="change", required=True, metavar="CHANGE")
        for name, text in (
            ("list", "list the keys, their states and ages, never a key; needs no key of the vault"),
            ("rotate", "have another key sign from tomorrow on; the one before goes by itself"),
        ):
            change = changes.add_parser(name, help=text, description=text, allow_abbrev=False)
            if name == "list":
                change.add_argument("--json", action="store_true", help="print one JSON document")
            else:
                change.add_argument(
                    "--now",
                    action="store_true",
                    help="after a leak: sign by it at once, and forget all keys before it",
                )

    def run(self, arguments: argparse.Namespace) -> int:
        if arguments.change == "list":
            url = load_host_settings(arguments.config).database
            hub = Hub(Registry(), database=url)
        else:
            with redirect_stdout(sys.stderr):  # a plugin may print while it is imported
                configuration = load_configuration(arguments.config)
                url, hub = configuration.host.database, Hub.from_config(configuration)
            for warning in configuration.warnings:
                complain(f"warning: {warning}")
        if url in IN_MEMORY:
            raise ConfigurationError([FORGETS])
        return asyncio.run(_run(hub, arguments))


async def _run(hub: Hub, arguments: argparse.Namespace) -> int:
    async with hub:
        await migrations.prepare(cast("databases.OpenDatabase", hub.database), own_migrations())
        keys = SigningKeys(hub, clock=time.time)
        if arguments.change == "list":
            _list(await keys.all(), as_json=arguments.json)
        else:
            await _rotate(keys, at_once=arguments.now)
    return 0


def _list(keys: Sequence[SigningKey], *, as_json: bool) -> None:
    now = time.time()
    if as_json:
        told = [
            {
                "kid": key.kid,
                "state": key.state(now).value,
                "until": key.until(now),
                "age": round(now - key.created_at),
                "sealed": key.sealed,
            }
            for key in keys
        ]
        tell(json.dumps({"keys": told}, indent=2))
        return
    if not keys:
        complain("there is no key yet; the first host that needs one makes it")
    for key in keys:
        state, until = key.state(now), key.until(now)
        means = f"{MEANS[state]} {_when(until)}" if until else "signs"
        clear = ", in the clear" if key.private_key is not None else ""
        tell(f"{key.kid}  {state:8} {_age(now - key.created_at):>6}  {means}{clear}")


async def _rotate(keys: SigningKeys, *, at_once: bool) -> None:
    key, made = await keys.rotate(at_once=at_once)
    now = time.time()
    if key.private_key is not None:
        complain(f"{key.kid} lies in the clear: name vault_keys and an application, and restart a host")
    if key.state(now) is State.SIGNING:
        tell(f"{key.kid} signs, every host follows within 30 s")
        if at_once:
            tell("all keys before it are gone: nothing that they signed counts any more")
        return
    if not made:
        complain("another key waits already; nothing was changed")
    tell(f"{key.kid} is published, and signs from {_when(key.signs_from)}; there is nothing more to do")


def _when(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _age(seconds: float) -> str:
    days, hours = int(seconds // 86400), int(seconds // 3600)
    return f"{days} d" if days else f"{hours} h" if hours else f"{max(0, int(seconds // 60))} min"


command = Oidc()
