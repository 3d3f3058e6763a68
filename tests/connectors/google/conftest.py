"""Google as the connector knows it, played by the provider under control; and an emulator of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from connectors_google import Google

from connectors_core.connector import NetworkPermission
from connectors_core.flow import Completed
from connectors_core.hub import Hub
from connectors_core.registry import Registry
from connectors_core.testing.plugin import Clock, clock
from connectors_core.testing.provider import Client, Landing, Provider, case

__all__ = ["clock"]

ISSUER = "https://accounts.google.com"
SCOPES = "https://www.googleapis.com/auth/"
CALLBACK = "https://host.test/callback"
EMAIL, PROFILE, CALENDAR = (
    f"{SCOPES}{name}" for name in ("userinfo.email", "userinfo.profile", "calendar.readonly")
)
ENDPOINTS = {
    "https://accounts.google.com/o/oauth2/v2/auth": "authorize",
    "https://oauth2.googleapis.com/token": "token",
    "https://openidconnect.googleapis.com/v1/userinfo": "userinfo",
    "https://www.googleapis.com/oauth2/v3/certs": "jwks",
    "https://oauth2.googleapis.com/revoke": "revoke",
}

Connect = Callable[..., Google]


class Sender:
    """Takes requests for Google's endpoints to those of the provider; others go as they are."""

    def __init__(self, provider: Provider) -> None:
        self.transport = provider.transport()
        self.provider = provider
        self.urls: list[str] = []

    async def send(
        self, request: httpx.Request, *, network: NetworkPermission, deadline: float | None = None
    ) -> httpx.Response:
        url = str(request.url)
        self.urls.append(url)
        target = self.provider.url(ENDPOINTS[url]) if url in ENDPOINTS else url
        moved = httpx.Request(request.method, target, headers=request.headers, content=request.content)
        response = await self.transport.handle_async_request(moved)
        await response.aread()
        return response


def make_google(clock: Clock, issuer: str = ISSUER) -> Provider:
    google = Provider(issuer=issuer, clock=clock, callback_iss="unannounced", refresh_tokens="always")
    google.scopes_supported += (EMAIL, PROFILE, CALENDAR)
    google.auth_methods = ("client_secret_post", "client_secret_basic")
    return google


async def visit(provider: Provider, uri: str) -> Landing:
    endpoint, _, query = uri.partition("?")
    return await provider.visit(f"{provider.url(ENDPOINTS.get(endpoint, 'authorize'))}?{query}")


async def sign_in(hub: Hub, provider: Provider, **asked: Any) -> Completed:
    started = await hub.begin("google", redirect_uri=CALLBACK, **asked)
    landing = await visit(provider, started.uri)
    return await hub.complete(
        landing.query, connector="google", binding=started.binding, owner=asked.get("owner")
    )


async def asked_for(hub: Hub, **asked: Any) -> dict[str, str]:
    started = await hub.begin("google", redirect_uri=CALLBACK, **asked)
    return dict(parse_qsl(urlsplit(started.uri).query, keep_blank_values=True, strict_parsing=True))


@pytest.fixture
def google(clock: Clock) -> Provider:
    return make_google(clock)


@pytest.fixture
def claiming(google: Provider) -> Callable[..., None]:
    """``claiming(hd="example.com")``: every ID token from now on says that too; None takes a claim out."""

    def say(provider: Provider = google, **claims: Any) -> None:
        def edit(own: Mapping[str, Any], _: Provider) -> dict[str, Any]:
            return {name: value for name, value in {**own, **claims}.items() if value is not None}

        provider.active.append(case("claims", "this test", "claims", None, claims=edit, refresh_claims=edit))

    return say


@pytest.fixture
def sender(google: Provider) -> Sender:
    return Sender(google)


@pytest.fixture
async def hub(sender: Sender, clock: Clock) -> AsyncIterator[Hub]:
    registry = Registry()
    registry.register(Google)
    async with Hub(registry, sender=sender, clock=clock) as hub:
        yield hub


@pytest.fixture
def connect(hub: Hub) -> Connect:
    """``connect({"prompts": ["consent"]})``: the connector ``google`` with that configuration too."""

    def connect(changes: Mapping[str, Any] | None = None) -> Google:
        plain = {"clientId": "client-1", "clientSecret": Client().secret}
        connector = hub.add("google", config={**plain, **(changes or {})}).connector
        assert isinstance(connector, Google)
        return connector

    return connect
