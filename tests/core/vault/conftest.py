from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from connectors_core.grants import GrantRef
from connectors_core.profile import IdentityKey
from connectors_core.storage.database import OpenDatabase
from connectors_core.storage.sql import SqlStores
from connectors_core.stores import Identity
from connectors_core.vault import Keyring, Vault
from connectors_core.vault.key_states import KeyStates
from connectors_core.vault.rows import SqlSealedRows

pytest.register_assert_rewrite("connectors_core.testing.sealed_rows", "connectors_core.testing.token_stores")

NOW = 1_800_000_000.25
Change = Callable[[GrantRef], Awaitable[None]]


def identity_of(ref: GrantRef) -> Identity:
    return Identity(
        tenant=ref.tenant,
        id=ref.identity,
        owner=ref.owner,
        connector=ref.connector,
        target=ref.target,
        group=ref.connector,
        key=IdentityKey(ref.issuer, ref.subject),
    )


@pytest.fixture
def link(database: OpenDatabase) -> Change:
    async def link(ref: GrantRef) -> None:
        await SqlStores(database).identities.add(identity_of(ref))

    return link


@pytest.fixture
def unlink(database: OpenDatabase) -> Change:
    async def unlink(ref: GrantRef) -> None:
        assert await SqlStores(database).identities.remove(ref.tenant, ref.identity)

    return unlink


@pytest.fixture
async def vault(database: OpenDatabase) -> Vault:
    """Sealed rows in each database, under the key ``k1``; every provider is to be told."""
    keys, states = Keyring({"k1": bytes([1]) * 32, "k2": bytes([2]) * 32}), KeyStates(database)
    await states.begin(keys, now=NOW)
    return Vault(SqlSealedRows(database), keys, states, revokes=lambda ref: True)
