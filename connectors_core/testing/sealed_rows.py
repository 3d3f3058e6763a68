"""What every sealed row store must do.

A test module derives a class from ``SealedRowStoreConformance`` and gives three fixtures: ``rows``,
an empty store; ``link`` and ``unlink``, which make an identity exist and forget it:
``await link(ref)``, ``await unlink(ref)`` (a store without identities of its own forgets the rows).
A store that times revocations by a clock of its own overrides ``pass_time``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from ..grants import (
    GrantRef,
    GrantState,
    InactiveReason,
    Rewrapped,
    SealedRevocation,
    SealedRow,
    SealedRowStore,
)

NOW = 1_800_000_000.25
KIND = "tokens"
Change = Callable[[GrantRef], Awaitable[None]]


def ref(identity: str = "identity_1", **changes: str) -> GrantRef:
    whose = {"tenant": "default", "owner": "user:42", "subject": "248289", "connector": "acme-main"}
    grant = {"target": "acme", "issuer": "https://issuer.example", "client": "client"}
    return GrantRef(identity=identity, urls=bytes(32), **{**whose, **grant, **changes})


def row(whose: GrantRef | None = None, **changes: object) -> SealedRow:
    whose = whose or ref()
    state = GrantState(
        ref=whose,
        secret_id=f"secret_{whose.identity}",
        requested=frozenset({"openid", "email", "Zoë \N{WOMAN}"}),
        scopes=frozenset({"openid", "email"}),
        effective=frozenset({"openid"}),
        scopes_stated=True,
        expires_at=NOW + 3600.125,
        refresh_expires_at=NOW + 86400.5,
        has_refresh_token=True,
        created_at=NOW,
        updated_at=NOW,
        kid="k1",
    )
    state = replace(state, **changes)  # type: ignore[arg-type]
    return SealedRow(state=state, kind=KIND, wrapped_dek=bytes(range(60)), payload=bytes(range(256)))


class SealedRowStoreConformance:
    now = NOW

    async def pass_time(self, rows: SealedRowStore, seconds: float) -> None:
        """Let what is queued be ``seconds`` older."""
        self.now += seconds

    async def lease(
        self,
        rows: SealedRowStore,
        whose: GrantRef,
        *,
        generation: int = 1,
        ttl: float = 15.0,
        now: float = NOW,
    ) -> SealedRow | None:
        return await rows.acquire(
            whose.tenant, whose.identity, kind=KIND, generation=generation, holder="me", ttl=ttl, now=now
        )

    async def put(self, rows: SealedRowStore, link: Change) -> SealedRow:
        kept = row()
        await link(kept.state.ref)
        assert await rows.add(kept)
        return kept

    async def test_a_row_comes_back_as_it_was_put(self, rows: SealedRowStore, link: Change) -> None:
        kept = await self.put(rows, link)
        found = await rows.find("default", "identity_1", kind=KIND)
        assert found == kept
        assert await rows.state("default", "identity_1", kind=KIND) == kept.state
        assert await rows.states("default", "user:42", kind=KIND) == [kept.state]

    async def test_nothing_is_found_under_another_tenant_owner_or_kind(
        self, rows: SealedRowStore, link: Change
    ) -> None:
        await self.put(rows, link)
        assert await rows.find("acme", "identity_1", kind=KIND) is None
        assert await rows.find("default", "identity_1", kind="other") is None
        assert await rows.states("default", "user:7", kind=KIND) == []

    async def test_there_is_one_row_for_an_identity(self, rows: SealedRowStore, link: Change) -> None:
        kept = await self.put(rows, link)
        rival = replace(kept, state=replace(kept.state, secret_id="secret_other"))
        assert not await rows.add(rival)
        assert await rows.find("default", "identity_1", kind=KIND) == kept

    async def test_a_row_without_an_identity_is_not_kept(self, rows: SealedRowStore) -> None:
        assert not await rows.add(row(ref("nobody")))
        assert await rows.find("default", "nobody", kind=KIND) is None

    async def test_a_row_goes_with_its_identity(
        self, rows: SealedRowStore, link: Change, unlink: Change
    ) -> None:
        kept = await self.put(rows, link)
        await unlink(kept.state.ref)
        assert await rows.find("default", "identity_1", kind=KIND) is None
        assert await rows.page() == []

    async def test_replacing_needs_the_generation_that_was_read(
        self, rows: SealedRowStore, link: Change
    ) -> None:
        kept = await self.put(rows, link)
        newer = replace(kept, state=replace(kept.state, generation=2, secret_id="secret_new"), payload=b"new")
        assert not await rows.replace(newer, secret_id=kept.state.secret_id, generation=7)
        assert not await rows.replace(newer, secret_id="secret_of_another", generation=1)
        assert await rows.replace(newer, secret_id=kept.state.secret_id, generation=1)
        assert await rows.find("default", "identity_1", kind=KIND) == newer

    async def test_replacing_ends_a_lease_unless_it_stays(self, rows: SealedRowStore, link: Change) -> None:
        kept = await self.put(rows, link)
        await self.lease(rows, kept.state.ref, ttl=-1.0)
        await self.lease(rows, kept.state.ref)
        for generation, lease_stays, expected in ((1, True, ("me", True)), (2, False, (None, False))):
            newer = replace(kept, state=replace(kept.state, generation=generation + 1))
            assert await rows.replace(
                newer, secret_id=kept.state.secret_id, generation=generation, lease_stays=lease_stays
            )
            found = await rows.find("default", "identity_1", kind=KIND)
            assert found is not None
            assert (found.state.lease_holder, found.state.uncertain) == expected
            assert found.fence == 2
            held = {"generation": 1, "fence": 2, "ttl": 15.0, "now": NOW}
            assert await rows.renew("default", kept.state.secret_id, **held) == lease_stays  # type: ignore[arg-type]

    async def test_of_many_who_ask_for_a_lease_one_gets_it(self, rows: SealedRowStore, link: Change) -> None:
        kept = await self.put(rows, link)
        answers = await asyncio.gather(*(self.lease(rows, kept.state.ref) for _ in range(20)))
        (won,) = [answer for answer in answers if answer is not None]
        assert won.fence == 1
        assert won.state.lease_holder == "me"
        assert won.payload == kept.payload

    async def test_a_lease_that_ran_out_is_taken_over_and_leaves_doubt(
        self, rows: SealedRowStore, link: Change
    ) -> None:
        kept = await self.put(rows, link)
        await self.lease(rows, kept.state.ref, ttl=-1.0)
        again = await self.lease(rows, kept.state.ref, now=NOW + 15.1)
        assert again is not None
        assert (again.fence, again.state.uncertain) == (2, True)

    async def test_a_lease_given_back_unused_leaves_none(self, rows: SealedRowStore, link: Change) -> None:
        kept = await self.put(rows, link)
        await self.lease(rows, kept.state.ref)
        assert await rows.release("default", kept.state.secret_id, generation=1, fence=1)
        again = await self.lease(rows, kept.state.ref)
        assert again is not None
        assert not again.state.uncertain

    async def test_a_row_that_has_failed_since_it_was_read_is_not_leased(
        self, rows: SealedRowStore, link: Change
    ) -> None:
        kept = await self.put(rows, link)
        held = await self.lease(rows, kept.state.ref)
        assert held is not None
        assert await rows.fail(
            "default",
            kept.state.secret_id,
            generation=1,
            fence=held.fence,
            reason=None,
            retry_at=NOW + 30,
            uncertain=False,
            now=NOW,
        )
        for failures, leased in ((0, False), (2, False), (1, True)):
            row = await rows.acquire(
                "default",
                "identity_1",
                kind=KIND,
                generation=1,
                failures=failures,
                holder="me",
                ttl=15.0,
                now=NOW,
            )
            assert (row is not None) is leased

    async def test_an_older_generation_and_an_inactive_row_are_not_leased(
        self, rows: SealedRowStore, link: Change
    ) -> None:
        kept = await self.put(rows, link)
        assert await self.lease(rows, kept.state.ref, generation=2) is None
        await rows.deactivate(
            "default", "acme-main", kind=KIND, reason=InactiveReason.CONNECTOR_CHANGED, now=NOW
        )
        assert await self.lease(rows, kept.state.ref, generation=2) is None

    async def test_renewing_is_for_the_holder_alone(self, rows: SealedRowStore, link: Change) -> None:
        kept = await self.put(rows, link)
        await self.lease(rows, kept.state.ref, ttl=-1.0)
        held = {"generation": 1, "ttl": 15.0, "now": NOW}
        assert await rows.renew("default", kept.state.secret_id, fence=1, **held)  # type: ignore[arg-type]
        assert await self.lease(rows, kept.state.ref) is None
        assert not await rows.renew("default", kept.state.secret_id, fence=2, **held)  # type: ignore[arg-type]

    async def test_a_former_holder_may_commit_and_may_not_fail(
        self, rows: SealedRowStore, link: Change
    ) -> None:
        kept = await self.put(rows, link)
        await self.lease(rows, kept.state.ref, ttl=-1.0)
        await self.lease(rows, kept.state.ref, now=NOW + 16)
        assert not await self.fail(rows, kept, fence=1, reason=InactiveReason.INVALID_GRANT)
        newer = replace(kept, state=replace(kept.state, generation=2), payload=b"new")
        assert await rows.commit(newer, generation=1)
        found = await rows.find("default", "identity_1", kind=KIND)
        assert found is not None
        assert (found.payload, found.state.generation, found.state.lease_holder) == (b"new", 2, None)

    async def test_no_failure_overwrites_a_newer_success(self, rows: SealedRowStore, link: Change) -> None:
        kept = await self.put(rows, link)
        await self.lease(rows, kept.state.ref)
        newer = replace(kept, state=replace(kept.state, generation=2), payload=b"new")
        assert await rows.commit(newer, generation=1)
        assert not await rows.commit(replace(newer, payload=b"late"), generation=1)
        assert not await self.fail(rows, kept, fence=1, reason=InactiveReason.INVALID_GRANT)
        found = await rows.find("default", "identity_1", kind=KIND)
        assert found is not None
        assert (found.payload, found.state.reason) == (b"new", None)

    async def test_a_failure_is_remembered_and_ends_the_lease(
        self, rows: SealedRowStore, link: Change
    ) -> None:
        kept = await self.put(rows, link)
        await self.lease(rows, kept.state.ref)
        assert await self.fail(rows, kept, fence=1, retry_at=NOW + 30, uncertain=True)
        state = await rows.state("default", "identity_1", kind=KIND)
        assert state is not None
        assert (state.retry_at, state.failures, state.uncertain) == (NOW + 30, 1, True)
        assert (state.reason, state.lease_holder, state.lease_until) == (None, None, None)
        assert await self.lease(rows, kept.state.ref)
        assert await self.fail(rows, kept, fence=2, reason=InactiveReason.INVALID_GRANT)
        state = await rows.state("default", "identity_1", kind=KIND)
        assert state is not None
        assert (state.reason, state.failures, state.uncertain) == (InactiveReason.INVALID_GRANT, 2, True)

    async def test_what_was_deleted_is_not_resurrected(self, rows: SealedRowStore, link: Change) -> None:
        kept = await self.put(rows, link)
        await self.lease(rows, kept.state.ref)
        assert await rows.delete("default", "identity_1", kind=KIND, now=NOW)
        assert not await rows.delete("default", "identity_1", kind=KIND, now=NOW)
        newer = replace(kept, state=replace(kept.state, generation=2))
        assert not await rows.commit(newer, generation=1)
        assert not await rows.replace(newer, secret_id=kept.state.secret_id, generation=1)
        assert not await self.fail(rows, kept, fence=1, reason=None)
        assert await rows.find("default", "identity_1", kind=KIND) is None
        assert await rows.take_revocations(now=NOW, most=9) == []

    async def test_what_is_deleted_is_queued_as_it_was(self, rows: SealedRowStore, link: Change) -> None:
        kept = await self.put(rows, link)
        assert await rows.delete("default", "identity_1", kind=KIND, revoke=True, now=NOW)
        assert not await rows.delete("default", "identity_1", kind=KIND, revoke=True, now=NOW)
        (waiting,) = await rows.page()
        assert (waiting.ref, waiting.kind, waiting.payload) == (kept.state.ref, KIND, kept.payload)
        (entry,) = await rows.take_revocations(now=NOW, most=9)
        assert entry == SealedRevocation(
            ref=kept.state.ref,
            id=kept.state.secret_id,
            kind=KIND,
            kid="k1",
            wrapped_dek=kept.wrapped_dek,
            payload=kept.payload,
            created_at=entry.created_at,
            next_at=entry.next_at,
            attempts=1,
        )
        assert 30.0 <= entry.next_at - entry.created_at < 40.0
        assert await rows.end_revocation("default", entry.id)
        assert not await rows.end_revocation("default", entry.id)
        assert dict(await rows.kids()) == {}

    async def test_what_never_was_in_a_row_is_queued_for_its_time(self, rows: SealedRowStore) -> None:
        abandoned = SealedRevocation(
            ref=ref(identity=""),
            id="secret_abandoned",
            kind=KIND,
            kid="k1",
            wrapped_dek=bytes(range(60)),
            payload=bytes(range(256)),
            created_at=0.0,
            next_at=0.0,
        )
        assert await rows.queue(abandoned, after=100, now=self.now)
        (waiting,) = await rows.page()
        assert (waiting.ref, waiting.kind, waiting.payload) == (abandoned.ref, KIND, abandoned.payload)
        await self.pass_time(rows, 90)
        assert await rows.take_revocations(now=self.now, most=9) == []
        await self.pass_time(rows, 10)
        (taken,) = await rows.take_revocations(now=self.now, most=9)
        assert replace(taken, created_at=0.0, next_at=0.0) == replace(abandoned, attempts=1)

    async def test_what_is_queued_outlives_its_identity(
        self, rows: SealedRowStore, link: Change, unlink: Change
    ) -> None:
        kept = await self.put(rows, link)
        await rows.delete("default", "identity_1", kind=KIND, revoke=True, now=NOW)
        await unlink(kept.state.ref)
        assert len(await rows.take_revocations(now=NOW, most=9)) == 1

    async def test_each_revocation_is_taken_by_one_and_comes_again_ever_later(
        self, rows: SealedRowStore, link: Change
    ) -> None:
        await self.put(rows, link)
        await rows.delete("default", "identity_1", kind=KIND, revoke=True, now=self.now)
        taken = await asyncio.gather(*(rows.take_revocations(now=self.now, most=9) for _ in range(10)))
        assert sum(map(len, taken)) == 1
        for wait in (30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600):
            await self.pass_time(rows, wait - 10)
            assert await rows.take_revocations(now=self.now, most=9) == []
            await self.pass_time(rows, 10)
            assert len(await rows.take_revocations(now=self.now, most=9)) == 1

    async def test_an_old_revocation_is_given_up(self, rows: SealedRowStore, link: Change) -> None:
        kept = await self.put(rows, link)
        await rows.delete("default", "identity_1", kind=KIND, revoke=True, now=NOW)
        await self.pass_time(rows, 90)
        assert await rows.expired_revocations(age=100, now=self.now) == []
        await self.pass_time(rows, 10)
        (gone,) = await rows.expired_revocations(age=100, now=self.now)
        assert gone.ref == kept.state.ref
        assert await rows.page() == []

    async def test_use_is_written_down_now_and_then(self, rows: SealedRowStore, link: Change) -> None:
        await self.put(rows, link)
        for late, expected in ((0.0, 0.0), (3599.0, 0.0), (3600.0, 3600.0)):
            await rows.touch("default", "identity_1", kind=KIND, now=NOW + late, at_most_every=3600.0)
            state = await rows.state("default", "identity_1", kind=KIND)
            assert state is not None
            assert state.used_at == NOW + expected

    async def test_the_grants_of_a_connector_come_in_pages(self, rows: SealedRowStore, link: Change) -> None:
        for number in range(5):
            whose = ref(f"identity_{number}", subject=str(number))
            await link(whose)
            await rows.add(row(whose))
        first = await rows.of_connector("default", "acme-main", kind=KIND, most=3)
        rest = await rows.of_connector(
            "default", "acme-main", kind=KIND, after=first[-1].ref.identity, most=3
        )
        assert [state.ref.identity for state in [*first, *rest]] == [f"identity_{n}" for n in range(5)]
        assert await rows.of_connector("acme", "acme-main", kind=KIND) == []

    async def test_a_changed_connector_makes_its_grants_inactive_and_newer(
        self, rows: SealedRowStore, link: Change
    ) -> None:
        kept = await self.put(rows, link)
        await self.lease(rows, kept.state.ref)
        reason = InactiveReason.CONNECTOR_CHANGED
        assert await rows.deactivate("default", "other", kind=KIND, reason=reason, now=NOW) == 0
        assert await rows.deactivate("default", "acme-main", kind=KIND, reason=reason, now=NOW) == 1
        assert not await rows.commit(replace(kept, state=replace(kept.state, generation=2)), generation=1)
        state = await rows.state("default", "identity_1", kind=KIND)
        assert state is not None
        assert state.reason is reason

    async def test_live_sets_of_one_grant_are_counted(self, rows: SealedRowStore, link: Change) -> None:
        kept = await self.put(rows, link)
        assert await rows.same_grant(replace(kept.state.ref, identity="other", connector="other")) == 1
        assert await rows.same_grant(replace(kept.state.ref, client="other")) == 0
        assert await rows.same_grant(replace(kept.state.ref, tenant="acme")) == 1
        for fence, (reason, expected) in enumerate(
            ((InactiveReason.CONSENT_REQUIRED, 1), (InactiveReason.INVALID_GRANT, 0)), start=1
        ):
            generation = fence
            await self.lease(rows, kept.state.ref, generation=generation)
            assert await rows.fail(
                "default", kept.state.secret_id, generation=generation, fence=fence, reason=reason,
                retry_at=None, uncertain=False, now=NOW,
            )  # fmt: skip
            assert await rows.same_grant(kept.state.ref) == expected
            newer = replace(kept, state=replace(kept.state, generation=generation + 1))
            assert await rows.replace(newer, secret_id=kept.state.secret_id, generation=generation)

    async def test_rows_are_counted_and_paged_by_key(self, rows: SealedRowStore, link: Change) -> None:
        for number in range(7):
            whose = ref(f"identity_{number}", subject=str(number), tenant=f"t{number % 2}")
            await link(whose)
            await rows.add(row(whose, kid=f"k{number % 3}"))
        assert dict(await rows.kids()) == {"k0": 3, "k1": 2, "k2": 2}
        page = await rows.page(kid="k0", most=2)
        rest = await rows.page(kid="k0", after=page[-1].place, most=2)
        assert [each.kid for each in [*page, *rest]] == ["k0"] * 3
        assert await rows.page(kid="k0", after=rest[-1].place) == []
        assert len(await rows.page()) == 7

    async def test_a_rewrap_loses_to_whoever_came_before(self, rows: SealedRowStore, link: Change) -> None:
        kept = await self.put(rows, link)
        (read,) = await rows.page(kid="k1")
        assert (read.ref, read.kind, read.wrapped_dek) == (kept.state.ref, KIND, kept.wrapped_dek)
        stale = replace(read, wrapped_dek=b"other")
        changes = [Rewrapped(row=each, kid="k2", wrapped_dek=b"w2") for each in (stale, read, read)]
        assert list(await rows.rewrap(changes)) == [False, True, False]
        found = await rows.find("default", "identity_1", kind=KIND)
        assert found is not None
        assert (found.state.kid, found.wrapped_dek, found.payload) == ("k2", b"w2", kept.payload)
        assert await rows.rewrap([]) == []

    async def test_a_commit_keeps_the_key_that_a_rewrap_gave(
        self, rows: SealedRowStore, link: Change
    ) -> None:
        kept = await self.put(rows, link)
        await self.lease(rows, kept.state.ref)
        (read,) = await rows.page()
        await rows.rewrap([Rewrapped(row=read, kid="k2", wrapped_dek=b"w2")])
        assert await rows.commit(replace(kept, state=replace(kept.state, generation=2)), generation=1)
        found = await rows.find("default", "identity_1", kind=KIND)
        assert found is not None
        assert (found.state.kid, found.wrapped_dek) == ("k2", b"w2")

    async def test_replacing_keeps_the_key_that_a_rewrap_gave_to_the_same_secret(
        self, rows: SealedRowStore, link: Change
    ) -> None:
        kept = await self.put(rows, link)
        (read,) = await rows.page()
        await rows.rewrap([Rewrapped(row=read, kid="k2", wrapped_dek=b"w2")])
        secret_id = kept.state.secret_id
        for generation, lease_stays in ((1, False), (2, True)):
            newer = replace(kept, state=replace(kept.state, generation=generation + 1))
            assert await rows.replace(
                newer, secret_id=secret_id, generation=generation, lease_stays=lease_stays
            )
            found = await rows.find("default", "identity_1", kind=KIND)
            assert found is not None
            assert (found.state.kid, found.wrapped_dek) == ("k2", b"w2")
        other = replace(kept, state=replace(kept.state, generation=4, secret_id="secret_new"))
        assert await rows.replace(other, secret_id=secret_id, generation=3)
        found = await rows.find("default", "identity_1", kind=KIND)
        assert found is not None
        assert (found.state.kid, found.wrapped_dek) == ("k1", kept.wrapped_dek)

    async def fail(
        self,
        rows: SealedRowStore,
        kept: SealedRow,
        *,
        fence: int,
        reason: InactiveReason | None = None,
        retry_at: float | None = None,
        uncertain: bool = False,
    ) -> bool:
        return await rows.fail(
            "default",
            kept.state.secret_id,
            generation=1,
            fence=fence,
            reason=reason,
            retry_at=retry_at,
            uncertain=uncertain,
            now=NOW,
        )
