"""What a hub keeps of what was granted, what it tells of it, and how it goes."""

from __future__ import annotations

import os
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from pydantic import AnyUrl, SecretStr

from connectors_core import (
    ConfigurationError,
    Connector,
    ConnectorConfig,
    ConnectorMetadata,
    Event,
    Hub,
    Profile,
    Purpose,
    Registry,
    TokenSet,
)
from connectors_core.errors import (
    ConnectorMisconfigured,
    NotFound,
    NotLinked,
    ReauthorizationRequired,
    SealBroken,
    TokenEndpointError,
    TransportError,
)
from connectors_core.grants import GrantStatus, InactiveReason, TokenStore
from connectors_core.hookspecs import DISCARD, hookimpl
from connectors_core.storage.database import open_database
from connectors_core.storage.memory_tokens import MemoryTokenStore
from connectors_core.storage.migrations import prepare
from connectors_core.vault import Keyring
from connectors_core.vault.detached import DetachedSealedRows
from connectors_core.vault.outbox import Outcome
from connectors_core.vault.rows import SqlSealedRows

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


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


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


@pytest.fixture
def audit():
    return Audit()


@pytest.fixture
def registry(audit, monkeypatch):
    registry = Registry()
    registry.register(Acme)
    registry.plugins.register(audit)
    monkeypatch.setattr(Acme, "revoked", [])
    monkeypatch.setattr(Acme, "answers", [])
    return registry


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def hub(registry, tmp_path, clock):
    url = f"sqlite:///{tmp_path}/hub.db"
    async with Hub(registry, database=url, keys=KEYS, clock=clock) as opened:
        opened.add("acme", token_storage=True)
        yield opened


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


async def test_linking_keeps_the_tokens(hub, audit):
    identity = await hub.link(await grant(hub), owner="user:42")
    assert (await opened(hub, identity)).access_token == "access-42 openid"
    (status,) = await hub.token_states("user:42")
    assert (status.status, status.reason) == (GrantStatus.ACTIVE, None)
    assert status.state.scopes == {"openid"}
    assert len(audit.named("tokens.stored")) == 1


async def test_tokens_are_kept_for_the_account_that_granted_them_alone(hub):
    mine = await hub.link(await grant(hub), owner="user:42")
    with pytest.raises(NotFound):
        await hub.save_tokens(await grant(hub, "666 openid"), mine)
    acme = hub.tenant("acme")
    acme.add("acme", token_storage=True)
    theirs = await acme.link(await grant(acme), owner="user:42")
    for completed, identity in ((await grant(hub), theirs), (await grant(acme), mine)):
        for face in (hub, acme):
            with pytest.raises(NotFound):
                await face.save_tokens(completed, identity)
    assert (await opened(hub, mine)).access_token == "access-42 openid"


async def test_a_connector_that_stores_none_keeps_none(hub):
    hub.add("plain", type="acme", target="plain")
    completed = await grant(hub, connector="plain")
    identity = await hub.link(completed, owner="user:42")
    assert await hub.save_tokens(completed, identity) is None
    (status,) = await hub.token_states("user:42")
    assert status.status is GrantStatus.NOT_APPLICABLE


async def test_an_identity_without_tokens_is_inactive_and_says_why(hub):
    identity = await hub.link(await grant(hub), owner="user:42")
    assert await hub.revoke_tokens(identity.id, owner=identity.owner)
    assert not await hub.revoke_tokens(identity.id, owner=identity.owner)
    (status,) = await hub.token_states("user:42")
    assert (status.status, status.reason) == (GrantStatus.INACTIVE, InactiveReason.NOT_STORED)


async def test_an_ordinary_sign_in_narrows_nothing_and_a_step_up_counts(hub):
    identity = await hub.link(await grant(hub), owner="user:42")
    more = await grant(hub, "42 openid repo", purpose=Purpose.TOKENS, owner="user:42")
    await hub.save_tokens(more, identity)
    assert (await opened(hub, identity)).access_token == "access-42 openid repo"
    state = await hub.save_tokens(await grant(hub), identity)
    assert state.scopes == {"openid", "repo"}
    assert (await opened(hub, identity)).access_token == "access-42 openid repo"


async def test_listing_opens_nothing(hub):
    identity = await hub.link(await grant(hub), owner="user:42")
    before = vault_of(hub).opens
    await hub.token_states("user:42")
    await hub.identities("user:42")
    hub.connectors()
    await hub.begin("acme", redirect_uri=REDIRECT_URI)
    assert vault_of(hub).opens == before == 0
    await opened(hub, identity)
    assert vault_of(hub).opens == 1


async def test_a_dump_of_the_database_holds_no_token(hub, tmp_path):
    identity = await hub.link(await grant(hub), owner="user:42")
    await hub.save_tokens(await grant(hub, "42 openid repo"), identity)
    other = await hub.link(await grant(hub, "43 openid"), owner="user:43")
    await hub.unlink(other.id, owner=other.owner)
    dump = await hub.database.call(lambda connection: "\n".join(connection.iterdump()))
    files = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert "connectors_secrets" in dump
    for token in ("access-42", "refresh-42", "access-43", "refresh-43"):
        assert token not in dump
        assert token.encode() not in files
        assert token.encode().hex() not in dump.lower()


async def test_unlinking_forgets_the_tokens_and_the_provider_is_told_once(hub, audit):
    identity = await hub.link(await grant(hub), owner="user:42")
    assert await hub.unlink(identity.id, owner=identity.owner)
    assert not await hub.unlink(identity.id, owner=identity.owner)
    assert Acme.revoked == []
    assert [told.outcome for told in await hub.drain_revocations()] == [Outcome.REVOKED]
    assert await hub.drain_revocations() == []
    assert Acme.revoked == ["refresh-42 openid"]
    names = [event.name for event in audit.events if event.name.startswith(("tokens", "identity", "revoc"))]
    assert names == [
        "identity.linked",
        "tokens.stored",
        "tokens.removed",
        "identity.unlinked",
        "revocation.ended",
    ]


async def test_what_is_to_be_revoked_survives_the_process_and_an_outage(registry, tmp_path, clock):
    url = f"sqlite:///{tmp_path}/hub.db"
    async with Hub(registry, database=url, keys=KEYS, clock=clock) as hub:
        hub.add("acme", token_storage=True)
        identity = await hub.link(await grant(hub), owner="user:42")
        await hub.unlink(identity.id, owner=identity.owner)
    async with Hub(registry, database=url, keys=KEYS, clock=clock) as hub:
        hub.add("acme", token_storage=True)
        Acme.answers += [TransportError("down"), TokenEndpointError("temporarily", status=503)]
        assert [told.outcome for told in await hub.drain_revocations()] == [Outcome.LATER]
        clock.now += 29.0
        assert await hub.drain_revocations() == []
        clock.now += 1.0
        assert [told.outcome for told in await hub.drain_revocations()] == [Outcome.LATER]
        clock.now += 60.0
        assert [told.outcome for told in await hub.drain_revocations()] == [Outcome.REVOKED]
        assert Acme.revoked == ["refresh-42 openid"]


async def test_a_host_without_the_connector_leaves_a_revocation_to_others(registry, tmp_path, clock):
    url = f"sqlite:///{tmp_path}/hub.db"
    async with Hub(registry, database=url, keys=KEYS, clock=clock) as hub:
        hub.add("acme", token_storage=True)
        identity = await hub.link(await grant(hub), owner="user:42")
        await hub.unlink(identity.id, owner=identity.owner)
        async with Hub(registry, database=url, keys=KEYS, clock=clock) as behind:
            assert [told.outcome for told in await behind.drain_revocations()] == [Outcome.LATER]
        clock.now += 30.0
        assert [told.outcome for told in await hub.drain_revocations()] == [Outcome.REVOKED]


async def test_a_revocation_dies_after_a_day(hub, clock, audit):
    identity = await hub.link(await grant(hub), owner="user:42")
    await hub.unlink(identity.id, owner=identity.owner)
    clock.now += 86400.0
    assert [told.outcome for told in await hub.drain_revocations()] == [Outcome.EXPIRED]
    assert Acme.revoked == []
    assert dict(await vault_of(hub).rows.kids()) == {}
    assert [event.detail["outcome"] for event in audit.named("revocation.ended")] == ["expired"]


@pytest.mark.parametrize(
    "answer",
    [
        TokenEndpointError("unsupported_token_type", status=400),
        ConnectorMisconfigured("the server has no revocation_endpoint"),
        RuntimeError("a plugin's own"),
    ],
)
async def test_a_provider_that_will_never_do_it_is_asked_once(hub, answer):
    identity = await hub.link(await grant(hub), owner="user:42")
    await hub.unlink(identity.id, owner=identity.owner)
    Acme.answers.append(answer)
    assert [told.outcome for told in await hub.drain_revocations()] == [Outcome.REFUSED]
    assert await hub.drain_revocations() == []


async def test_nothing_is_revoked_while_another_live_set_of_the_grant_exists(hub):
    hub.add("again", type="acme", target="again", token_storage=True)
    acme, again = hub.connector("acme"), hub.connector("again")
    # Two connectors with an issuer of their own: told by issuer, client and subject, not by connector.
    for entry in (acme, again):
        object.__setattr__(entry.connector, "identity", lambda profile, tokens: same(profile))
    first = await hub.link(await grant(hub), owner="user:42")
    second = await hub.link(await grant(hub, connector="again"), owner="user:42")
    await hub.unlink(first.id, owner=first.owner)
    assert [told.outcome for told in await hub.drain_revocations()] == [Outcome.NEEDED]
    await hub.unlink(second.id, owner=second.owner)
    assert [told.outcome for told in await hub.drain_revocations()] == [Outcome.REVOKED]


def same(profile):
    from connectors_core import IdentityKey

    return IdentityKey("https://as.example", profile.id)


@pytest.mark.parametrize(
    ("revocation", "sent"),
    [("none", []), ("token", ["refresh-42 openid"]), ("grant", ["refresh-42 openid"])],
)
async def test_revocation_is_the_connectors_to_choose(hub, monkeypatch, revocation, sent):
    monkeypatch.setattr(Acme, "revocation", revocation)
    identity = await hub.link(await grant(hub), owner="user:42")
    await hub.unlink(identity.id, owner=identity.owner)
    await hub.drain_revocations()
    assert Acme.revoked == sent


async def test_tokens_go_where_the_plugin_says(registry, tmp_path, clock):
    plugin = Plugin()
    registry.plugins.register(plugin)
    async with Hub(registry, database=f"sqlite:///{tmp_path}/hub.db", keys=KEYS, clock=clock) as hub:
        hub.add("acme", token_storage=True)
        here = await hub.link(await grant(hub, "1 a"), owner="west:1")
        there = await hub.link(await grant(hub, "2 a"), owner="east:2")
        nowhere = await hub.link(await grant(hub, "3 a"), owner="nobody:3")
        assert await opened(hub, here)
        assert await opened(hub, there) is None
        assert (await plugin.east.open("default", there.id)).tokens.access_token == "access-2 a"
        assert await opened(hub, nowhere) is None
        assert [s.status for s in await hub.token_states("east:2")] == [GrantStatus.ACTIVE]
        assert [s.status for s in await hub.token_states("nobody:3")] == [GrantStatus.NOT_APPLICABLE]
        await hub.unlink(there.id, owner=there.owner)
        assert await plugin.east.state("default", there.id) is None
        with pytest.raises(ConnectorMisconfigured, match="not a token store"):
            await hub.link(await grant(hub, "4 a"), owner="wrong:4")


class RowStores:
    """A plugin's sealed rows: here in the same file, by a connection of its own."""

    def __init__(self, file):
        self.file, self.opened = file, []

    @hookimpl
    def register_token_stores(self):
        return {"elsewhere": self.open, "broken": lambda url: object()}

    def open(self, url):
        self.opened.append((url, SqlSealedRows(open_database(f"sqlite:///{self.file}"))))
        return self.opened[-1][1]


async def test_sealed_rows_are_kept_where_a_plugin_keeps_them(registry, tmp_path, clock):
    file = tmp_path / "hub.db"
    plugin = RowStores(file)
    registry.plugins.register(plugin)
    where = {"database": f"sqlite:///{file}", "keys": KEYS, "clock": clock}
    async with Hub(registry, **where, sealed_rows="elsewhere://there") as hub:
        hub.add("acme", token_storage=True)
        identity = await hub.link(await grant(hub), owner="user:42")
        [(url, rows)] = plugin.opened
        assert url == "elsewhere://there"
        assert await rows.find("default", identity.id, kind="tokens") is not None
        assert await opened(hub, identity)
        await rows._database.aclose()


async def test_a_store_that_is_not_beside_the_identities_keeps_nothing_of_one_that_is_gone(
    registry, tmp_path, clock, monkeypatch
):
    away = open_database(f"sqlite:///{tmp_path}/away.db")
    await prepare(away)
    plugin = RowStores(tmp_path / "hub.db")
    plugin.open = lambda url: DetachedSealedRows(away)
    registry.plugins.register(plugin)
    where = {"database": f"sqlite:///{tmp_path}/hub.db", "keys": KEYS, "clock": clock}
    async with Hub(registry, **where, sealed_rows="elsewhere://there") as hub:
        hub.add("acme", token_storage=True)
        identity = await hub.link(await grant(hub), owner="user:42")
        late = await grant(hub)
        remove = hub._shared.stores.identities.remove

        async def removed(*args, **options):
            """A sign-in that was on its way is saved just before the identity goes."""
            await hub.save_tokens(late, identity)
            return await remove(*args, **options)

        monkeypatch.setattr(hub._shared.stores.identities, "remove", removed)
        assert await hub.unlink(identity.id, owner="user:42")
        assert await away.fetch("SELECT id FROM connectors_secrets") == []
        with pytest.raises(NotLinked):
            await hub.save_tokens(late, identity)
        assert await away.fetch("SELECT id FROM connectors_secrets") == []
    await away.aclose()


async def test_a_grant_whose_connector_is_not_there_is_inactive_until_it_comes_back(hub, registry, tmp_path):
    await hub.link(await grant(hub), owner="user:42")
    async with Hub(registry, database=f"sqlite:///{tmp_path}/hub.db", keys=KEYS, clock=hub.now) as without:
        (status,) = await without.token_states("user:42")
        assert (status.status, status.reason) == (GrantStatus.INACTIVE, InactiveReason.CONNECTOR_CHANGED)
        without.add("acme", token_storage=True)
        (status,) = await without.token_states("user:42")
        assert status.status is GrantStatus.ACTIVE


@pytest.mark.parametrize(
    ("url", "error"), [("nobody://there", ConfigurationError), ("broken://there", ConnectorMisconfigured)]
)
async def test_a_sealed_row_store_that_is_none_is_told_when_the_hub_opens(
    registry, tmp_path, clock, url, error
):
    registry.plugins.register(RowStores(tmp_path / "hub.db"))
    with pytest.raises(error):
        async with Hub(
            registry, database=f"sqlite:///{tmp_path}/hub.db", keys=KEYS, clock=clock, sealed_rows=url
        ):
            pass


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
        from connectors_core.hub.keeping import urls_of

        await hub.database.fetch("UPDATE connectors_secrets SET urls = :urls", {"urls": urls_of(changed)})
        with pytest.raises(SealBroken):
            await opened(hub, identity)
        await hub.unlink(identity.id, owner=identity.owner)
        assert [told.outcome for told in await hub.drain_revocations()] == [Outcome.UNREADABLE]
        assert Acme.revoked == []


async def test_a_removed_connector_takes_its_tokens_along_and_no_identity(hub):
    hub.add("other", type="acme", target="other", token_storage=True)
    await hub.link(await grant(hub), owner="user:42")
    other = await hub.link(await grant(hub, connector="other"), owner="user:42")
    assert await hub.remove("acme") == 1
    assert Acme.revoked == ["refresh-42 openid"]
    with pytest.raises(NotFound):
        await hub.remove("acme")
    assert [entry.id for entry in hub.connectors()] == ["other"]
    assert len(await hub.identities("user:42")) == 2
    assert await opened(hub, other)
    hub.add("acme", token_storage=True)
    assert await hub.remove("acme") == 0


async def test_a_hub_in_memory_forgets_the_tokens_of_a_removed_connector(registry, clock):
    async with Hub(registry, clock=clock) as hub:
        hub.add("acme", token_storage=True)
        await hub.link(await grant(hub), owner="user:42")
        assert await hub.remove("acme") == 1


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
    from connectors_core.hub.keeping import urls_of

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


async def test_a_hub_in_memory_keeps_tokens_while_it_lives(registry, clock):
    async with Hub(registry, clock=clock) as hub:
        hub.add("acme", token_storage=True)
        identity = await hub.link(await grant(hub), owner="user:42")
        store = hub._shared.keeping.store_of(identity)
        assert isinstance(store, TokenStore)
        assert (await store.open("default", identity.id)).tokens.access_token == "access-42 openid"
        assert await hub.unlink(identity.id, owner=identity.owner)
        assert await hub.drain_revocations() == []


async def test_a_hub_drains_by_itself(hub, monkeypatch):
    import asyncio

    from connectors_core.hub import keeping

    monkeypatch.setattr(keeping, "DRAIN_EVERY", 0.0)
    await hub._shared.keeping.stop()
    identity = await hub.link(await grant(hub), owner="user:42")
    await hub.unlink(identity.id, owner=identity.owner)
    done = asyncio.Event()
    monkeypatch.setattr(hub._shared, "observe", lambda event: done.set())
    hub._shared.keeping.start()
    await asyncio.wait_for(done.wait(), 5)
    assert Acme.revoked == ["refresh-42 openid"]


async def test_every_tenant_has_tokens_of_its_own(hub):
    acme = hub.tenant("acme")
    acme.add("acme", token_storage=True)
    await hub.link(await grant(hub), owner="user:42")
    await acme.link(await grant(acme), owner="user:42")
    (ours,), (theirs,) = await hub.token_states("user:42"), await acme.token_states("user:42")
    assert (ours.state.ref.tenant, theirs.state.ref.tenant) == ("default", "acme")
    assert await vault_of(hub).open("default", theirs.identity.id) is None
