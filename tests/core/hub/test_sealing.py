"""What opens a token set: its own key, its own seal, and the connector it was granted to."""

from __future__ import annotations

import pytest
from pydantic import AnyUrl, SecretStr

from connectors_core import ConfigurationError, Hub
from connectors_core.errors import ReauthorizationRequired, SealBroken
from connectors_core.hub.keeping import urls_of
from connectors_core.vault import Keyring
from connectors_core.vault.outbox import Outcome
from tests.core.hub.acme import KEYS, Acme, AcmeConfig, grant, opened


async def test_without_a_key_a_hub_that_would_store_tokens_does_not_start(registry, tmp_path):
    url = f"sqlite:///{tmp_path}/hub.db"
    hub = Hub(registry, database=url)
    hub.add("acme", token_storage=True)
    with pytest.raises(ConfigurationError, match="connectors vault key new") as caught:
        await hub.__aenter__()
    assert caught.value.problems[0].path == ("connectors", "acme", "token_storage")
    async with Hub(registry, database=url) as hub:
        hub.add("acme")
        with pytest.raises(ConfigurationError, match="no key to seal"):
            hub.add("other", type="acme", target="other", token_storage=True)


async def test_a_wrong_key_under_a_right_name_is_found_at_start(hub, registry, tmp_path):
    wrong = Hub(registry, database=f"sqlite:///{tmp_path}/hub.db", keys=Keyring({"k1": bytes(32)}))
    with pytest.raises(ConfigurationError, match="not the one that this database knows"):
        await wrong.__aenter__()


async def test_tokens_do_not_go_to_an_endpoint_that_was_changed(registry, tmp_path, clock):
    url = f"sqlite:///{tmp_path}/hub.db"
    async with Hub(registry, database=url, keys=KEYS, clock=clock) as hub:
        hub.add("acme", token_storage=True)
        identity = await hub.link(await grant(hub), owner="user:42")
    async with Hub(registry, database=url, keys=KEYS, clock=clock) as hub:
        hub.add("acme", token_storage=True, config={"issuer": "https://evil.example"})
        with pytest.raises(ReauthorizationRequired, match="connector_changed"):
            await opened(hub, identity)
        changed = hub.connector("acme").connector
        # Whoever edits the digest beside the tokens too opens nothing either.
        await hub.database.fetch("UPDATE connectors_secrets SET urls = :urls", {"urls": urls_of(changed)})
        with pytest.raises(SealBroken):
            await opened(hub, identity)
        await hub.unlink(identity.id, owner=identity.owner)
        assert [told.outcome for told in await hub.drain_revocations()] == [Outcome.UNREADABLE]
        assert Acme.revoked == []


class ShopConfig(AcmeConfig):
    shop: str = "acme"
    api: AnyUrl = AnyUrl("https://api.example")
    client_secret: SecretStr = SecretStr("obviously-fake")
    scope: str = "openid"
    profile_map: dict[str, str] = {}
    hosts: tuple[str, ...] = ()


class Shop(Acme):
    id = "shop"
    Config = ShopConfig


@pytest.mark.parametrize(
    ("config", "counts"),
    [
        ({"shop": "evil"}, True),
        ({"api": "https://evil.example"}, True),
        ({"hosts": ["evil.example"]}, True),
        ({"profile_map": {"avatar": "https://evil.example"}}, True),
        ({"profile_map": {"name": "display.name"}}, False),
        ({"scope": "openid email"}, False),
        ({"client_secret": "another"}, False),
    ],
)
async def test_a_setting_that_may_say_where_tokens_go_ends_the_grants(hub, registry, config, counts):
    registry.register(Shop)
    one = hub.add("shop", config={}).connector
    other = hub.tenant("acme").add("shop", config=config).connector
    assert (urls_of(one) != urls_of(other)) is counts


async def test_a_broken_seal_is_told(hub, audit):
    identity = await hub.link(await grant(hub), owner="user:42")
    await hub.database.fetch("UPDATE connectors_secrets SET expires_at = expires_at + 1")
    with pytest.raises(SealBroken):
        await opened(hub, identity)
    (event,) = audit.named("seal.broken")
    assert (event.owner, event.connector) == ("user:42", "acme")
