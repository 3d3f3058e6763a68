"""A connector that grants what the code says, and who listens to the hub it is in."""

from __future__ import annotations

import os
from urllib.parse import parse_qsl, urlencode, urlsplit

from connectors_core import Connector, ConnectorConfig, ConnectorMetadata, Event, Profile, TokenSet
from connectors_core.hookspecs import DISCARD, hookimpl
from connectors_core.storage.memory_tokens import MemoryTokenStore
from connectors_core.vault import Keyring

REDIRECT_URI = "https://host.example/callback/acme"
KEYS = Keyring({"k1": os.urandom(32)})


class AcmeConfig(ConnectorConfig):
    client_id: str = "client"
    issuer: str = "https://as.example"


class Acme(Connector):
    """Grants what the code says: ``subject scope scope …``."""

    id = "acme"
    metadata = ConnectorMetadata(name={"en": "Acme"})
    Config = AcmeConfig
    revoked: list[str] = []
    answers: list[Exception] = []

    async def authorization_uri(self, transaction):
        return "https://as.example/authorize?" + urlencode({"state": transaction.state})

    async def exchange(self, callback, transaction):
        subject, *scopes = callback.code.split()
        return TokenSet(
            access_token=f"access-{callback.code}",
            refresh_token=f"refresh-{callback.code}",
            expires_at=self.runtime.now() + 3600,
            scopes=frozenset(scopes),
            scopes_stated=True,
            extra={"subject": subject},
        )

    async def profile(self, api, tokens):
        return Profile(id=tokens.extra["subject"])

    async def revoke(self, tokens):
        if self.answers:
            raise self.answers.pop(0)
        self.revoked.append(tokens.refresh_token or tokens.access_token)


class Plugin:
    """Tokens of owners in the east go elsewhere, those of nobody@ nowhere."""

    def __init__(self):
        self.east = MemoryTokenStore()

    @hookimpl
    def select_token_store(self, owner):
        return {"east": self.east, "nobody": DISCARD, "wrong": object()}.get(owner.partition(":")[0])


class Audit:
    def __init__(self):
        self.events: list[Event] = []

    @hookimpl
    def observe(self, event):
        self.events.append(event)

    def named(self, name):
        return [event for event in self.events if event.name == name]


async def grant(hub, code="42 openid", connector="acme", **options):
    started = await hub.begin(connector, redirect_uri=REDIRECT_URI, **options)
    state = dict(parse_qsl(urlsplit(started.uri).query))["state"]
    callback = urlencode({"code": code, "state": state})
    return await hub.complete(
        callback, connector=connector, binding=started.binding, owner=options.get("owner")
    )


def vault_of(hub):
    return hub._shared.keeping.vault


async def opened(hub, identity):
    stored = await vault_of(hub).open(identity.tenant, identity.id)
    return stored and stored.tokens
