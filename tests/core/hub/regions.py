"""A hub here and a database in the EU, for owners of two regions, as ``docs/vault.md`` shows it."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

from connectors_core import ConnectorMetadata, Hub, Registry
from connectors_core.hookspecs import hookimpl
from connectors_core.http import HttpSender
from connectors_core.oidc import OIDCConfig, OIDCConnector
from connectors_core.testing.provider import Client, Provider
from connectors_core.vault import Keyring

OURS, THEIRS = b"obviously-fake-key-of-32-bytes-1", b"obviously-fake-key-of-32-bytes-2"
CONFIG = {"clientId": "client-1", "clientSecret": Client().secret}
REDIRECT_URI = "https://host.test/callback"


class Acme(OIDCConnector):
    id = "acme"
    metadata = ConnectorMetadata(name={"en": "Acme"})
    Config = OIDCConfig
    issuer = "https://provider.test"
    scopes = ("openid", "offline_access")


def source_of_the_plugin() -> str:
    """That of the document, as it stands there."""
    text = (Path(__file__).parents[3] / "docs" / "vault.md").read_text(encoding="utf-8")
    (block,) = [each for each in re.findall(r"(?ms)^```python\n(.*?)^```", text) if "class Regions" in each]
    return str(block)


def regions() -> Any:
    names: dict[str, Any] = {}
    exec(compile(source_of_the_plugin(), "docs/vault.md", "exec"), names)
    return names["Regions"]()


def encoded(kid: str, key: bytes) -> str:
    return f"{kid}:{base64.b64encode(key).decode()}"


class World:
    """A hub with its database here and another in the EU, before a provider in memory."""

    def __init__(self, folder: Path, clock: Any) -> None:
        self.url, self.clock = f"sqlite:///{folder}/hub.db", clock
        self.provider = Provider(clock=clock)
        self.registry = Registry()
        self.registry.register(Acme)
        self.registry.plugins.register(regions())

    def hub(self, **options: Any) -> Hub:
        sender = HttpSender(transport=self.provider.transport())
        usual = {"database": self.url, "keys": Keyring({"k1": OURS}), "sender": sender, "clock": self.clock}
        hub = Hub(self.registry, **usual | options)
        hub.add("acme", config=CONFIG, token_storage=True)
        return hub

    async def granted(self, hub: Hub, owner: str) -> Any:
        started = await hub.begin("acme", redirect_uri=REDIRECT_URI)
        landing = await self.provider.visit(started.uri)
        return await hub.complete(landing.query, connector="acme", binding=started.binding)

    async def link(self, hub: Hub, owner: str) -> Any:
        return await hub.link(await self.granted(hub, owner), owner=owner)


class Moved:
    """Owners whose region is another now."""

    def __init__(self, **regions: Any) -> None:
        self.regions = regions

    @hookimpl(tryfirst=True)
    def select_token_store(self, owner: str) -> Any:
        return self.regions.get(owner.replace(":", "_"))


async def count(database: Any, table: str) -> int:
    return int((await database.fetch(f"SELECT COUNT(*) FROM connectors_{table}"))[0][0])
