"""The vault: what is refused when opened, what needs no key, what survives."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import Any

import pytest

from connectors_core.errors import (
    KeyUnavailable,
    NotLinked,
    ReauthorizationRequired,
    SealBroken,
    UnknownKey,
    VaultError,
)
from connectors_core.grants import InactiveReason, Rewrapped
from connectors_core.storage.database import OpenDatabase
from connectors_core.storage.memory_tokens import MemoryTokenStore
from connectors_core.storage.sql import SqlStores
from connectors_core.testing.token_stores import NOW, Change, TokenStoreConformance, granted, ref
from connectors_core.tokens import TokenSet
from connectors_core.vault import Keyring, Vault
from connectors_core.vault.hosts import Hosts
from connectors_core.vault.key_changes import KeyChanges
from connectors_core.vault.key_states import KeyStates
from connectors_core.vault.outbox import Outcome, drain
from connectors_core.vault.rows import SqlSealedRows

RIVAL = ref("identity_2", owner="user:7", subject="990011", connector="other", target="other")


class TestVault(TokenStoreConformance):
    @pytest.fixture
    def store(self, vault: Vault) -> Vault:
        return vault


class TestMemoryTokenStore(TokenStoreConformance):
    @pytest.fixture
    def store(self) -> MemoryTokenStore:
        return MemoryTokenStore()

    @pytest.fixture
    def link(self) -> Change:
        async def link(whose: object) -> None: ...

        return link


async def put(vault: Vault, link: Change) -> None:
    for whose, tokens in ((ref(), granted()), (RIVAL, granted("rival"))):
        await link(whose)
        await vault.put(whose, tokens, now=NOW)


async def edit(database: OpenDatabase, sql: str, **parameters: Any) -> None:
    await database.fetch(f"UPDATE connectors_secrets SET {sql} WHERE identity = 'identity_1'", parameters)


EDITS = [
    "expires_at = expires_at + 3600",
    "expires_at = NULL",
    "refresh_expires_at = 5000000000",
    'scopes = \'["admin","email","openid"]\'',
    "requested = '[]'",
    "effective = '[\"admin\"]'",
    "scopes_stated = 0",
    "token_type = 'DPoP'",
    "has_refresh_token = 0",
    "issuer = 'https://evil.example'",
    "connector = 'other'",
    "target = 'other'",
    "kid = 'k2'",
    "id = 'secret_other'",
]


@pytest.mark.parametrize("change", EDITS)
async def test_what_was_edited_beside_the_tokens_is_refused_when_opened(
    database: OpenDatabase, vault: Vault, link: Change, change: str
) -> None:
    await put(vault, link)
    await edit(database, change)
    with pytest.raises(SealBroken):
        await vault.open("default", "identity_1")
    with pytest.raises(SealBroken):
        await vault.acquire("default", "identity_1", generation=1, holder="me", ttl=9.0, now=NOW)
    state = await vault.state("default", "identity_1")
    assert state is not None
    assert (state.lease_holder, state.uncertain) == (None, False)


async def test_a_lease_of_before_the_clock_was_set_back_counts_as_free(vault: Vault, link: Change) -> None:
    await put(vault, link)
    later = NOW + 86400
    assert await vault.acquire("default", "identity_1", generation=1, holder="gone", ttl=9.0, now=later)
    lease = await vault.acquire("default", "identity_1", generation=1, holder="me", ttl=9.0, now=NOW)
    assert lease is not None
    assert lease.uncertain
    assert not await vault.acquire("default", "identity_1", generation=1, holder="other", ttl=9.0, now=NOW)


@pytest.mark.parametrize("column", ["payload", "wrapped_dek", "payload, wrapped_dek"])
async def test_rows_and_keys_of_another_open_nothing(
    database: OpenDatabase, vault: Vault, link: Change, column: str
) -> None:
    await put(vault, link)
    for name in column.split(", "):
        await edit(
            database,
            f"{name} = (SELECT {name} FROM connectors_secrets s WHERE s.identity = 'identity_2')",
        )
    with pytest.raises(SealBroken):
        await vault.open("default", "identity_1")


@pytest.mark.parametrize("column", ["owner = 'user:7'", "subject = 'somebody else'"])
async def test_an_identity_that_was_given_to_another_opens_nothing(
    database: OpenDatabase, vault: Vault, link: Change, column: str
) -> None:
    await put(vault, link)
    await database.fetch(f"UPDATE connectors_identities SET {column} WHERE id = 'identity_1'")
    with pytest.raises(SealBroken):
        await vault.open("default", "identity_1")


async def test_a_truncated_tag_is_refused(database: OpenDatabase, vault: Vault, link: Change) -> None:
    await put(vault, link)
    ((payload,),) = await database.fetch(
        "SELECT payload FROM connectors_secrets WHERE identity = 'identity_1'"
    )
    await edit(database, "payload = :payload", payload=bytes(payload)[:-4])
    with pytest.raises(SealBroken):
        await vault.open("default", "identity_1")


async def test_a_row_put_back_as_it_was_opens_to_its_owner_alone(
    database: OpenDatabase, vault: Vault, link: Change
) -> None:
    """What no format prevents; what is left of it is an older token of the same grant."""
    await put(vault, link)
    old = await vault.rows.find("default", "identity_1", kind="tokens")
    assert old is not None
    await vault.put(ref(), granted("newer"), now=NOW)
    await edit(database, "payload = :payload, generation = 1", payload=old.payload)
    stored = await vault.open("default", "identity_1")
    assert stored is not None
    assert (stored.tokens.access_token, stored.state.ref.owner) == ("access-first", "user:42")


async def test_nothing_is_opened_for_states_counts_pages_touch_and_removal(
    vault: Vault, link: Change
) -> None:
    await put(vault, link)
    await vault.state("default", "identity_1")
    await vault.states("default", "user:42")
    await vault.touch("default", "identity_1", now=NOW)
    await vault.rows.kids()
    await vault.rows.page()
    await vault.remove("default", "identity_1", now=NOW)
    assert vault.opens == 0


async def test_states_are_readable_without_keys(database: OpenDatabase, vault: Vault, link: Change) -> None:
    await put(vault, link)
    (state,) = await SqlSealedRows(database).states("default", "user:42", kind="tokens")
    assert (state.status(NOW), state.scopes) == ("active", {"openid", "email"})


async def test_a_data_key_lives_as_long_as_its_secret(vault: Vault, link: Change) -> None:
    await put(vault, link)
    first = await vault.rows.find("default", "identity_1", kind="tokens")
    await vault.put(ref(), granted("newer"), now=NOW)
    lease = await vault.acquire("default", "identity_1", generation=2, holder="me", ttl=9.0, now=NOW)
    assert lease is not None
    await vault.commit(lease, granted("refreshed"), now=NOW)
    same = await vault.rows.find("default", "identity_1", kind="tokens")
    assert first is not None
    assert same is not None
    assert (same.wrapped_dek, same.state.secret_id) == (first.wrapped_dek, first.state.secret_id)
    assert same.payload[:13] != first.payload[:13]
    await vault.remove("default", "identity_1", now=NOW)
    await vault.put(ref(), granted("again"), now=NOW)
    other = await vault.rows.find("default", "identity_1", kind="tokens")
    assert other is not None
    assert other.state.secret_id != first.state.secret_id


async def test_a_new_grant_replaces_what_cannot_be_opened(
    database: OpenDatabase, vault: Vault, link: Change
) -> None:
    await put(vault, link)
    await edit(database, "expires_at = 1")
    await vault.put(ref(), granted("again"), now=NOW)
    stored = await vault.open("default", "identity_1")
    assert stored is not None
    assert (stored.tokens.access_token, stored.state.generation) == ("access-again", 2)


async def test_a_host_that_lacks_the_key_replaces_nothing_until_the_key_is_given_up(
    database: OpenDatabase, vault: Vault, link: Change
) -> None:
    await put(vault, link)
    changes = KeyChanges(
        database, vault.rows, vault.key_states, Hosts(database, clock=lambda: NOW), clock=lambda: NOW
    )
    with pytest.raises(VaultError, match="active"):
        await changes.give_up("k1")
    await changes.promote("k2")
    without = Vault(vault.rows, Keyring({"k2": bytes([2]) * 32}), KeyStates(database))
    with pytest.raises(UnknownKey):
        await without.put(ref(), granted("again"), now=NOW)
    assert await vault.open("default", "identity_1")
    hosts = Hosts(database, clock=lambda: NOW)
    await hosts.beat("ahead", ["k1", "k2"])
    with pytest.raises(VaultError, match="not lost: ahead"):
        await changes.give_up("k1")
    await hosts.leave("ahead")
    await changes.give_up("k1")
    await without.put(ref(), granted("again"), now=NOW)
    stored = await without.open("default", "identity_1")
    assert stored is not None
    assert (stored.tokens.access_token, stored.state.generation) == ("access-again", 2)


async def test_writers_of_one_grant_come_one_after_the_other(vault: Vault, link: Change) -> None:
    await link(ref())
    states = await asyncio.gather(*(vault.put(ref(), granted(str(n)), now=NOW) for n in range(5)))
    assert sorted(state.generation for state in states) == [1, 2, 3, 4, 5]


async def test_tokens_are_not_kept_for_an_identity_that_is_gone(vault: Vault) -> None:
    with pytest.raises(NotLinked):
        await vault.put(ref(), granted(), now=NOW)


async def test_tokens_go_with_their_identity_and_a_late_refresh_brings_none_back(
    database: OpenDatabase, vault: Vault, link: Change, unlink: Change
) -> None:
    await put(vault, link)
    lease = await vault.acquire("default", "identity_1", generation=1, holder="me", ttl=9.0, now=NOW)
    await unlink(ref())
    assert lease is not None
    assert await vault.commit(lease, granted("late"), now=NOW) is None
    assert await vault.open("default", "identity_1") is None


async def test_removing_a_connector_removes_its_tokens_and_no_identity(
    database: OpenDatabase, vault: Vault, link: Change
) -> None:
    await put(vault, link)
    assert await vault.remove_connector("default", "acme-main", now=NOW) == 1
    assert await vault.open("default", "identity_1") is None
    assert await vault.open("default", "identity_2")
    assert len(await SqlStores(database).identities.of_owner("default", "user:42")) == 1


async def test_a_changed_connector_ends_its_grants_and_a_refresh_under_way(
    vault: Vault, link: Change
) -> None:
    await put(vault, link)
    lease = await vault.acquire("default", "identity_1", generation=1, holder="me", ttl=9.0, now=NOW)
    assert await vault.connector_changed("default", "acme-main", now=NOW) == 1
    assert lease is not None
    assert await vault.commit(lease, granted("late"), now=NOW) is None
    state = await vault.state("default", "identity_1")
    assert state is not None
    assert state.reason is InactiveReason.CONNECTOR_CHANGED


async def test_tokens_granted_under_other_urls_are_not_opened(
    database: OpenDatabase, vault: Vault, link: Change
) -> None:
    await put(vault, link)
    moved = Vault(vault.rows, vault.keys, vault.key_states, urls=lambda ref: bytes([9]) * 32)
    for attempt in (
        moved.open("default", "identity_1"),
        moved.acquire("default", "identity_1", generation=1, holder="me", ttl=9.0, now=NOW),
    ):
        with pytest.raises(ReauthorizationRequired, match="connector_changed"):
            await attempt
    assert moved.opens == 0
    await edit(database, "urls = :urls", urls=bytes([9]) * 32)
    with pytest.raises(SealBroken):
        await moved.open("default", "identity_1")


class Unreachable(Keyring):
    """A key service that goes away."""

    gone = False

    async def unwrap(self, wrapped: bytes, *, kid: str, context: bytes) -> bytes:
        if self.gone:
            raise KeyUnavailable("the key service does not answer")
        return await super().unwrap(wrapped, kid=kid, context=context)


async def test_no_key_is_needed_between_a_request_and_its_commit(
    database: OpenDatabase, link: Change
) -> None:
    keys, states = Unreachable({"k1": bytes([1]) * 32}), KeyStates(database)
    await states.begin(keys, now=NOW)
    vault = Vault(SqlSealedRows(database), keys, states, revokes=lambda ref: True)
    await put(vault, link)
    lease = await vault.acquire("default", "identity_1", generation=1, holder="me", ttl=9.0, now=NOW)
    keys.gone = True
    assert lease is not None
    assert await vault.commit(lease, granted("new"), now=NOW)
    with pytest.raises(KeyUnavailable):
        await vault.open("default", "identity_1")
    with pytest.raises(KeyUnavailable):
        await vault.acquire("default", "identity_1", generation=2, holder="me", ttl=9.0, now=NOW)
    with pytest.raises(KeyUnavailable):
        await vault.put(ref(), granted("again"), now=NOW)
    state = await vault.state("default", "identity_1")
    assert state is not None
    assert (state.generation, state.lease_holder) == (2, None)
    assert await vault.remove("default", "identity_1", now=NOW)
    assert [told.outcome for told in await drain(vault, refuse, now=NOW)] == [Outcome.LATER]


async def refuse(whose: object, tokens: TokenSet) -> Outcome:
    return Outcome.REFUSED


async def test_a_key_that_is_gone_is_named(database: OpenDatabase, vault: Vault, link: Change) -> None:
    await put(vault, link)
    without = Vault(vault.rows, Keyring({"k2": bytes([2]) * 32}), vault.key_states)
    with pytest.raises(UnknownKey, match="k1"):
        await without.open("default", "identity_1")


async def test_tokens_open_after_a_rewrap_by_the_new_key_alone(
    database: OpenDatabase, vault: Vault, link: Change
) -> None:
    from connectors_core.vault import record

    await put(vault, link)
    lease = await vault.acquire("default", "identity_1", generation=1, holder="me", ttl=9.0, now=NOW)
    for row in await vault.rows.page(kid="k1"):
        context = record.context_of(row.ref, secret_id=row.place.id, kind=row.kind)
        wrapped = await vault.keys.rewrap(row.wrapped_dek, kid="k1", to="k2", context=context)
        assert await vault.rows.rewrap([Rewrapped(row=row, kid="k2", wrapped_dek=wrapped)]) == [True]
    assert lease is not None
    assert await vault.commit(lease, granted("new"), now=NOW)
    alone = Vault(vault.rows, Keyring({"k2": bytes([2]) * 32}), vault.key_states)
    for identity, token in (("identity_1", "access-new"), ("identity_2", "access-rival")):
        stored = await alone.open("default", identity)
        assert stored is not None
        assert stored.tokens.access_token == token


async def test_the_provider_is_told_of_what_was_removed_as_it_was(vault: Vault, link: Change) -> None:
    await put(vault, link)
    sent: list[tuple[object, TokenSet]] = []

    async def send(whose: object, tokens: TokenSet) -> Outcome:
        sent.append((whose, tokens))
        return Outcome.REVOKED

    await vault.remove("default", "identity_1", now=NOW)
    assert [told.outcome for told in await drain(vault, send, now=NOW)] == [Outcome.REVOKED]
    assert sent == [(ref(), granted())]
    assert await drain(vault, send, now=NOW + 3600) == []


@pytest.mark.parametrize("reason", [InactiveReason.INVALID_GRANT, InactiveReason.REVOKED])
async def test_a_dead_grant_is_not_revoked_again(vault: Vault, link: Change, reason: InactiveReason) -> None:
    await put(vault, link)
    lease = await vault.acquire("default", "identity_1", generation=1, holder="me", ttl=9.0, now=NOW)
    assert lease is not None
    await vault.fail(lease, reason=reason, now=NOW)
    await vault.remove("default", "identity_1", now=NOW)
    assert await drain(vault, refuse, now=NOW) == []


async def test_a_grant_serves_elsewhere_while_any_set_of_it_is_kept(vault: Vault, link: Change) -> None:
    again = ref("identity_2")
    assert not await vault.serves_elsewhere(again)
    await put(vault, link)
    assert await vault.serves_elsewhere(again)
    assert not await vault.serves_elsewhere(ref("identity_2", subject="another"))
    await vault.remove("default", "identity_1", now=NOW)
    assert not await vault.serves_elsewhere(again)


async def test_a_revocation_that_another_ended_is_not_told_again(vault: Vault, link: Change) -> None:
    await put(vault, link)
    await vault.remove("default", "identity_1", now=NOW)

    async def slow(whose: object, tokens: TokenSet) -> Outcome:
        assert [told.outcome for told in await drain(vault, refuse, now=NOW + 30)] == [Outcome.REFUSED]
        return Outcome.REVOKED

    assert await drain(vault, slow, now=NOW) == []


async def test_a_broken_seal_is_told_once_for_each_generation(
    database: OpenDatabase, vault: Vault, link: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors_core.vault.vault.REMEMBERED", 2)
    told: list[object] = []
    telling = Vault(vault.rows, vault.keys, vault.key_states, broken=told.append)
    await put(vault, link)
    for generation in (1, 2, 3):
        await edit(database, "expires_at = 1, generation = :generation", generation=generation)
        for _ in range(2):
            with pytest.raises(SealBroken):
                await telling.open("default", "identity_1")
    assert told == [ref()] * 3


async def test_a_host_without_the_key_leaves_an_entry_to_others(vault: Vault, link: Change) -> None:
    await put(vault, link)
    await vault.remove("default", "identity_1", now=NOW)
    without = Vault(vault.rows, Keyring({"k2": bytes([2]) * 32}), vault.key_states)
    assert [told.outcome for told in await drain(without, refuse, now=NOW)] == [Outcome.LATER]
    assert [told.outcome for told in await drain(vault, refuse, now=NOW + 30)] == [Outcome.REFUSED]


async def test_an_edited_entry_is_not_sent(database: OpenDatabase, vault: Vault, link: Change) -> None:
    await put(vault, link)
    await vault.remove("default", "identity_1", now=NOW)
    await database.fetch("UPDATE connectors_revocations SET urls = :urls", {"urls": bytes([7]) * 32})
    assert [told.outcome for told in await drain(vault, refuse, now=NOW)] == [Outcome.UNREADABLE]


async def test_nothing_secret_is_logged_or_shown(
    vault: Vault, link: Change, caplog: pytest.LogCaptureFixture, database: OpenDatabase
) -> None:
    caplog.set_level(logging.DEBUG)
    await put(vault, link)
    lease = await vault.acquire("default", "identity_1", generation=1, holder="me", ttl=9.0, now=NOW)
    shown = [repr(lease), repr(await vault.open("default", "identity_1")), repr(vault.keys)]
    await edit(database, "expires_at = 1")
    with pytest.raises(SealBroken) as caught:
        await vault.open("default", "identity_1")
    shown += [str(caught.value), caplog.text]
    assert not [text for text in shown if "access-first" in text or "refresh-first" in text]


async def test_what_a_lease_holds_does_not_show_the_data_key(vault: Vault, link: Change) -> None:
    await put(vault, link)
    lease = await vault.acquire("default", "identity_1", generation=1, holder="me", ttl=9.0, now=NOW)
    assert lease is not None
    assert repr(lease.held.dek) not in repr(lease.held)  # type: ignore[attr-defined]


async def test_a_lease_of_another_store_is_not_committed(vault: Vault, link: Change) -> None:
    await put(vault, link)
    lease = await vault.acquire("default", "identity_1", generation=1, holder="me", ttl=9.0, now=NOW)
    assert lease is not None
    with pytest.raises(TypeError):
        await vault.commit(replace(lease, held=None), granted(), now=NOW)
