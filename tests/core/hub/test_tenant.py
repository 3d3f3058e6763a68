"""The hub's face: connectors, authorizations, handles and identities of one tenant."""

import asyncio
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from pydantic import SecretStr

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
    AccessDenied,
    IdentityAlreadyLinked,
    InvalidCallback,
    LastIdentity,
    NotFound,
    StorageError,
)
from connectors_core.flow import sealing

REDIRECT_URI = "https://host.example/callback/acme"


class AcmeConfig(ConnectorConfig):
    client_id: str
    client_secret: SecretStr


class Acme(Connector):
    id = "acme"
    target = "acme-sso"
    metadata = ConnectorMetadata(name={"en": "Acme"}, description={"en": "Acme accounts"})
    Config = AcmeConfig

    async def authorization_uri(self, transaction):
        return "https://as.example/authorize?" + urlencode({"state": transaction.state})

    async def exchange(self, callback, transaction):
        return TokenSet(access_token=callback.code)

    async def profile(self, api, tokens):
        return Profile(id=tokens.access_token, name="Ada")


CONFIG = {"clientId": "id", "clientSecret": "secret-canary"}


@pytest.fixture(params=["memory", "sqlite"])
async def hub(request, tmp_path, clock):
    registry = Registry()
    registry.register(Acme)
    database = None if request.param == "memory" else f"sqlite:///{tmp_path}/hub.db"
    async with Hub(registry, database=database, clock=clock) as opened:
        yield opened


async def sign_in(tenant, subject="42", connector="acme", **options):
    started = await tenant.begin(connector, redirect_uri=REDIRECT_URI, **options)
    state = dict(parse_qsl(urlsplit(started.uri).query))["state"]
    return await tenant.complete(
        urlencode({"code": subject, "state": state}),
        connector=connector,
        binding=started.binding,
        owner=options.get("owner"),
    )


async def test_a_person_signs_in(hub):
    hub.add("acme", config=CONFIG)
    completed = await sign_in(hub)
    assert completed.profile.name == "Ada"
    assert completed.connector == "acme"


async def test_a_connector_takes_its_type_and_target_by_default_from_its_id_and_type(hub):
    entry = hub.add("acme", config=CONFIG)
    assert (entry.type, entry.target, entry.group) == ("acme", "acme-sso", "acme")
    assert entry.name == {"en": "Acme"}
    other = hub.add("acme-two", type="acme", target="two", name={"en": "Two"}, order=-1, config=CONFIG)
    assert (other.type, other.target, other.name) == ("acme", "two", {"en": "Two"})
    assert [each.id for each in hub.connectors()] == ["acme-two", "acme"]


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        ({"config": {"clientId": "x"}}, "connectors.acme.config.clientSecret"),
        ({"config": {**CONFIG, "clientID": "x"}}, "connectors.acme.config.clientID"),
        ({"config": {**CONFIG, "client_id": "x"}}, "connectors.acme.config.clientId"),
        ({"config": CONFIG, "linkin": "ask"}, "connectors.acme.linkin"),
        ({"config": CONFIG, "order": "first"}, "connectors.acme.order"),
    ],
)
async def test_every_mistake_names_its_place_and_no_value(hub, settings, place):
    with pytest.raises(ConfigurationError) as caught:
        hub.add("acme", **settings)
    assert place in [".".join(problem.path) for problem in caught.value.problems]
    assert "secret-canary" not in str(caught.value)
    assert hub.connectors() == ()


async def test_one_id_and_one_target_belong_to_one_connector(hub):
    hub.add("acme", config=CONFIG)
    with pytest.raises(ConfigurationError, match="connector of this id already"):
        hub.add("acme", config=CONFIG)
    with pytest.raises(ConfigurationError, match="target of connector acme"):
        hub.add("other", type="acme", config=CONFIG)


async def test_an_identity_group_takes_in_only_who_discovers_its_issuer(hub):
    with pytest.raises(ConfigurationError, match="needs an issuer by discovery"):
        hub.add("acme", identity_group="all", config=CONFIG)
    assert hub.connectors() == ()


async def test_an_unknown_connector_or_type_is_not_found(hub):
    with pytest.raises(NotFound):
        hub.connector("nobody")
    with pytest.raises(ConfigurationError, match=r"connectors\.nobody\.type"):
        hub.add("nobody", config={})
    with pytest.raises(NotFound):
        await hub.begin("nobody", redirect_uri=REDIRECT_URI)


async def test_a_disabled_connector_neither_begins_nor_completes(hub):
    hub.add("acme", enabled=False, config=CONFIG)
    with pytest.raises(NotFound):
        await hub.begin("acme", redirect_uri=REDIRECT_URI)
    with pytest.raises(NotFound):
        await hub.complete("code=c&state=s", connector="acme", binding="b")
    assert hub.connector("acme").settings.enabled is False


async def test_tenants_share_nothing(hub):
    hub.add("acme", config=CONFIG)
    other = hub.tenant("other")
    with pytest.raises(NotFound):
        other.connector("acme")
    other.add("acme", config=CONFIG)
    completed = await sign_in(hub)
    await hub.link(completed, owner="user:1")
    assert await other.identities("user:1") == []
    handle = await hub.put_handle("form", {"a": 1}, lifetime=60)
    assert await other.take_handle("form", handle) is None


async def test_a_handle_is_taken_once_by_its_kind_before_it_expires(hub, clock):
    handle = await hub.put_handle("form", {"a": [1, "b"]}, lifetime=60)
    assert await hub.take_handle("other", handle) is None
    assert await hub.take_handle("form", handle) == {"a": [1, "b"]}
    assert await hub.take_handle("form", handle) is None
    late = await hub.put_handle("form", {}, lifetime=60)
    clock.now += 61
    assert await hub.take_handle("form", late) is None


async def test_an_identity_belongs_to_one_owner(hub):
    hub.add("acme", config=CONFIG)
    completed = await sign_in(hub)
    assert await hub.find_identity(completed) is None
    linked = await hub.link(completed, owner="user:1", profile={"name": "Ada"})
    assert await hub.link(completed, owner="user:1") == linked
    with pytest.raises(IdentityAlreadyLinked):
        await hub.link(completed, owner="user:2")
    assert await hub.find_identity(completed) == linked
    assert [each.id for each in await hub.identities("user:1")] == [linked.id]
    assert await hub.update_identity_profile(linked.id, {"name": "Ada L."}, owner="user:1")
    assert (await hub.find_identity(completed)).profile == {"name": "Ada L."}
    assert await hub.unlink(linked.id, owner="user:1") is True
    assert await hub.unlink(linked.id, owner="user:1") is False
    assert await hub.identities("user:1") == []


async def test_the_same_subject_at_another_connector_is_somebody_else(hub):
    """Discord 1234 is not GitHub 1234."""
    hub.add("acme", config=CONFIG)
    hub.add("acme-two", type="acme", target="two", config=CONFIG)
    await hub.link(await sign_in(hub), owner="user:1")
    assert await hub.find_identity(await sign_in(hub, connector="acme-two")) is None


async def test_an_owned_authorization_completes_with_its_owner(hub):
    hub.add("acme", config=CONFIG)
    completed = await sign_in(hub, purpose=Purpose.LINK, owner="user:1")
    assert completed.owner == "user:1"


async def test_expired_transactions_are_swept_while_others_begin(hub, clock):
    hub.add("acme", config=CONFIG)
    await hub.begin("acme", redirect_uri=REDIRECT_URI)
    await hub._shared.sweeper.settled()
    clock.now += 700 + 3600
    await hub.begin("acme", redirect_uri=REDIRECT_URI)
    await hub._shared.sweeper.settled()
    assert await hub._shared.stores.transactions.sweep(now=clock.now) == 0


async def test_a_sweep_goes_on_until_nothing_expired_is_left(hub, clock, monkeypatch):
    monkeypatch.setattr("connectors_core.hub.sweeper.SWEEP_MOST", 2)
    hub.add("acme", config=CONFIG)
    for number in range(9):
        await hub.put_handle("form", {"number": number}, lifetime=60)
        await hub.begin("acme", redirect_uri=REDIRECT_URI)
    await hub._shared.sweeper.settled()
    clock.now += 600 + 3601
    await hub.put_handle("form", {}, lifetime=60)
    await hub._shared.sweeper.settled()
    stores = hub._shared.stores
    assert await stores.handles.sweep(now=clock.now) == 0
    assert await stores.transactions.sweep(now=clock.now) == 0


async def test_a_handle_of_one_kind_opens_nothing_of_another(hub):
    """The stored bytes are bound to their kind, wherever a database writer moves them."""
    handle = await hub.put_handle("form", {"a": 1}, lifetime=60)
    stores = hub._shared.stores
    take, put = stores.handles.take, stores.handles.put
    key = sealing.hashed("handle", handle)
    sealed = await take("default", "form", key, now=hub.now())
    await put("default", "console", key, sealed, expires_at=hub.now() + 60)
    assert await hub.take_handle("console", handle) is None


async def test_what_another_tenant_completed_links_nobody_here(hub):
    hub.add("acme", config=CONFIG)
    other = hub.tenant("other")
    other.add("acme", config=CONFIG)
    completed = await sign_in(other)
    with pytest.raises(NotFound):
        await hub.link(completed, owner="user:1")
    with pytest.raises(NotFound):
        await hub.find_identity(completed)


async def test_an_identity_is_changed_and_unlinked_by_its_owner_alone(hub):
    hub.add("acme", config=CONFIG)
    linked = await hub.link(await sign_in(hub), owner="user:1", profile={"name": "Ada"})
    assert not await hub.update_identity_profile(linked.id, {"name": "Eve"}, owner="user:2")
    assert not await hub.unlink(linked.id, owner="user:2")
    assert not await hub.revoke_tokens(linked.id, owner="user:2")
    assert [each.profile["name"] for each in await hub.identities("user:1")] == ["Ada"]


async def linked_to(hub, owner, *codes):
    return [await hub.link(await sign_in(hub, code), owner=owner) for code in codes]


async def test_the_last_way_in_stays(hub):
    hub.add("acme", config=CONFIG)
    one, two = await linked_to(hub, "user:1", "ada", "ada-2")
    with pytest.raises(LastIdentity):
        await hub.unlink(one.id, owner="user:1", keep_one_of=["another"])
    assert await hub.unlink(one.id, owner="user:1", keep_one_of=["acme"])
    with pytest.raises(LastIdentity):
        await hub.unlink(two.id, owner="user:1", keep_one_of=["acme"])
    assert await hub.unlink(two.id, owner="user:1")


async def test_unlinking_all_at_once_leaves_one(hub):
    hub.add("acme", config=CONFIG)
    linked = await linked_to(hub, "user:1", *(f"ada-{number}" for number in range(8)))
    answers = await asyncio.gather(
        *(hub.unlink(each.id, owner="user:1", keep_one_of=["acme"]) for each in linked),
        return_exceptions=True,
    )
    assert sorted(map(str, answers)).count("True") == 7
    assert len(await hub.identities("user:1")) == 1


async def test_a_purpose_that_is_not_served_is_refused_before_its_code_is_redeemed(hub):
    hub.add("acme", config=CONFIG)
    started = await hub.begin("acme", redirect_uri=REDIRECT_URI, purpose=Purpose.TOKENS, owner="user:1")
    state = dict(parse_qsl(urlsplit(started.uri).query))["state"]
    with pytest.raises(InvalidCallback):
        await hub.complete(
            {"code": "c", "state": state},
            connector="acme",
            binding=started.binding,
            owner="user:1",
            purposes=[Purpose.SIGN_IN],
        )


async def test_observers_hear_of_success_and_failure_without_secrets(clock):
    heard: list[Event] = []
    registry = Registry()
    registry.register(Acme)
    async with Hub(registry, clock=clock) as hub:
        hub._shared.observe = heard.append
        hub.add("acme", config=CONFIG)
        await hub.link(await sign_in(hub, subject="code-canary"), owner="user:1")
        started = await hub.begin("acme", redirect_uri=REDIRECT_URI)
        state = dict(parse_qsl(urlsplit(started.uri).query))["state"]
        with pytest.raises(AccessDenied):
            await hub.complete(
                f"error=access_denied&state={state}", connector="acme", binding=started.binding
            )
    assert [event.name for event in heard] == [
        "authorization.completed",
        "identity.linked",
        "authorization.failed",
    ]
    assert heard[-1].detail == {"code": "access_denied", "step": "callback"}
    assert "code-canary" not in repr(heard)
    assert state not in repr(heard)


async def test_a_hub_that_is_not_open_says_so(clock):
    registry = Registry()
    registry.register(Acme)
    hub = Hub(registry, clock=clock)
    hub.add("acme", config=CONFIG)
    with pytest.raises(StorageError, match="not open"):
        await hub.begin("acme", redirect_uri=REDIRECT_URI)
    async with hub:
        with pytest.raises(StorageError, match="in memory"):
            _ = hub.database
    with pytest.raises(StorageError, match="was closed"):
        await hub.__aenter__()
