"""What every implementation of the stores must do.

A test module derives from ``StoresConformance`` and gives a fixture ``stores`` with the attributes
``transactions``, ``handles`` and ``identities``, empty at the start of each test.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from hashlib import sha256
from typing import Protocol

import pytest

from connectors_core.errors import StorageError
from connectors_core.profile import IdentityKey
from connectors_core.stores import (
    Absent,
    HandleStore,
    Identity,
    IdentityStore,
    TransactionRow,
    TransactionStore,
)

NOW = 1_800_000_000.25
SEALED = bytes(range(256))


class Stores(Protocol):
    @property
    def transactions(self) -> TransactionStore: ...
    @property
    def handles(self) -> HandleStore: ...
    @property
    def identities(self) -> IdentityStore: ...


def digest(word: str) -> bytes:
    return sha256(word.encode()).digest()


def pending(
    state: str, *, tenant: str = "default", binding: str = "browser", age: float = 0.0
) -> TransactionRow:
    return TransactionRow(
        tenant=tenant,
        state_hash=digest(state),
        binding_hash=digest(binding),
        sealed=SEALED,
        created_at=NOW - age,
        expires_at=NOW - age + 600.0,
    )


def linked(identity_id: str = "i1", *, subject: str = "subject", tenant: str = "default") -> Identity:
    return Identity(
        tenant=tenant,
        id=identity_id,
        owner="user:42",
        connector="acme-main",
        target="acme",
        group="acme-main",
        key=IdentityKey("https://issuer.example", subject),
        profile={
            "name": "Zoë \x00 \ud83d 👩",
            "email": "zoe@example.com",
            "email_verified": True,
            "phone": None,
        },
        created_at=NOW,
        updated_at=NOW,
    )


class TransactionsConformance:
    async def consume(self, stores: Stores, row: TransactionRow, now: float = NOW) -> TransactionRow | Absent:
        return await stores.transactions.consume(row.tenant, row.state_hash, row.binding_hash, now=now)

    async def test_what_was_added_is_handed_out_unchanged(self, stores: Stores) -> None:
        row = pending("s")
        await stores.transactions.add(row, most_per_binding=5)
        assert await self.consume(stores, row) == row

    async def test_a_transaction_is_handed_out_once(self, stores: Stores) -> None:
        row = pending("s")
        await stores.transactions.add(row, most_per_binding=5)
        await self.consume(stores, row)
        assert await self.consume(stores, row) is Absent.CONSUMED

    async def test_of_many_consumers_at_once_exactly_one_wins(self, stores: Stores) -> None:
        row = pending("s")
        await stores.transactions.add(row, most_per_binding=5)
        answers = await asyncio.gather(*(self.consume(stores, row) for _ in range(40)))
        assert answers.count(row) == 1
        assert answers.count(Absent.CONSUMED) == 39

    async def test_an_unknown_state_is_unknown(self, stores: Stores) -> None:
        assert await self.consume(stores, pending("s")) is Absent.UNKNOWN

    async def test_another_tenant_has_other_transactions(self, stores: Stores) -> None:
        ours, theirs = pending("s"), pending("s", tenant="acme")
        await stores.transactions.add(ours, most_per_binding=1)
        assert await self.consume(stores, theirs) is Absent.UNKNOWN
        await stores.transactions.add(theirs, most_per_binding=1)
        assert await self.consume(stores, theirs) == theirs
        assert await self.consume(stores, ours) == ours

    async def test_another_browser_consumes_nothing(self, stores: Stores) -> None:
        row = pending("s")
        stolen = replace(row, binding_hash=digest("other browser"))
        await stores.transactions.add(row, most_per_binding=5)
        assert await self.consume(stores, stolen) is Absent.OTHER_BROWSER
        assert await self.consume(stores, row) == row
        assert await self.consume(stores, stolen) is Absent.OTHER_BROWSER

    @pytest.mark.parametrize(("late", "answer"), [(-0.001, "row"), (0.0, "expired"), (1.0, "expired")])
    async def test_a_transaction_expires(self, stores: Stores, late: float, answer: str) -> None:
        row = pending("s")
        await stores.transactions.add(row, most_per_binding=5)
        got = await self.consume(stores, row, now=row.expires_at + late)
        assert got == (row if answer == "row" else Absent.EXPIRED)

    async def test_the_same_state_twice_is_refused(self, stores: Stores) -> None:
        row = pending("s")
        await stores.transactions.add(row, most_per_binding=5)
        with pytest.raises(StorageError):
            await stores.transactions.add(replace(row, sealed=b"other"), most_per_binding=5)
        assert await self.consume(stores, row) == row

    async def test_the_oldest_of_a_binding_make_room(self, stores: Stores) -> None:
        rows = [pending(f"s{age}", age=age) for age in (5, 1, 4, 2, 3)]
        other = pending("other", binding="another browser", age=9)
        for row in [other, *rows]:
            await stores.transactions.add(row, most_per_binding=3)
        left = {row.created_at for row in rows if await self.consume(stores, row) == row}
        assert left == {NOW - 1, NOW - 2, NOW - 3}
        assert await self.consume(stores, other) == other

    async def test_the_one_just_added_never_makes_room(self, stores: Stores) -> None:
        newer, older = pending("newer"), pending("older", age=60)
        await stores.transactions.add(newer, most_per_binding=1)
        await stores.transactions.add(older, most_per_binding=1)
        assert await self.consume(stores, newer) is Absent.UNKNOWN
        assert await self.consume(stores, older) == older

    async def test_a_consumed_one_takes_no_room(self, stores: Stores) -> None:
        first, second, third = pending("1", age=3), pending("2", age=2), pending("3", age=1)
        await stores.transactions.add(first, most_per_binding=2)
        await self.consume(stores, first)
        await stores.transactions.add(second, most_per_binding=2)
        await stores.transactions.add(third, most_per_binding=2)
        assert await self.consume(stores, first) is Absent.CONSUMED
        assert await self.consume(stores, second) == second

    async def test_sweep_drops_what_expired_and_nothing_else(self, stores: Stores) -> None:
        gone, used, kept = pending("gone", age=700), pending("used", age=650), pending("kept")
        for row in (gone, used, kept):
            await stores.transactions.add(row, most_per_binding=5)
        await self.consume(stores, used, now=NOW - 640)
        assert await stores.transactions.sweep(now=NOW) == 2
        assert await stores.transactions.sweep(now=NOW) == 0
        assert await self.consume(stores, gone) is Absent.UNKNOWN
        assert await self.consume(stores, used) is Absent.UNKNOWN
        assert await self.consume(stores, kept) == kept

    async def test_sweep_stops_at_its_limit_and_takes_the_longest_expired_first(self, stores: Stores) -> None:
        rows = [pending(f"s{age}", age=age) for age in (701, 703, 702)]
        for row in rows:
            await stores.transactions.add(row, most_per_binding=5)
        assert await stores.transactions.sweep(now=NOW, most=2) == 2
        assert await self.consume(stores, rows[0]) is Absent.EXPIRED


class HandlesConformance:
    async def take(self, stores: Stores, handle: str, *, kind: str = "k", now: float = NOW) -> bytes | None:
        return await stores.handles.take("default", kind, digest(handle), now=now)

    async def put(self, stores: Stores, handle: str, *, lifetime: float = 60.0) -> None:
        await stores.handles.put("default", "k", digest(handle), SEALED, expires_at=NOW + lifetime)

    async def test_a_handle_is_taken_once(self, stores: Stores) -> None:
        await self.put(stores, "h")
        assert await self.take(stores, "h") == SEALED
        assert await self.take(stores, "h") is None

    async def test_of_many_takers_at_once_exactly_one_gets_it(self, stores: Stores) -> None:
        await self.put(stores, "h")
        answers = await asyncio.gather(*(self.take(stores, "h") for _ in range(40)))
        assert sorted(map(bool, answers)) == [False] * 39 + [True]

    async def test_a_handle_has_a_tenant_and_a_kind(self, stores: Stores) -> None:
        await self.put(stores, "h")
        assert await self.take(stores, "h", kind="other") is None
        assert await stores.handles.take("acme", "k", digest("h"), now=NOW) is None
        assert await self.take(stores, "h") == SEALED

    async def test_an_expired_handle_is_not_given(self, stores: Stores) -> None:
        await self.put(stores, "h")
        assert await self.take(stores, "h", now=NOW + 60.0) is None

    async def test_the_same_handle_twice_is_refused(self, stores: Stores) -> None:
        await self.put(stores, "h")
        with pytest.raises(StorageError):
            await self.put(stores, "h")

    async def test_sweep_of_handles(self, stores: Stores) -> None:
        await self.put(stores, "old", lifetime=1.0)
        await self.put(stores, "older", lifetime=0.5)
        await self.put(stores, "new")
        assert await stores.handles.sweep(now=NOW + 2, most=1) == 1
        assert await self.take(stores, "old") == SEALED
        assert await stores.handles.sweep(now=NOW + 2) == 0
        assert await self.take(stores, "new") == SEALED


class IdentitiesConformance:
    async def test_an_identity_is_found_by_its_key_unchanged(self, stores: Stores) -> None:
        identity = linked()
        assert await stores.identities.add(identity) == identity
        assert await stores.identities.find("default", "acme-main", identity.key) == identity
        assert await stores.identities.get("default", "i1") == identity
        assert await stores.identities.get("acme", "i1") is None

    async def test_issuer_subject_group_and_tenant_all_count(self, stores: Stores) -> None:
        identity = linked()
        await stores.identities.add(identity)
        find = stores.identities.find
        assert await find("default", "acme-main", IdentityKey("https://other.example", "subject")) is None
        assert await find("default", "acme-main", IdentityKey("https://issuer.example", "Subject")) is None
        assert await find("default", "other", identity.key) is None
        assert await find("acme", "acme-main", identity.key) is None

    async def test_the_identity_that_is_there_is_returned_whoever_owns_it(self, stores: Stores) -> None:
        first = linked()
        await stores.identities.add(first)
        second = replace(first, id="i2", owner="user:7", profile={})
        assert await stores.identities.add(second) == first
        assert await stores.identities.of_owner("default", "user:7") == []

    async def test_of_many_that_link_one_account_at_once_exactly_one_wins(self, stores: Stores) -> None:
        rivals = [replace(linked(f"i{n}"), owner=f"user:{n}") for n in range(20)]
        answers = await asyncio.gather(*(stores.identities.add(rival) for rival in rivals))
        assert len({answer.id for answer in answers}) == 1
        assert answers[0] in rivals

    async def test_an_id_is_not_given_twice(self, stores: Stores) -> None:
        await stores.identities.add(linked("i1"))
        with pytest.raises(StorageError) as caught:
            await stores.identities.add(linked("i1", subject="another subject"))
        assert "another subject" not in str(caught.value)
        other_tenant = linked("i1", tenant="acme")
        assert await stores.identities.add(other_tenant) == other_tenant

    async def test_the_identities_of_an_owner_come_oldest_first(self, stores: Stores) -> None:
        for number in (2, 3, 1):
            identity = linked(f"i{number}", subject=f"subject {number}")
            await stores.identities.add(replace(identity, created_at=NOW + number))
        await stores.identities.add(linked("i4", subject="subject 4", tenant="acme"))
        found = await stores.identities.of_owner("default", "user:42")
        assert [identity.id for identity in found] == ["i1", "i2", "i3"]

    async def test_a_profile_is_replaced(self, stores: Stores) -> None:
        identity = linked()
        await stores.identities.add(identity)
        await stores.identities.update_profile("default", "i1", {"name": "Zoë"}, now=NOW + 5)
        found = await stores.identities.find("default", "acme-main", identity.key)
        assert found == replace(identity, profile={"name": "Zoë"}, updated_at=NOW + 5)

    async def test_the_profile_of_an_identity_that_is_gone_is_not_kept(self, stores: Stores) -> None:
        await stores.identities.update_profile("default", "i1", {"name": "Zoë"}, now=NOW)
        assert await stores.identities.of_owner("default", "user:42") == []

    async def test_a_profile_that_is_not_json_is_refused(self, stores: Stores) -> None:
        with pytest.raises(StorageError):
            await stores.identities.add(replace(linked(), profile={"name": object()}))
        with pytest.raises(StorageError):
            await stores.identities.add(replace(linked(), profile={"name": float("nan")}))

    async def test_what_is_returned_is_the_callers_own(self, stores: Stores) -> None:
        identity = linked()
        returned = await stores.identities.add(identity)
        assert isinstance(returned.profile, dict)
        returned.profile["name"] = "changed"
        assert await stores.identities.find("default", "acme-main", identity.key) == identity

    async def test_the_last_identity_of_the_groups_to_keep_stays(self, stores: Stores) -> None:
        for number, group in enumerate(("google", "google", "acme"), 1):
            await stores.identities.add(replace(linked(f"i{number}", subject=f"s{number}"), group=group))
        await stores.identities.add(replace(linked("i9", subject="s9"), group="google", owner="user:2"))
        assert await stores.identities.remove("default", "i1", keep_one_of=[]) is False
        assert await stores.identities.remove("default", "i3", keep_one_of=["acme"]) is False
        assert await stores.identities.remove("default", "i1", keep_one_of=["google"]) is True
        assert await stores.identities.remove("default", "i2", keep_one_of=["google"]) is False
        assert await stores.identities.remove("default", "i2", keep_one_of=["google", "acme"]) is True
        assert await stores.identities.remove("default", "i2", keep_one_of=["google", "acme"]) is False

    async def test_of_removals_at_once_that_would_leave_none_one_does_not_happen(
        self, stores: Stores
    ) -> None:
        numbers = range(6)
        for number in numbers:
            await stores.identities.add(linked(f"i{number}", subject=f"s{number}"))
        removals = (
            stores.identities.remove("default", f"i{number}", keep_one_of=["acme-main"]) for number in numbers
        )
        assert sorted(await asyncio.gather(*removals)) == [False, *[True] * 5]
        assert len(await stores.identities.of_owner("default", "user:42")) == 1

    async def test_a_removed_identity_is_gone_and_can_be_linked_again(self, stores: Stores) -> None:
        identity = linked()
        await stores.identities.add(identity)
        assert await stores.identities.remove("acme", "i1") is False
        assert await stores.identities.remove("default", "i1") is True
        assert await stores.identities.remove("default", "i1") is False
        assert await stores.identities.find("default", "acme-main", identity.key) is None
        again = replace(identity, id="i9", owner="user:7")
        assert await stores.identities.add(again) == again


class StoresConformance(TransactionsConformance, HandlesConformance, IdentitiesConformance):
    """All of it."""
