"""What every token store must do, the vault or one that ``select_token_store`` returns.

A test module derives a class from ``TokenStoreConformance`` and gives three fixtures: ``store``, an
empty one; ``link`` and ``unlink``, which make an identity exist and forget it (a store without
identities of its own does nothing, and forgets the tokens).
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from ..grants import GrantRef, InactiveReason, Lease, Occasion, TokenStore
from ..tokens import TokenSet
from .sealed_rows import NOW, Change, ref

__all__ = ["NOW", "Change", "TokenStoreConformance", "granted", "ref"]


def granted(name: str = "first", scopes: str = "openid email", **changes: object) -> TokenSet:
    made = TokenSet(
        access_token=f"access-{name}",
        refresh_token=f"refresh-{name}",
        expires_at=NOW + 3600.5,
        requested=frozenset(scopes.split()),
        scopes=frozenset(scopes.split()),
        scopes_stated=True,
        claims={"sub": "248289", "nested": {"list": [1, "zwei", None]}},
        extra={"instance_url": "https://api.example"},
    )
    return replace(made, **changes)  # type: ignore[arg-type]


class TokenStoreConformance:
    async def put(
        self, store: TokenStore, link: Change, tokens: TokenSet | None = None, whose: GrantRef | None = None
    ) -> GrantRef:
        whose = whose or ref()
        await link(whose)
        await store.put(whose, tokens or granted(), now=NOW)
        return whose

    async def lease(
        self, store: TokenStore, *, generation: int = 1, ttl: float = 15.0, now: float = NOW
    ) -> Lease:
        lease = await store.acquire(
            "default", "identity_1", generation=generation, holder="me", ttl=ttl, now=now
        )
        assert lease is not None
        return lease

    async def access_token(self, store: TokenStore) -> str | None:
        stored = await store.open("default", "identity_1")
        return stored.tokens.access_token if stored else None

    async def test_tokens_come_back_as_they_were_put(self, store: TokenStore, link: Change) -> None:
        whose = await self.put(store, link)
        stored = await store.open("default", "identity_1")
        assert stored is not None
        assert stored.tokens == granted()
        assert (stored.state.ref, stored.state.generation) == (whose, 1)
        assert stored.state.describing(stored.tokens) == stored.state
        assert await store.state("default", "identity_1") == stored.state
        assert await store.states("default", "user:42") == [stored.state]

    async def test_nothing_is_found_under_another_tenant_or_owner(
        self, store: TokenStore, link: Change
    ) -> None:
        await self.put(store, link)
        assert await store.open("acme", "identity_1") is None
        assert await store.state("default", "identity_2") is None
        assert await store.states("acme", "user:42") == []
        assert await store.states("default", "user:7") == []

    async def test_a_second_set_is_merged_and_newer(self, store: TokenStore, link: Change) -> None:
        whose = await self.put(store, link)
        state = await store.put(whose, granted("second", refresh_token=None), now=NOW + 1)
        assert state.generation == 2
        stored = await store.open("default", "identity_1")
        assert stored is not None
        assert (stored.tokens.access_token, stored.tokens.refresh_token) == ("access-second", "refresh-first")

    async def test_the_occasion_decides_what_is_kept(self, store: TokenStore, link: Change) -> None:
        whose = await self.put(store, link, granted("wide", "openid email repo"))
        await store.put(whose, granted("narrow", "openid"), now=NOW)
        assert await self.access_token(store) == "access-wide"
        await store.put(whose, granted("asked", "openid drive"), occasion=Occasion.STEP_UP, now=NOW)
        assert await self.access_token(store) == "access-asked"

    async def test_a_new_grant_makes_an_inactive_one_good_and_keeps_nothing_of_it(
        self, store: TokenStore, link: Change
    ) -> None:
        whose = await self.put(store, link)
        await store.fail(await self.lease(store), reason=InactiveReason.INVALID_GRANT, now=NOW)
        state = await store.put(whose, granted("second", refresh_token=None), now=NOW)
        assert (state.reason, state.has_refresh_token, state.failures) == (None, False, 0)

    async def test_tokens_granted_under_other_urls_are_not_merged(
        self, store: TokenStore, link: Change
    ) -> None:
        whose = await self.put(store, link)
        elsewhere = replace(whose, urls=bytes([1]) * 32)
        state = await store.put(elsewhere, granted("second", refresh_token=None), now=NOW)
        assert (state.ref, state.has_refresh_token, state.generation) == (elsewhere, False, 2)
        stored = await store.open("default", "identity_1")
        assert stored is not None
        assert stored.tokens.refresh_token is None

    async def test_of_many_who_ask_for_a_lease_one_gets_it(self, store: TokenStore, link: Change) -> None:
        await self.put(store, link)
        asked = (
            store.acquire("default", "identity_1", generation=1, holder=str(n), ttl=15.0, now=NOW)
            for n in range(20)
        )
        (won,) = [lease for lease in await asyncio.gather(*asked) if lease is not None]
        assert (won.tokens, won.fence, won.until, won.uncertain) == (granted(), 1, NOW + 15.0, False)

    async def test_a_refresh_is_committed_merged(self, store: TokenStore, link: Change) -> None:
        await self.put(store, link)
        state = await store.commit(
            await self.lease(store), granted("new", refresh_token=None, scopes_stated=False), now=NOW + 2
        )
        assert state is not None
        assert (state.generation, state.updated_at, state.lease_holder) == (2, NOW + 2, None)
        stored = await store.open("default", "identity_1")
        assert stored is not None
        assert (stored.tokens.access_token, stored.tokens.refresh_token) == ("access-new", "refresh-first")
        assert stored.state == state

    async def test_a_former_holder_may_commit_and_may_not_fail(self, store: TokenStore, link: Change) -> None:
        await self.put(store, link)
        former = await self.lease(store, ttl=-1.0)
        present = await self.lease(store, now=NOW + 16)
        assert (present.fence, present.uncertain) == (2, True)
        assert not await store.renew(former, ttl=15.0, now=NOW + 16)
        assert not await store.fail(former, reason=InactiveReason.INVALID_GRANT, now=NOW)
        assert await store.commit(former, granted("new"), now=NOW)
        assert await store.commit(present, granted("late"), now=NOW) is None
        assert not await store.fail(present, reason=InactiveReason.ROTATION_LOST, now=NOW)
        assert await self.access_token(store) == "access-new"

    async def test_a_sign_in_during_a_refresh_wins(self, store: TokenStore, link: Change) -> None:
        whose = await self.put(store, link)
        lease = await self.lease(store)
        await store.put(whose, granted("signed-in"), now=NOW)
        assert await store.commit(lease, granted("late"), now=NOW) is None
        assert await self.access_token(store) == "access-signed-in"

    async def test_a_sign_in_that_keeps_the_refresh_token_ends_no_lease(
        self, store: TokenStore, link: Change
    ) -> None:
        whose = await self.put(store, link)
        lease = await self.lease(store)
        for tokens in (granted("without", refresh_token=None), granted("narrow", "openid")):
            state = await store.put(whose, tokens, now=NOW)
            assert (state.lease_holder, state.has_refresh_token) == ("me", True)
            at = {"generation": state.generation, "ttl": 15.0, "now": NOW}
            assert await store.acquire("default", "identity_1", holder="other", **at) is None  # type: ignore[arg-type]
            assert await store.renew(lease, ttl=15.0, now=NOW)
        assert not await store.fail(lease, reason=InactiveReason.INVALID_GRANT, now=NOW)
        assert await store.fail(lease, uncertain=True, now=NOW)
        state = await store.put(whose, granted("again", refresh_token=None), now=NOW)
        assert (state.lease_holder, state.uncertain, state.reason) == (None, True, None)

    async def test_an_answer_meets_a_sign_in_that_kept_the_refresh_token(
        self, store: TokenStore, link: Change
    ) -> None:
        whose = await self.put(store, link)
        lease = await self.lease(store)
        asked = granted("asked", "openid drive", refresh_token=None)
        await store.put(whose, asked, occasion=Occasion.STEP_UP, now=NOW)
        state = await store.commit(lease, granted("answer", scopes_stated=False), now=NOW)
        assert state is not None
        assert (state.generation, state.lease_holder) == (3, None)
        stored = await store.open("default", "identity_1")
        assert stored is not None
        assert stored.state == state
        assert (stored.tokens.access_token, stored.tokens.refresh_token) == (
            "access-answer",
            "refresh-answer",
        )
        assert stored.tokens.scopes == {"openid", "email", "drive"}

    async def test_a_failure_is_remembered(self, store: TokenStore, link: Change) -> None:
        await self.put(store, link)
        assert await store.fail(await self.lease(store), retry_at=NOW + 30, uncertain=True, now=NOW)
        state = await store.state("default", "identity_1")
        assert state is not None
        assert (state.retry_at, state.failures, state.uncertain, state.reason) == (NOW + 30, 1, True, None)
        await store.commit(await self.lease(store), granted("new"), now=NOW)
        state = await store.state("default", "identity_1")
        assert state is not None
        assert (state.retry_at, state.failures, state.uncertain) == (None, 0, False)

    async def test_who_has_not_heard_of_a_failure_gets_no_lease(
        self, store: TokenStore, link: Change
    ) -> None:
        await self.put(store, link)
        at = {"generation": 1, "ttl": 15.0, "now": NOW, "holder": "late"}
        assert await store.fail(await self.lease(store), retry_at=NOW + 30, now=NOW)
        assert await store.acquire("default", "identity_1", failures=0, **at) is None  # type: ignore[arg-type]
        assert await store.acquire("default", "identity_1", failures=1, **at)  # type: ignore[arg-type]

    async def test_an_inactive_grant_is_not_leased(self, store: TokenStore, link: Change) -> None:
        await self.put(store, link)
        await store.fail(await self.lease(store), reason=InactiveReason.CONSENT_REQUIRED, now=NOW)
        again = await store.acquire("default", "identity_1", generation=1, holder="me", ttl=15.0, now=NOW)
        assert again is None

    async def test_a_lease_is_held_on_to(self, store: TokenStore, link: Change) -> None:
        await self.put(store, link)
        lease = await self.lease(store, ttl=5.0)
        assert await store.renew(lease, ttl=60.0, now=NOW)
        other = await store.acquire(
            "default", "identity_1", generation=1, holder="other", ttl=5.0, now=NOW + 6
        )
        assert other is None

    async def test_what_was_removed_is_not_resurrected(self, store: TokenStore, link: Change) -> None:
        await self.put(store, link)
        lease = await self.lease(store)
        assert await store.remove("default", "identity_1", now=NOW)
        assert not await store.remove("default", "identity_1", now=NOW)
        assert await store.commit(lease, granted("late"), now=NOW) is None
        assert not await store.fail(lease, reason=InactiveReason.REVOKED, now=NOW)
        assert not await store.renew(lease, ttl=1.0, now=NOW)
        assert await store.open("default", "identity_1") is None

    async def test_a_lease_on_what_was_removed_does_not_touch_what_came_after(
        self, store: TokenStore, link: Change
    ) -> None:
        whose = await self.put(store, link)
        lease = await self.lease(store)
        await store.remove("default", "identity_1", now=NOW)
        await store.put(whose, granted("again"), now=NOW)
        assert await store.commit(lease, granted("late"), now=NOW) is None
        assert await self.access_token(store) == "access-again"

    async def test_use_is_written_down_at_most_once_an_hour(self, store: TokenStore, link: Change) -> None:
        await self.put(store, link)
        for late, expected in ((0.0, 0.0), (3599.0, 0.0), (3600.0, 3600.0)):
            await store.touch("default", "identity_1", now=NOW + late)
            state = await store.state("default", "identity_1")
            assert state is not None
            assert state.used_at == NOW + expected
