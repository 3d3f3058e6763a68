"""How what was granted goes: it is forgotten at once, and the provider is told, now or later."""

from __future__ import annotations

import asyncio

import pytest

from connectors_core import Hub, IdentityKey
from connectors_core.errors import ConnectorMisconfigured, NotFound, TokenEndpointError, TransportError
from connectors_core.hub import keeping
from connectors_core.vault.outbox import Outcome
from tests.core.hub.acme import KEYS, Acme, grant, opened, vault_of


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


async def test_a_hub_drains_by_itself(hub, monkeypatch):
    monkeypatch.setattr(keeping, "DRAIN_EVERY", 0.0)
    await hub._shared.keeping.stop()
    identity = await hub.link(await grant(hub), owner="user:42")
    await hub.unlink(identity.id, owner=identity.owner)
    done = asyncio.Event()
    monkeypatch.setattr(hub._shared, "observe", lambda event: done.set())
    hub._shared.keeping.start()
    await asyncio.wait_for(done.wait(), 5)
    assert Acme.revoked == ["refresh-42 openid"]
