"""The stores in SQL and the plain ones in memory, driven through the same random life."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from connectors_core.errors import StorageError
from connectors_core.profile import IdentityKey
from connectors_core.storage.memory import MemoryStores
from connectors_core.storage.migrations import prepare
from connectors_core.storage.sql import SqlStores
from connectors_core.storage.sqlite import SqliteDatabase
from connectors_core.stores import TransactionRow
from tests.core.storage.conformance import Stores, digest, linked

tenants = st.sampled_from(["default", "acme"])
names = st.sampled_from(["a", "b", "c", "d"])
bindings = st.sampled_from(["x", "y"])
ages = st.sampled_from([0.0, 0.5, 1.0, 3.0])


class StoresAgree(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.database = SqliteDatabase(None)
        self.runner.run(prepare(self.database))
        self.stores: list[Stores] = [MemoryStores(), SqlStores(self.database)]
        self.now = 1000.0

    def teardown(self) -> None:
        self.runner.run(self.database.aclose())
        self.runner.close()

    def agree(self, *work: Coroutine[Any, Any, Any]) -> None:
        memory, sql = [self.answer(each) for each in work]
        assert memory == sql

    def answer(self, work: Coroutine[Any, Any, Any]) -> object:
        try:
            return self.runner.run(work)
        except StorageError:
            return "refused"

    @rule(seconds=st.sampled_from([0.5, 1.0, 2.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(tenant=tenants, state=names, binding=bindings, age=ages, most=st.integers(1, 3))
    def add(self, tenant: str, state: str, binding: str, age: float, most: int) -> None:
        row = TransactionRow(
            tenant=tenant,
            state_hash=digest(state),
            binding_hash=digest(binding),
            sealed=f"{tenant} {state} {self.now}".encode(),
            created_at=self.now - age,
            expires_at=self.now - age + 2.0,
        )
        self.agree(*(stores.transactions.add(row, most_per_binding=most) for stores in self.stores))

    @rule(tenant=tenants, state=names, binding=bindings)
    def consume(self, tenant: str, state: str, binding: str) -> None:
        args = (tenant, digest(state), digest(binding))
        self.agree(*(stores.transactions.consume(*args, now=self.now) for stores in self.stores))

    @rule()
    def sweep(self) -> None:
        self.agree(*(stores.transactions.sweep(now=self.now) for stores in self.stores))
        self.agree(*(stores.handles.sweep(now=self.now) for stores in self.stores))

    @rule(tenant=tenants, kind=bindings, handle=names, lifetime=ages)
    def put(self, tenant: str, kind: str, handle: str, lifetime: float) -> None:
        args = (tenant, kind, digest(handle), f"{self.now}".encode())
        self.agree(*(stores.handles.put(*args, expires_at=self.now + lifetime) for stores in self.stores))

    @rule(tenant=tenants, kind=bindings, handle=names)
    def take(self, tenant: str, kind: str, handle: str) -> None:
        args = (tenant, kind, digest(handle))
        self.agree(*(stores.handles.take(*args, now=self.now) for stores in self.stores))

    @rule(tenant=tenants, identity_id=names, owner=bindings, subject=names, group=bindings)
    def link(self, tenant: str, identity_id: str, owner: str, subject: str, group: str) -> None:
        identity = replace(
            linked(identity_id, subject=subject, tenant=tenant), owner=owner, group=group, created_at=self.now
        )
        self.agree(*(stores.identities.add(identity) for stores in self.stores))

    @rule(tenant=tenants, identity_id=names, name=st.text(max_size=3))
    def synchronise(self, tenant: str, identity_id: str, name: str) -> None:
        args = (tenant, identity_id, {"name": name})
        self.agree(*(stores.identities.update_profile(*args, now=self.now) for stores in self.stores))

    @rule(tenant=tenants, identity_id=names)
    def unlink(self, tenant: str, identity_id: str) -> None:
        self.agree(*(stores.identities.remove(tenant, identity_id) for stores in self.stores))

    @rule(tenant=tenants, group=bindings, subject=names)
    def find(self, tenant: str, group: str, subject: str) -> None:
        key = IdentityKey("https://issuer.example", subject)
        self.agree(*(stores.identities.find(tenant, group, key) for stores in self.stores))

    @invariant()
    def owners_see_the_same(self) -> None:
        self.agree(*(stores.identities.of_owner("default", "x") for stores in self.stores))


TestStoresAgree = StoresAgree.TestCase
TestStoresAgree.settings = settings(
    max_examples=15,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
)
