"""A world for the documents: the providers that they name, without a network."""

from __future__ import annotations

import functools
from pathlib import Path

import httpx
import pytest

import connectors_core.http
from connectors_core.testing.provider import Provider
from tests.django_project import configure

GITHUB = {
    "https://github.com/login/oauth/access_token": {"access_token": "fake-token", "token_type": "bearer"},
    "https://api.github.com/user": {
        "id": 583231,
        "login": "octocat",
        "name": None,
        "avatar_url": "https://avatars.example/583231",
    },
    "https://api.github.com/user/emails": [
        {"email": "old@example.org", "primary": False, "verified": True},
        {"email": "octocat@example.org", "primary": True, "verified": False},
    ],
}


class World(httpx.AsyncBaseTransport):
    """``https://id.example.org``, an OpenID provider that knows the README's client, and GitHub."""

    def __init__(self) -> None:
        self.provider = Provider(issuer="https://id.example.org")
        self.provider.register(
            "my-app", secret="my-secret", redirect_uris=("https://my-app.example.org/callback",)
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if str(request.url) in GITHUB:
            return httpx.Response(200, json=GITHUB[str(request.url)], request=request)
        return await self.provider.transport().handle_async_request(request)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    """Every hub made during the test reaches this world, and files are written to a folder of its own."""
    configure()
    connectors = {
        "acme": {"type": "oidc", "config": {"issuer": "https://id.example.org", "clientId": "my-app"}}
    }
    told = {"base_url": "https://my-app.example.org", "database": None, "connectors": connectors}
    monkeypatch.setattr("django.conf.settings.CONNECTORS", told, raising=False)
    world = World()
    sender = functools.partial(connectors_core.http.HttpSender, transport=world)
    monkeypatch.setattr(connectors_core.http, "HttpSender", sender)
    monkeypatch.chdir(tmp_path)
    return world
