"""An operator, or somebody else, changes in the file where a connector's tokens go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors_core import Hub
from connectors_core.errors import ReauthorizationRequired
from connectors_core.grants import GrantStatus, InactiveReason
from connectors_core.http import HttpSender
from connectors_core.testing.provider import Client, Provider
from connectors_core.vault import Keyring

OIDC = """
[connectors.acme]
type = "oidc"
token_storage = true
[connectors.acme.config]
issuer = "https://provider.test"
scope = "openid offline_access"
"""
OAUTH2 = """
[connectors.acme]
type = "oauth2"
token_storage = true
[connectors.acme.config]
authorizationEndpoint = "https://provider.test/authorize"
tokenEndpoint = "https://provider.test/token"
userInfoEndpoint = "https://provider.test/userinfo"
scope = "openid offline_access"
profileMap = { id = "sub" }
"""
CLIENT = 'clientId = "client-1"\nclientSecret = "env:SECRET"\n'


class World(httpx.AsyncBaseTransport):
    """The provider, and a server of somebody else who would like to have its tokens."""

    def __init__(self, clock: Any) -> None:
        self.provider, self.evil = Provider(clock=clock), Provider(clock=clock, issuer="https://evil.test")

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        whose = self.evil if request.url.host == "evil.test" else self.provider
        return await whose.transport().handle_async_request(request)


@pytest.fixture
def world(clock: Any, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("SECRET", Client().secret)
    monkeypatch.setenv("KEYS", "k1:" + "A" * 43)
    return World(clock)


def hub_of(file: Path, text: str, world: World, clock: Any) -> Hub:
    file.write_text(f'[host]\nvault_keys = "env:KEYS"\n{text}{CLIENT}')
    file.chmod(0o600)
    keys = Keyring({"k1": b"obviously-fake-32-bytes-long-key"})
    database, sender = f"sqlite:///{file.parent}/hub.db", HttpSender(transport=world)
    return Hub.from_config(file, database=database, sender=sender, clock=clock, keys=keys)


async def sign_in(hub: Hub, world: World) -> Any:
    started = await hub.begin("acme", redirect_uri="https://host.test/callback")
    landing = await world.provider.visit(started.uri)
    completed = await hub.complete(landing.query, connector="acme", binding=started.binding)
    return await hub.link(completed, owner="user-1")


@pytest.mark.parametrize(
    ("before", "changed"),
    [
        (OIDC, OIDC.replace("provider.test", "evil.test")),
        (OAUTH2, OAUTH2.replace("provider.test/token", "evil.test/token")),
        (OAUTH2, OAUTH2.replace("provider.test/userinfo", "evil.test/userinfo")),
        (OAUTH2, OAUTH2 + 'revocationEndpoint = "https://evil.test/revoke"\n'),
    ],
    ids=["issuer", "token endpoint", "another endpoint", "a new endpoint"],
)
async def test_a_changed_url_opens_nothing_and_sends_nothing_until_it_is_put_back(
    tmp_path: Path, world: World, clock: Any, before: str, changed: str
) -> None:
    file = tmp_path / "connectors.toml"
    async with hub_of(file, before, world, clock) as hub:
        await sign_in(hub, world)
        first = await hub.access_token("acme", owner="user-1")
    clock.advance(4000)
    async with hub_of(file, changed, world, clock) as hub:
        vault = hub._shared.keeping.vault  # type: ignore[union-attr]
        assert vault is not None
        (status,) = await hub.token_states("user-1")
        assert (status.status, status.reason) == (
            GrantStatus.INACTIVE,
            InactiveReason.CONNECTOR_CHANGED,
        )
        with pytest.raises(ReauthorizationRequired) as caught:
            await hub.access_token("acme", owner="user-1")
        assert caught.value.reason == "connector_changed"
        assert vault.opens == 0
    assert not world.evil.requests
    async with hub_of(file, before, world, clock) as hub:
        (status,) = await hub.token_states("user-1")
        assert status.status is GrantStatus.ACTIVE
        assert await hub.access_token("acme", owner="user-1") != first


async def test_tokens_of_a_changed_connector_are_revoked_nowhere(
    tmp_path: Path, world: World, clock: Any
) -> None:
    file = tmp_path / "connectors.toml"
    async with hub_of(file, OIDC, world, clock) as hub:
        identity = await sign_in(hub, world)
    async with hub_of(file, OIDC.replace("provider.test", "evil.test"), world, clock) as hub:
        assert await hub.unlink(identity.id, owner="user-1")
        assert await hub.drain_revocations() == []
    assert not world.evil.requests
