from __future__ import annotations

import pytest

from connectors_core.errors import SealBroken
from connectors_core.storage.database import OpenDatabase
from connectors_core.vault import Vault
from connectors_core.vault.connector_secrets import ConnectorSecrets

NOW = 1_800_000_000.0
URLS, OTHER = bytes(32), bytes([1]) * 32
SECRETS = {"client_secret": "canary-one", "signing_secret": "canary-two"}


@pytest.fixture
async def kept(database: OpenDatabase, vault: Vault) -> ConnectorSecrets:
    secrets = ConnectorSecrets(database, vault)
    await secrets.put("default", "acme", SECRETS, urls=URLS, now=NOW)
    return secrets


async def test_secrets_come_back_and_lie_sealed(database: OpenDatabase, kept: ConnectorSecrets) -> None:
    assert await kept.open("default", "acme", urls=URLS, now=NOW) == SECRETS
    assert await kept.open("other", "acme", urls=URLS, now=NOW) == {}
    rows = await database.fetch("SELECT payload, wrapped_dek FROM connectors_connector_secrets")
    assert b"canary" not in b"".join(bytes(value) for row in rows for value in row)


async def test_a_changed_url_opens_nothing(database: OpenDatabase, kept: ConnectorSecrets) -> None:
    with pytest.raises(SealBroken):
        await kept.open("default", "acme", urls=OTHER, now=NOW)
    await database.fetch("UPDATE connectors_connector_secrets SET urls = :urls", {"urls": OTHER})
    with pytest.raises(SealBroken):
        await kept.open("default", "acme", urls=OTHER, now=NOW)


async def test_swapped_secrets_open_nothing(database: OpenDatabase, kept: ConnectorSecrets) -> None:
    await database.run(
        [
            (f"UPDATE connectors_connector_secrets SET name = '{to}' WHERE name = '{was}'", {})
            for was, to in (
                ("client_secret", "x"),
                ("signing_secret", "client_secret"),
                ("x", "signing_secret"),
            )
        ]
    )
    with pytest.raises(SealBroken):
        await kept.open("default", "acme", urls=URLS, now=NOW)


async def test_a_secret_is_replaced_by_name_and_forgotten_with_its_connector(
    kept: ConnectorSecrets, vault: Vault
) -> None:
    await kept.put("default", "acme", {"client_secret": "newer"}, urls=URLS, now=NOW)
    assert await kept.open("default", "acme", urls=URLS, now=NOW) == {**SECRETS, "client_secret": "newer"}
    assert dict(await vault.rows.kids()) == {"k1": 2}
    assert {row.kind for row in await vault.rows.page()} == {"config:client_secret", "config:signing_secret"}
    assert await kept.remove("default", "acme") == 2
    assert await kept.open("default", "acme", urls=URLS, now=NOW) == {}
