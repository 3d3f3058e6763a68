"""Rows that a plugin keeps, and the secrets that stay in the hub's own database: one view of both."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connectors_core.errors import VaultError
from connectors_core.grants import GrantRef
from connectors_core.storage.database import OpenDatabase, open_database
from connectors_core.storage.migrations import prepare
from connectors_core.testing.sealed_rows import ref
from connectors_core.tokens import TokenSet
from connectors_core.vault import Vault
from connectors_core.vault.connector_secrets import ConnectorSecrets
from connectors_core.vault.detached import DetachedSealedRows
from connectors_core.vault.hosts import Hosts
from connectors_core.vault.key_changes import SETTLED, KeyChanges
from connectors_core.vault.rewrap import rewrap, verify
from connectors_core.vault.wrapped import WithSecrets

NOW = 1_800_000_000.25
URLS = bytes(32)
FEW = 3


@pytest.fixture
async def away(tmp_path: Path) -> AsyncIterator[DetachedSealedRows]:
    """What a plugin's store is like, with three token sets under ``k1``."""
    elsewhere = open_database(f"sqlite:///{tmp_path}/away.db")
    await prepare(elsewhere)
    yield DetachedSealedRows(elsewhere)
    await elsewhere.aclose()


@pytest.fixture
async def rows(away: DetachedSealedRows, database: OpenDatabase, vault: Vault) -> WithSecrets:
    there = Vault(away, vault.keys, vault.key_states)
    for number in range(FEW):
        whose: GrantRef = ref(f"identity_{number}", subject=str(number))
        await there.put(whose, TokenSet(access_token="fake"), now=NOW)
        secrets = ConnectorSecrets(database, vault)
        await secrets.put("default", f"host/{number}", {"value": "fake"}, urls=URLS, now=NOW)
    return WithSecrets(away, database)


@pytest.mark.parametrize("page", [1, 2, 100])
async def test_a_rewrap_moves_both_and_a_verify_opens_both(
    rows: WithSecrets, database: OpenDatabase, vault: Vault, page: int
) -> None:
    assert await rows.kids() == {"k1": 2 * FEW}
    assert (await rewrap(rows, vault.keys, to="k2", page=page)).done == 2 * FEW
    assert await rows.kids() == {"k2": 2 * FEW}
    verified = await verify(rows, vault.keys, kid="k2", page=page)
    assert (verified.done, verified.total, verified.unreadable) == (2 * FEW, 2 * FEW, 0)
    found = await ConnectorSecrets(database, vault).open("default", "host/0", urls=URLS, now=NOW)
    assert found == {"value": "fake"}


async def test_a_key_that_a_secret_needs_is_neither_retired_nor_destroyed(
    rows: WithSecrets, away: DetachedSealedRows, database: OpenDatabase, vault: Vault
) -> None:
    now = NOW
    states = vault.key_states
    changes = KeyChanges(database, rows, states, Hosts(database), clock=lambda: now)
    blind = KeyChanges(database, away, states, Hosts(database), clock=lambda: now)
    await changes.promote("k2")
    await rewrap(away, vault.keys, to="k2")
    with pytest.raises(VaultError, match="3 rows need it"):
        await changes.retire("k1")
    await blind.retire("k1")
    now += SETTLED
    with pytest.raises(VaultError, match="came into use"):
        await blind.destroy("k1")
    await rewrap(rows, vault.keys, to="k2")
    await changes.destroy("k1")
    found = await ConnectorSecrets(database, vault).open("default", "host/0", urls=URLS, now=NOW)
    assert found == {"value": "fake"}
