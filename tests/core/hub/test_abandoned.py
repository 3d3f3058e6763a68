"""What was granted and is not kept: the provider is told, unless a live grant would go with it."""

from __future__ import annotations

import pytest

from connectors_core import Hub, Purpose
from connectors_core.errors import NotFound
from connectors_core.hookspecs import hookimpl
from connectors_core.profile import IdentityKey
from connectors_core.vault.outbox import Outcome
from tests.core.hub.acme import KEYS, Acme, Plugin, grant


class Named(Acme):
    """Two connectors to one server: their identities are of one issuer."""

    id = "named"

    def identity(self, profile, tokens):
        return IdentityKey("https://as.example", profile.id)


async def told(hub):
    return [each.outcome for each in await hub.drain_revocations()]


async def test_the_provider_is_told_once(hub, audit):
    assert await hub.abandon(await grant(hub))
    assert await told(hub) == [Outcome.REVOKED]
    (event,) = audit.named("revocation.ended")
    assert (event.owner, event.detail["outcome"]) == (None, "revoked")
    assert Acme.revoked == ["refresh-42 openid"]
    assert await told(hub) == []


async def test_not_before_its_time(hub, clock):
    await hub.abandon(await grant(hub), after=600)
    clock.now += 599
    assert await told(hub) == []
    clock.now += 1
    assert await told(hub) == [Outcome.REVOKED]


async def test_what_was_kept_in_the_meantime_stays_good_and_is_no_news(hub, clock, audit):
    completed = await grant(hub)
    await hub.abandon(completed, after=600)
    await hub.link(completed, owner="user:42")
    clock.now += 600
    assert await told(hub) == [Outcome.NEEDED]
    assert Acme.revoked == []
    assert audit.named("revocation.ended") == []


async def test_what_was_kept_and_lost_again_in_the_meantime_is_revoked(hub, clock):
    completed = await grant(hub)
    await hub.abandon(completed, after=600)
    identity = await hub.link(completed, owner="user:42")
    await hub.unlink(identity.id, owner="user:42")
    clock.now += 600
    assert await told(hub) == [Outcome.REVOKED, Outcome.REVOKED]


@pytest.mark.parametrize("revocation", ["token", "grant"])
async def test_an_abandoned_consent_of_a_live_grant_takes_nothing_along(hub, monkeypatch, revocation):
    monkeypatch.setattr(Acme, "revocation", revocation)
    await hub.link(await grant(hub), owner="user:42")
    more = await grant(hub, "42 openid repo", purpose=Purpose.TOKENS, owner="user:42")
    assert await hub.abandon(more)
    assert await told(hub) == [Outcome.NEEDED]
    assert Acme.revoked == []


async def test_a_live_grant_of_the_account_to_another_client_is_enough(hub, registry):
    """Clients of one project share a grant at some providers, and nothing here tells which do."""
    registry.register(Named)
    for name in ("one", "two"):
        hub.add(name, type="named", target=name, config={"client_id": name}, token_storage=True)
    await hub.link(await grant(hub, connector="one"), owner="user:42")
    assert await hub.abandon(await grant(hub, connector="two"))
    assert await told(hub) == [Outcome.NEEDED]


async def test_a_live_grant_that_a_plugin_keeps_elsewhere_is_enough(hub, registry, clock):
    registry.plugins.register(Plugin())
    await hub.abandon(await grant(hub), after=600)
    await hub.link(await grant(hub), owner="east:42")
    clock.now += 600
    assert await told(hub) == [Outcome.NEEDED]


@pytest.mark.parametrize("owner", ["east:42", "nobody:42"])
async def test_nothing_is_kept_of_those_whose_tokens_a_plugin_keeps_or_nobody(hub, registry, owner):
    registry.plugins.register(Plugin())
    await hub.link(await grant(hub), owner=owner)
    assert not await hub.abandon(await grant(hub))
    assert dict(await hub._shared.keeping.vault.rows.kids()) == {}


async def test_a_plugin_that_fails_keeps_the_rest_waiting(hub, registry, monkeypatch, clock):
    class Failing:
        @hookimpl(tryfirst=True)
        def select_token_store(self, owner):
            if failing:
                raise RuntimeError(owner)

    failing = False
    registry.plugins.register(Failing())
    await hub.abandon(await grant(hub))
    identity = await hub.link(await grant(hub), owner="user:42")
    await hub.revoke_tokens(identity.id, owner="user:42")
    failing = True
    assert await told(hub) == [Outcome.LATER, Outcome.REVOKED]
    failing, Acme.revoked[:] = False, []
    clock.now += 30
    assert await told(hub) == [Outcome.REVOKED]


async def test_another_account_s_live_grant_is_nothing_to_it(hub):
    await hub.link(await grant(hub, "43 openid"), owner="user:43")
    assert await hub.abandon(await grant(hub))
    assert await told(hub) == [Outcome.REVOKED]


async def test_a_connector_that_stores_none_lets_go_as_ever(hub):
    hub.add("plain", type="acme", target="plain")
    assert not await hub.abandon(await grant(hub, connector="plain"))
    assert await told(hub) == []


async def test_a_hub_in_memory_tells_nobody(registry, clock):
    async with Hub(registry, clock=clock) as hub:
        hub.add("acme", token_storage=True)
        assert not await hub.abandon(await grant(hub))
        assert await told(hub) == []


async def test_another_tenant_s_result_is_not_found(hub):
    acme = hub.tenant("acme")
    acme.add("acme", token_storage=True)
    with pytest.raises(NotFound):
        await hub.abandon(await grant(acme))


async def test_what_waits_is_wrapped_anew_with_the_rest(hub):
    await hub.abandon(await grant(hub), after=600)
    assert dict(await hub._shared.keeping.vault.rows.kids()) == {KEYS.kids()[0]: 1}
