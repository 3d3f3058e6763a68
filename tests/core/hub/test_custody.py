"""Tokens in another database than the identities: by region, as ``docs/vault.md`` shows it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from connectors_core.errors import NotLinked, StorageError
from connectors_core.grants import GrantStatus, InactiveReason
from connectors_core.hookspecs import DISCARD
from connectors_core.storage.database import OpenDatabase
from connectors_core.testing.provider import Person
from connectors_core.vault.outbox import Outcome
from tests.core.hub.regions import CONFIG, REDIRECT_URI, Moved, World, count


@pytest.mark.parametrize(
    ("owner", "here", "there"), [("us:1", 1, 0), ("eu:1", 0, 1), ("guest:1", 0, 0)], ids=["us", "eu", "guest"]
)
async def test_an_owner_s_region_decides_where_the_tokens_are(
    world: World, eu: OpenDatabase, owner: str, here: int, there: int
) -> None:
    async with world.hub() as hub:
        await world.link(hub, owner)
        assert (await count(hub.database, "secrets"), await count(eu, "secrets")) == (here, there)
        assert await count(eu, "identities") == there
        (status,) = await hub.token_states(owner)
        if owner == "guest:1":
            assert status.status is GrantStatus.NOT_APPLICABLE
            with pytest.raises(NotLinked):
                await hub.access_token("acme", owner=owner)
            return
        assert status.status is GrantStatus.ACTIVE
        first = await hub.access_token("acme", owner=owner)
        world.clock.advance(3600)
        second = await hub.access_token("acme", owner=owner)
        assert first.access_token != second.access_token
        assert status.state is not None
        assert status.state.kid == ("eu-1" if there else "k1")


async def test_what_is_due_in_any_region_is_renewed_ahead(world: World, eu: OpenDatabase) -> None:
    async with world.hub() as hub:
        await world.link(hub, "us:1")
        world.provider.people = {"bob-1": Person(sub="bob-1")}
        await world.link(hub, "eu:1")
        for owner in ("us:1", "eu:1"):
            await hub.access_token("acme", owner=owner)
        world.clock.advance(3590)
        assert await hub.refresher().round() == 2
        for database in (hub.database, eu):
            assert await database.fetch("SELECT generation FROM connectors_secrets") == [(2,)]


async def test_nothing_of_an_owner_elsewhere_is_in_the_hub_s_files(world: World, tmp_path: Path) -> None:
    async with world.hub() as hub:
        await world.link(hub, "eu:1")
        dump = await hub.database.call(lambda connection: "\n".join(connection.iterdump()))  # type: ignore[attr-defined]
    assert "eu-1" not in dump
    files = b"".join(path.read_bytes() for path in tmp_path.glob("hub.db*"))  # noqa: ASYNC240
    assert files
    for secret in world.provider.secrets():
        assert secret not in dump
        assert secret.encode() not in files


async def test_unlinking_takes_the_tokens_there_and_the_copy_along_and_tells_the_provider(
    world: World, eu: OpenDatabase
) -> None:
    async with world.hub() as hub:
        identity = await world.link(hub, "eu:1")
        assert await hub.unlink(identity.id, owner="eu:1")
        assert (await count(eu, "secrets"), await count(eu, "identities")) == (0, 0)
        assert await count(eu, "revocations") == 1
    async with world.hub() as hub:
        assert [told.outcome for told in await hub.drain_revocations()] == [Outcome.REVOKED]
        assert world.provider.ledger.grants[0].revoked == "revocation"
        assert (await count(eu, "revocations"), await count(hub.database, "revocations")) == (0, 0)
        again = await world.link(hub, "eu:1")
        assert again.id != identity.id
        assert await count(eu, "secrets") == 1


async def test_revoking_keeps_the_identity_and_a_later_grant_is_kept_again(
    world: World, eu: OpenDatabase
) -> None:
    async with world.hub() as hub:
        identity = await world.link(hub, "eu:1")
        assert await hub.revoke_tokens(identity.id, owner="eu:1")
        (status,) = await hub.token_states("eu:1")
        assert status.reason is InactiveReason.NOT_STORED
        await hub.save_tokens(await world.granted(hub, "eu:1"), identity)
        assert await count(eu, "secrets") == 1


async def test_a_removed_connector_takes_the_tokens_of_every_region_along(
    world: World, eu: OpenDatabase
) -> None:
    async with world.hub() as hub:
        await world.link(hub, "eu:1")
        assert await hub.remove("acme") == 1
        assert (await count(eu, "secrets"), await count(eu, "identities")) == (0, 0)
    assert world.provider.ledger.grants[0].revoked == "revocation"


async def test_what_is_kept_after_the_identity_went_is_forgotten_again(
    world: World, eu: OpenDatabase
) -> None:
    """No foreign key reaches from one database into the other."""
    async with world.hub() as hub:
        identity = await world.link(hub, "eu:1")
        completed = await world.granted(hub, "eu:1")
        await hub.unlink(identity.id, owner="eu:1")
        with pytest.raises(NotLinked):
            await hub.save_tokens(completed, identity)
        assert (await count(eu, "secrets"), await count(eu, "identities")) == (0, 0)


async def test_what_was_granted_in_an_earlier_region_is_forgotten_too(world: World, eu: OpenDatabase) -> None:
    async with world.hub() as hub:
        identity = await world.link(hub, "us:1")
        moved = Moved(us_1="eu")
        world.registry.plugins.register(moved)
        await hub.save_tokens(await world.granted(hub, "us:1"), identity)
        assert (await count(hub.database, "secrets"), await count(eu, "secrets")) == (1, 1)
        assert await hub.revoke_tokens(identity.id, owner="us:1")
        assert (await count(hub.database, "secrets"), await count(eu, "secrets")) == (0, 0)
        await hub.save_tokens(await world.granted(hub, "us:1"), identity)
        moved.regions["us_1"] = DISCARD
        assert await hub.unlink(identity.id, owner="us:1")
        assert (await count(eu, "secrets"), await count(eu, "identities")) == (0, 0)
        assert {told.outcome for told in await hub.drain_revocations()} == {Outcome.REVOKED}
    assert [grant.revoked for grant in world.provider.ledger.grants] == ["revocation"] * 3


@pytest.mark.parametrize(
    ("owner", "queued", "here", "there"),
    [("us:1", True, 1, 0), ("eu:1", True, 0, 1), ("guest:1", False, 0, 0)],
    ids=["us", "eu", "guest"],
)
async def test_what_is_abandoned_waits_where_the_owner_s_tokens_are(
    world: World, eu: OpenDatabase, owner: str, queued: bool, here: int, there: int
) -> None:
    async with world.hub() as hub:
        identity = await world.link(hub, owner)
        completed = await world.granted(hub, owner)
        assert await hub.abandon(completed) is queued
        assert (await count(hub.database, "revocations"), await count(eu, "revocations")) == (here, there)
        await hub.revoke_tokens(identity.id, owner=owner)
        told = [each.outcome for each in await hub.drain_revocations()]
        assert told == [Outcome.REVOKED] * (2 * queued)


async def test_a_region_that_is_away_keeps_what_is_to_be_revoked_waiting_and_nothing_else(
    world: World, eu: OpenDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any, **__: Any) -> Any:
        raise StorageError("PostgreSQL cannot be reached")

    async with world.hub() as hub:
        identity = await world.link(hub, "us:1")
        await hub.access_token("acme", owner="us:1")
        keeping, access = hub._shared.keeping, hub._shared.access
        assert keeping is not None
        assert access is not None
        await asyncio.gather(*access._notes.values())
        rows = keeping._others["eu"].vault.rows
        with monkeypatch.context() as outage:
            for method in ("due", "same_grant", "state", "take_revocations", "expired_revocations"):
                outage.setattr(rows, method, away)
            world.clock.advance(3590)
            assert await hub.refresher().round() == 1
            with pytest.raises(StorageError):
                await hub.unlink(identity.id, owner="us:1")
            assert [each.id for each in await hub.identities("us:1")] == [identity.id]
            assert await count(hub.database, "revocations") == 1
            with pytest.raises(StorageError):
                await hub.drain_revocations()
            assert await count(hub.database, "revocations") == 1
        assert await hub.unlink(identity.id, owner="us:1")
        world.clock.advance(3600)
        assert [told.outcome for told in await hub.drain_revocations()] == [Outcome.REVOKED]


async def test_a_set_of_the_same_grant_in_another_region_keeps_the_provider_from_being_told(
    world: World,
) -> None:
    async with world.hub() as hub:
        acme = hub.tenant("acme")
        acme.add("acme", config=CONFIG, token_storage=True)
        await world.link(hub, "us:1")
        started = await acme.begin("acme", redirect_uri=REDIRECT_URI)
        landing = await world.provider.visit(started.uri)
        completed = await acme.complete(landing.query, connector="acme", binding=started.binding)
        there = await acme.link(completed, owner="eu:1")
        await acme.unlink(there.id, owner="eu:1")
        assert [told.outcome for told in await hub.drain_revocations()] == [Outcome.NEEDED]
