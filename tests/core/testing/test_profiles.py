"""The profiles of real providers: found without a list, in process and on a loopback port alike."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from connectors_core.flow import begin, complete
from connectors_core.http import HttpSender
from connectors_core.hub import Hub
from connectors_core.metadata import ConnectorMetadata
from connectors_core.oauth2 import OAuth2Connector
from connectors_core.registry import Registry
from connectors_core.storage.memory import MemoryStores
from connectors_core.testing import profiles as package
from connectors_core.testing.plugin import Clock
from connectors_core.testing.profiles import ProviderProfile, profile, profiles
from connectors_core.testing.provider import Client

NAMES = {"google", "github", "microsoft", "apple", "facebook", "slack", "linkedin", "x", "notion", "discord"}


def test_every_module_beside_the_frame_is_a_profile() -> None:
    modules = {path.stem for path in Path(str(package.__file__)).parent.glob("*.py")} - {
        "__init__",
        "profile",
    }
    assert modules == NAMES
    assert profiles().keys() == NAMES | {"github-app", "slack-app"}


def test_an_unknown_profile_is_named_with_those_there_are() -> None:
    with pytest.raises(LookupError, match=r"no profile 'acme'; there are apple, discord, .*, x$"):
        profile("acme")


@pytest.mark.parametrize("name", profiles())
async def test_a_profile_answers_at_the_providers_own_addresses(name: str, clock: Clock) -> None:
    known = profile(name)
    await speak(known, known.provider(clock=clock).transport(), known.server.token_endpoint)


@pytest.mark.parametrize("name", profiles())
async def test_a_profile_is_a_server_too(name: str, clock: Clock) -> None:
    known = profile(name)
    async with known.provider(clock=clock).serving() as provider:
        server = known.server_at(provider)
        assert str(server.token_endpoint).startswith(f"http://localhost:{provider.server.port}/")
        resources = {
            place: f"{provider.origin}{httpx.URL(place.split()[-1]).path}" for place in known.resources
        }
        await speak(known, None, server.token_endpoint, resources)


async def speak(
    known: ProviderProfile,
    transport: httpx.AsyncBaseTransport | None,
    token_endpoint: str | None,
    elsewhere: dict[str, str] | None = None,
) -> None:
    """A token request that is refused, and calls whose token is not good, each in the provider's way."""
    async with httpx.AsyncClient(transport=transport) as http:
        refused = await http.post(str(token_endpoint), json={"grant_type": "authorization_code"})
        assert refused.status_code in (200, 400, 401)
        assert "error" in refused.text
        for place in known.resources:
            method, _, url = place.rpartition(" ")
            target = (elsewhere or {}).get(place, url)
            answer = await http.request(method or "GET", target, headers={"Authorization": "Bearer none"})
            assert known.unauthorized is not None
            assert (answer.status_code, answer.content) == (
                known.unauthorized.status,
                known.unauthorized.body,
            )


class Discord(OAuth2Connector):
    id = "discord"
    metadata = ConnectorMetadata(name={"en": "Discord"})
    scopes = ("identify", "email")
    server = profile("discord").server


@pytest.mark.parametrize("serving", [False, True])
async def test_one_connector_signs_in_and_is_throttled_either_way(serving: bool, clock: Clock) -> None:
    discord = profile("discord")
    provider = discord.provider(clock=clock)
    registry = Registry()
    registry.register(Discord)

    async def sign_in(sender: HttpSender | None) -> None:
        async with Hub(registry, sender=sender, clock=clock, allow_private_network=True) as hub:
            config = {"clientId": "client-1", "clientSecret": Client().secret}
            known = hub.add("discord", config=config).connector
            assert isinstance(known, Discord)
            kind = type("Local", (Discord,), {"server": discord.server_at(provider)})
            local = kind(known.config, connector_id="discord", runtime=known.runtime)
            transactions = MemoryStores().transactions
            started = await begin(local, transactions, redirect_uri="https://host.test/callback")
            landed = await provider.visit(started.uri)
            done = await complete(landed.parameters, local, transactions, binding=started.binding)
            assert done.profile.email == "alice@example.org"
            await local.revoke(done.tokens)
            assert [grant.revoked for grant in provider.ledger.grants] == ["revocation"]

    if not serving:
        await sign_in(HttpSender(transport=provider.transport()))
        return
    async with provider.serving():
        await sign_in(None)


def test_a_profile_of_ones_own_is_no_more_than_a_value(clock: Clock) -> None:
    own = replace(profile("discord"), name="own", quirks=())
    assert own.provider(clock=clock, rotation="strict").rotation == "strict"
    assert "own" not in profiles()
