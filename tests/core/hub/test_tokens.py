"""What a hub keeps of what was granted, and what it tells of it."""

from __future__ import annotations

import pytest

from connectors_core import Hub, Purpose
from connectors_core.errors import NotFound
from connectors_core.grants import GrantStatus, InactiveReason
from tests.core.hub.acme import KEYS, REDIRECT_URI, grant, opened, vault_of


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


async def test_a_grant_whose_connector_is_not_there_is_inactive_until_it_comes_back(hub, registry, tmp_path):
    await hub.link(await grant(hub), owner="user:42")
    async with Hub(registry, database=f"sqlite:///{tmp_path}/hub.db", keys=KEYS, clock=hub.now) as without:
        (status,) = await without.token_states("user:42")
        assert (status.status, status.reason) == (GrantStatus.INACTIVE, InactiveReason.CONNECTOR_CHANGED)
        without.add("acme", token_storage=True)
        (status,) = await without.token_states("user:42")
        assert status.status is GrantStatus.ACTIVE


async def test_every_tenant_has_tokens_of_its_own(hub):
    acme = hub.tenant("acme")
    acme.add("acme", token_storage=True)
    await hub.link(await grant(hub), owner="user:42")
    await acme.link(await grant(acme), owner="user:42")
    (ours,), (theirs,) = await hub.token_states("user:42"), await acme.token_states("user:42")
    assert (ours.state.ref.tenant, theirs.state.ref.tenant) == ("default", "acme")
    assert await vault_of(hub).open("default", theirs.identity.id) is None
