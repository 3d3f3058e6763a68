"""From a sign-in to a fresh token, through the hub and a provider that answers for itself."""

from __future__ import annotations

import asyncio

import pytest

from connectors_core import ConnectorMetadata, Hub, Purpose, Registry
from connectors_core.errors import (
    ConnectorMisconfigured,
    IdentityAmbiguous,
    NotFound,
    NotLinked,
    ReauthorizationRequired,
    ScopeRequired,
    StorageError,
)
from connectors_core.hookspecs import DISCARD, hookimpl
from connectors_core.http import HttpSender
from connectors_core.oidc import OIDCConfig, OIDCConnector
from connectors_core.testing.provider import Client, Person, Provider, Response
from connectors_core.vault import Keyring

KEYS = Keyring({"k1": b"1" * 32})
REDIRECT_URI = "https://host.test/callback"
CONFIG = {"clientId": "client-1", "clientSecret": Client().secret}


class Acme(OIDCConnector):
    id = "acme"
    target = "acme-sso"
    metadata = ConnectorMetadata(name={"en": "Acme"})
    Config = OIDCConfig
    issuer = "https://provider.test"
    scopes = ("openid", "profile", "offline_access")
    api_hosts = ("provider.test",)


class Events:
    def __init__(self):
        self.seen = []

    @hookimpl
    def observe(self, event):
        self.seen.append((event.name, dict(event.detail)))

    def of_tokens(self):
        return [name for name, _ in self.seen if name.startswith("token.")]


@pytest.fixture
def provider(clock):
    return Provider(clock=clock, rotation="strict")


@pytest.fixture
def events():
    return Events()


@pytest.fixture
def registry(events):
    made = Registry()
    made.register(Acme)
    made.plugins.register(events)
    return made


@pytest.fixture
async def hub(registry, provider, clock):
    sender = HttpSender(transport=provider.transport())
    async with Hub(registry, sender=sender, clock=clock) as opened:
        opened.add("acme", config=CONFIG, token_storage=True)
        yield opened


async def sign_in(hub, provider, *, owner="user-1", connector="acme", link=True, **options):
    purpose = options.pop("purpose", Purpose.SIGN_IN)
    asker = None if purpose is Purpose.SIGN_IN else owner
    started = await hub.begin(connector, redirect_uri=REDIRECT_URI, purpose=purpose, owner=asker, **options)
    landing = await provider.visit(started.uri)
    completed = await hub.complete(landing.query, connector=connector, binding=started.binding, owner=asker)
    return await hub.link(completed, owner=owner) if link else completed


async def test_a_token_is_served_and_refreshed_when_due(hub, provider, clock, events):
    await sign_in(hub, provider)
    first = await hub.access_token("acme-sso", owner="user-1", scopes="profile", min_ttl=60)
    assert (first.connector, first.target) == ("acme", "acme-sso")
    assert provider.requests.count("token") == 1
    clock.advance(3590)
    second = await hub.access_token("acme-sso", owner="user-1")
    assert second.access_token != first.access_token
    assert second.expires_at == clock.now + 3600
    assert provider.requests.count("token") == 2
    assert provider.families_revoked == 0
    assert events.of_tokens() == ["token.refreshed"]


async def test_rotation_goes_on_and_on(hub, provider, clock):
    await sign_in(hub, provider)
    for _ in range(5):
        clock.advance(4000)
        await hub.access_token("acme-sso", owner="user-1")
    assert provider.families_revoked == 0


async def test_another_client_id_is_another_connector(registry, provider, clock, tmp_path):
    url, sender = f"sqlite:///{tmp_path}/hub.db", HttpSender(transport=provider.transport())
    async with Hub(registry, sender=sender, clock=clock, database=url, keys=KEYS) as hub:
        hub.add("acme", config=CONFIG, token_storage=True)
        await sign_in(hub, provider)
    clock.now += 7200
    sender = HttpSender(transport=provider.transport())
    async with Hub(registry, sender=sender, clock=clock, database=url, keys=KEYS) as hub:
        hub.add("acme", config={**CONFIG, "clientId": "client-2"}, token_storage=True)
        with pytest.raises(ReauthorizationRequired) as caught:
            await hub.access_token("acme-sso", owner="user-1")
    assert caught.value.reason == "connector_changed"


async def test_missing_scopes_lead_to_a_step_up(hub, provider):
    await sign_in(hub, provider)
    with pytest.raises(ScopeRequired) as caught:
        await hub.access_token("acme-sso", owner="user-1", scopes=["calendar"])
    assert caught.value.missing == {"calendar"}
    completed = await sign_in(hub, provider, purpose=Purpose.TOKENS, scopes=caught.value.missing, link=False)
    identity = await hub.find_identity(completed)
    await hub.save_tokens(completed, identity)
    token = await hub.access_token("acme-sso", owner="user-1", scopes=["calendar"])
    assert "calendar" in token.scopes


async def test_who_is_not_linked_is_told_so(hub, provider):
    await sign_in(hub, provider)
    with pytest.raises(NotLinked):
        await hub.access_token("acme-sso", owner="user-2")
    with pytest.raises(NotFound):
        await hub.access_token("acme", owner="user-1")
    with pytest.raises(NotFound):
        await hub.access_token("acme-sso", owner="user-1", connector="other")
    with pytest.raises(NotLinked):
        await hub.access_token("acme-sso", owner="user-1", identity="another")


async def test_two_identities_of_one_target_want_a_choice(hub, provider):
    first = await sign_in(hub, provider)
    provider.people = {"bob-1": Person(sub="bob-1")}
    second = await sign_in(hub, provider)
    with pytest.raises(IdentityAmbiguous) as caught:
        await hub.access_token("acme-sso", owner="user-1")
    assert set(caught.value.identities) == {first.id, second.id}
    for identity in (first, second):
        token = await hub.access_token("acme-sso", owner="user-1", identity=identity.id)
        assert token.identity == identity.id


async def test_nothing_of_one_tenant_is_served_to_another(hub, provider):
    await sign_in(hub, provider)
    other = hub.tenant("other")
    other.add("acme", config=CONFIG, token_storage=True)
    with pytest.raises(NotLinked):
        await other.access_token("acme-sso", owner="user-1")


async def test_another_person_in_the_refreshed_id_token_ends_the_grant(hub, provider, clock, events):
    await sign_in(hub, provider)
    clock.advance(4000)
    with provider.deviate("refresh.sub-other"), pytest.raises(ReauthorizationRequired) as caught:
        await hub.access_token("acme-sso", owner="user-1")
    assert caught.value.reason == "identity_changed"
    with pytest.raises(ReauthorizationRequired):
        await hub.access_token("acme-sso", owner="user-1")
    assert provider.requests.count("token") == 2
    assert events.of_tokens() == ["token.needs_reauthorization"]


async def test_an_id_token_that_cannot_be_verified_costs_nobody_the_grant(hub, provider, clock):
    await sign_in(hub, provider)
    clock.advance(4000)
    with provider.deviate("id_token.alg-none"):
        token = await hub.access_token("acme-sso", owner="user-1")
    assert token.expires_at == clock.now + 3600
    clock.advance(4000)
    await hub.access_token("acme-sso", owner="user-1")
    assert provider.families_revoked == 0


async def test_sign_in_again_revives_a_dead_grant(hub, provider, clock):
    await sign_in(hub, provider)
    provider.ledger.grants[0].revoked = "by the person"
    clock.advance(4000)
    with pytest.raises(ReauthorizationRequired) as caught:
        await hub.access_token("acme-sso", owner="user-1")
    assert caught.value.reason == "invalid_grant"
    await sign_in(hub, provider)
    assert await hub.access_token("acme-sso", owner="user-1")


async def test_the_client_adds_and_renews_the_token(hub, provider, clock):
    await sign_in(hub, provider)
    api = hub.client("acme-sso", owner="user-1")
    assert (await api.get_json(provider.url("userinfo")))["sub"] == "alice-1"
    for entry in provider.ledger.access_tokens.values():
        entry.expires_at = 0
    assert (await api.get(provider.url("userinfo"))).status_code == 401, "renewed moments ago"
    clock.advance(60)
    assert (await api.get_json(provider.url("userinfo")))["sub"] == "alice-1"
    assert provider.requests.count("token") == 2
    with pytest.raises(ConnectorMisconfigured):
        await api.get("https://elsewhere.test/")


async def test_a_plugin_that_keeps_nothing_leaves_nothing_to_serve(registry, provider, clock):
    class Nothing:
        @hookimpl
        def select_token_store(self):
            return DISCARD

    registry.plugins.register(Nothing())
    async with Hub(registry, sender=HttpSender(transport=provider.transport()), clock=clock) as hub:
        hub.add("acme", config=CONFIG, token_storage=True)
        await sign_in(hub, provider)
        with pytest.raises(NotLinked):
            await hub.access_token("acme-sso", owner="user-1")


async def test_connectors_that_share_identities_renew_by_the_one_that_was_granted(hub, provider, clock):
    hub.add("one", type="acme", target="one", identity_group="g", config=CONFIG, token_storage=True)
    other = {"clientId": "client-2", "clientSecret": provider.register("client-2").secret}
    hub.add("two", type="acme", target="two", identity_group="g", config=other, token_storage=True)
    await sign_in(hub, provider, connector="one")
    await sign_in(hub, provider, connector="two")
    clock.advance(4000)
    token = await hub.access_token("one", owner="user-1")
    assert token.connector == "two"
    assert provider.families_revoked == 0


async def test_what_goes_wrong_names_the_connector(hub, provider, clock):
    await sign_in(hub, provider)
    with pytest.raises(ScopeRequired) as lacking:
        await hub.access_token("acme-sso", owner="user-1", scopes="more")
    clock.advance(7200)
    provider.answer_next("token", Response.json({"error": "invalid_grant"}, status=400))
    with pytest.raises(ReauthorizationRequired) as dead:
        await hub.client("acme-sso", owner="user-1").get_json("https://api.example.test/me")
    assert (lacking.value.connector, dead.value.connector) == ("acme", "acme")


async def test_a_closed_hub_serves_nothing(hub, registry):
    closed = Hub(registry)
    closed.add("acme", config=CONFIG)
    with pytest.raises(StorageError):
        await closed.access_token("acme-sso", owner="user-1")


@pytest.mark.parametrize("database", [None, "sqlite"])
async def test_what_is_used_is_renewed_ahead(registry, provider, clock, database, tmp_path):
    url = database and f"sqlite:///{tmp_path}/hub.db"
    sender = HttpSender(transport=provider.transport())
    async with Hub(registry, database=url, keys=KEYS, sender=sender, clock=clock) as hub:
        hub.add("acme", config=CONFIG, token_storage=True)
        await sign_in(hub, provider)
        clock.advance(3400)
        refresher = hub.refresher(used_within=86400)
        assert await refresher.round() == 0, "nobody has used it"
        await hub.access_token("acme-sso", owner="user-1", min_ttl=300)  # waits for the renewal
        await asyncio.sleep(0)  # what notes the use begins
        clock.advance(3600)
        assert await refresher.round() == 1
        assert await refresher.round() == 0
        clock.advance(2 * 86400)
        assert await refresher.round() == 0, "it has not been used for long"


async def test_another_event_loop_is_told_which_one_to_call_in(hub, provider):
    await sign_in(hub, provider)
    with pytest.raises(StorageError, match="event loop"):
        await asyncio.to_thread(asyncio.run, hub.access_token("acme-sso", owner="user-1"))
