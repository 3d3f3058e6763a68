"""Whatever holders do, and however they end: generations grow, successes stay, one lease at a time."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from connectors_core.grants import GrantRef, GrantState, InactiveReason, Lease, Rewrapped, TokenStore
from connectors_core.profile import IdentityKey
from connectors_core.storage.database import open_database
from connectors_core.storage.memory_tokens import MemoryTokenStore
from connectors_core.storage.migrations import prepare, upgrade
from connectors_core.storage.sql import SqlStores
from connectors_core.storage.sqlite import SqliteDatabase
from connectors_core.stores import Identity
from connectors_core.tokens import TokenSet
from connectors_core.vault import Keyring, Vault, record
from connectors_core.vault.key_states import KeyStates
from connectors_core.vault.rows import SqlSealedRows
from tests.postgres_server import driver, postgres_server

T = TypeVar("T")
TTL = 15.0
EXAMPLES = int(os.environ.get("CONNECTORS_EXAMPLES", "25"))


class Subject:
    """A store, and what it takes to try it: an identity for each example, and its keys turned."""

    def __init__(self) -> None:
        self.runner = asyncio.Runner()
        self.count = 0
        self.store: TokenStore = MemoryTokenStore()

    def run(self, work: Awaitable[T]) -> T:
        async def awaited() -> T:
            return await work

        return self.runner.run(awaited())

    def identity(self) -> str:
        self.count += 1
        return f"identity-{self.count}"

    def rotate(self) -> None:
        """Nothing is sealed in memory."""


class SealedSubject(Subject):
    """``url`` names a database whose schema is there. Time is the example's also where hosts share one."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.database = open_database(url)
        self.keys = Keyring({"k1": b"1" * 32, "k2": b"2" * 32})
        self.rows = SqlSealedRows(self.database)
        self.run(self.begin())

    async def begin(self) -> None:
        if isinstance(self.database, SqliteDatabase):
            await prepare(self.database)
        states = KeyStates(self.database)
        await states.begin(self.keys, now=0.0)
        self.store = Vault(self.rows, self.keys, states)
        self.identities = SqlStores(self.database).identities

    def identity(self) -> str:
        identity_id = super().identity()
        key = IdentityKey("https://issuer.test", identity_id)
        self.run(
            self.identities.add(
                Identity(
                    tenant="default",
                    id=identity_id,
                    owner="user-1",
                    connector="acme",
                    target="acme",
                    group="acme",
                    key=key,
                )
            )
        )
        return identity_id

    def rotate(self) -> None:
        self.run(self._rotate())

    async def _rotate(self) -> None:
        for row in await self.rows.page(most=1000):
            kid = "k2" if row.kid == "k1" else "k1"
            assert isinstance(self.store, Vault)
            context = record.context_of(_ref(row.ref.identity), secret_id=row.place.id, kind=row.kind)
            wrapped = await self.keys.rewrap(row.wrapped_dek, kid=row.kid, to=kid, context=context)
            await self.rows.rewrap([Rewrapped(row=row, kid=kid, wrapped_dek=wrapped)])


def _ref(identity: str) -> GrantRef:
    return GrantRef(
        tenant="default",
        owner="user-1",
        identity=identity,
        subject=identity,
        connector="acme",
        target="acme",
        issuer="https://issuer.test",
        urls=b"u" * 32,
    )


def machine(subject: Subject) -> type[RuleBasedStateMachine]:
    class Holders(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.now = 1_000.0
            self.identity = subject.identity()
            self.leases: list[Lease] = []
            self.live: Lease | None = None
            self.live_until = 0.0
            self.newest: str | None = None
            self.generation = 0
            self.reason: InactiveReason | None = None
            self.issued = 0
            self.refresh_token: str | None = None
            self.answered: set[str | None] = set()

        def state(self) -> GrantState | None:
            return subject.run(subject.store.state("default", self.identity))

        def tokens(self) -> TokenSet:
            self.issued += 1
            return TokenSet(
                access_token=f"access-{self.issued}",
                refresh_token=f"refresh-{self.issued}",
                expires_at=self.now + 60,
                scopes=frozenset({"repo"}),
                scopes_stated=True,
            )

        @initialize()
        def sign_in_first(self) -> None:
            self.sign_in()

        @rule()
        def sign_in(self) -> None:
            new = self.tokens()
            state = subject.run(subject.store.put(_ref(self.identity), new, now=self.now))
            assert state.generation > self.generation or self.newest is None
            self.newest, self.generation, self.reason = new.access_token, state.generation, None
            self.live, self.refresh_token = None, new.refresh_token

        @precondition(lambda self: self.newest is not None and self.reason is None)
        @rule(narrow=st.booleans())
        def sign_in_that_keeps_the_refresh_token(self, narrow: bool) -> None:
            """It brought none, or fewer scopes: whoever holds the lease may be using the old one."""
            new = self.tokens()
            new = replace(new, scopes=frozenset()) if narrow else replace(new, refresh_token=None)
            state = subject.run(subject.store.put(_ref(self.identity), new, now=self.now))
            assert state.generation > self.generation
            self.newest = self.newest if narrow else new.access_token
            self.generation = state.generation

        @rule(seconds=st.sampled_from([1.0, 7.0, 16.0]))
        def time_passes(self, seconds: float) -> None:
            self.now += seconds

        @rule()
        def acquire(self) -> None:
            state = self.state()
            lease = subject.run(
                subject.store.acquire(
                    "default",
                    self.identity,
                    generation=state.generation if state else 1,
                    holder="h",
                    ttl=TTL,
                    now=self.now,
                )
            )
            free = self.live is None or self.live_until <= self.now
            assert (lease is not None) == (self.newest is not None and self.reason is None and free)
            if lease is not None:
                assert lease.tokens.access_token == self.newest
                assert lease.tokens.refresh_token not in self.answered, "leased again after it was answered"
                assert lease.uncertain or self.live is None
                self.live, self.live_until = lease, self.now + TTL
                self.leases.append(lease)

        @precondition(lambda self: self.live is not None)
        @rule()
        def take_over(self) -> None:
            """The holder fell silent: whoever comes after its lease has it, and knows of the silence."""
            silent, self.now = self.live, max(self.now, self.live_until)
            self.acquire()
            assert self.live is not silent
            assert self.live is not None
            assert self.live.uncertain

        def some(self, which: int) -> Lease | None:
            return self.leases[which % len(self.leases)] if self.leases else None

        @rule(which=st.integers(0, 9))
        def renew(self, which: int) -> None:
            if lease := self.some(which):
                held = subject.run(subject.store.renew(lease, ttl=TTL, now=self.now))
                assert held == (lease is self.live)
                if held:
                    self.live_until = self.now + TTL

        @rule(which=st.integers(0, 9))
        def commit(self, which: int) -> None:
            if lease := self.some(which):
                new, before = self.tokens(), self.state()
                state = subject.run(subject.store.commit(lease, new, now=self.now))
                same = before is not None and before.secret_id == lease.secret_id
                assert (state is not None) == (same and lease.tokens.refresh_token == self.refresh_token)
                self.answered.add(lease.tokens.refresh_token)
                if state is not None:
                    assert state.generation > self.generation
                    self.newest, self.generation, self.reason = new.access_token, state.generation, None
                    self.live, self.refresh_token = None, new.refresh_token

        @rule(which=st.integers(0, 9), dead=st.booleans(), uncertain=st.booleans())
        def fail(self, which: int, dead: bool, uncertain: bool) -> None:
            if lease := self.some(which):
                reason = InactiveReason.INVALID_GRANT if dead else None
                retry_at = None if dead else self.now + 1
                failed = subject.run(
                    subject.store.fail(
                        lease, reason=reason, retry_at=retry_at, uncertain=uncertain, now=self.now
                    )
                )
                as_leased = lease.generation == self.generation
                assert failed == (lease is self.live and (as_leased or not dead))
                if failed:
                    self.live, self.reason = None, reason

        @rule(which=st.integers(0, 9))
        def crash(self, which: int) -> None:
            if lease := self.some(which):
                self.leases = [other for other in self.leases if other is not lease]

        @precondition(lambda self: self.issued > 4)
        @rule()
        def delete(self) -> None:
            there = subject.run(subject.store.remove("default", self.identity, now=self.now))
            assert there == (self.newest is not None)
            self.newest, self.reason, self.live, self.generation = None, None, None, 0

        @rule()
        def rotate(self) -> None:
            subject.rotate()

        @invariant()
        def what_is_stored_is_the_newest_success(self) -> None:
            stored = subject.run(subject.store.open("default", self.identity))
            if self.newest is None:
                assert stored is None, "what was deleted came back"
                return
            assert stored is not None
            assert stored.tokens.access_token == self.newest
            assert stored.tokens.refresh_token == self.refresh_token
            assert stored.state.generation == self.generation
            assert stored.state.reason == self.reason
            assert (stored.state.lease_holder is not None) == (self.live is not None)

    return Holders


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    with ExitStack() as stack:
        if request.param == "memory":
            made = Subject()
        elif request.param == "sqlite":
            made = SealedSubject("sqlite://")
        else:
            driver()
            upgrade(url := stack.enter_context(postgres_server()))
            made = SealedSubject(url)
        yield made
        if isinstance(made, SealedSubject):
            made.run(made.database.aclose())
        made.runner.close()


def test_no_order_of_events_loses_or_revives_a_grant(subject: Subject) -> None:
    run_state_machine_as_test(
        lambda: machine(subject)(),
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=30,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
