"""A generic connector made from configuration as an operator writes it, before a plain OAuth 2.0 server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest
from connectors_oauth2 import OAuth2

from connectors_core.flow import Completed
from connectors_core.http import HttpSender
from connectors_core.hub import Hub
from connectors_core.registry import Registry
from connectors_core.testing.plugin import Clock, clock
from connectors_core.testing.provider import Client, Provider

__all__ = ["clock"]

CALLBACK = "https://host.test/callback"
ENDPOINTS = {
    "authorizationEndpoint": "https://provider.test/authorize",
    "tokenEndpoint": "https://provider.test/token",
    "userInfoEndpoint": "https://provider.test/user",
}


@pytest.fixture
def server(clock: Clock) -> Provider:
    """Numeric ids, names of its own, no word about verification."""
    methods = ("client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "none")
    return Provider(clock=clock, openid=False, refresh_tokens="always", auth_methods=methods)


@pytest.fixture
async def hub(server: Provider, clock: Clock) -> AsyncIterator[Hub]:
    registry = Registry()
    registry.register(OAuth2)
    async with Hub(registry, sender=HttpSender(transport=server.transport()), clock=clock) as hub:
        yield hub


@pytest.fixture
def connect(hub: Hub) -> Callable[..., OAuth2]:
    """``connect({"scope": "read:user"})``: the connector ``acme`` with that too; ``...`` removes a key."""

    def connect(changes: Mapping[str, Any] | None = None) -> OAuth2:
        plain = {**ENDPOINTS, "clientId": "client-1", "clientSecret": Client().secret, **(changes or {})}
        config = {name: value for name, value in plain.items() if value is not ...}
        connector = hub.add("acme", type="oauth2", config=config).connector
        assert isinstance(connector, OAuth2)
        return connector

    return connect


@pytest.fixture
def sign_in(hub: Hub, server: Provider) -> Callable[..., Any]:
    async def sign_in(**asked: Any) -> Completed:
        started = await hub.begin("acme", redirect_uri=CALLBACK, **asked)
        landing = await server.visit(started.uri)
        return await hub.complete(landing.query, connector="acme", binding=started.binding)

    return sign_in
