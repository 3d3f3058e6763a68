"""Three tiers over the services themselves: the start, another root key, and what goes over the wire."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connectors_core.errors import SealBroken
from connectors_core.storage.database import OpenDatabase
from connectors_core.vault.hosts import Hosts
from connectors_core.vault.key_changes import KeyChanges
from connectors_core.vault.key_states import KeyStates
from connectors_core.vault.opening import open_keys
from connectors_core.vault.providers.stored import StoredKeys
from connectors_core.vault.rows import SqlSealedRows
from connectors_core.vault.sources import read_source
from tests.core.vault.providers.openbao_server import OpenBao

NOW = 1_700_000_000.0
DEK, ROW = b"obviously-fake-data-key-32-bytes", b"the context of a row"

_numbers = itertools.count()


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/connectors.db"


@pytest.fixture(params=["aws-kms", "vault-transit"])
def new_root(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """Make a root key in a service; the source that names several is ``first,second``."""
    if request.param == "aws-kms":
        kms: Any = request.getfixturevalue("kms")
        return lambda: f"aws-kms:{kms.create_key()['KeyMetadata']['Arn']}"
    openbao: OpenBao = request.getfixturevalue("openbao")
    monkeypatch.setenv("VAULT_ADDR", openbao.url)
    monkeypatch.setenv("VAULT_TOKEN", str(openbao.root.token))

    def new() -> str:
        name = f"root-{next(_numbers)}"
        openbao.root.secrets.transit.create_key(name)
        return f"vault-transit:{name}"

    return new


def both(first: str, second: str) -> str:
    return f"{first},{second.partition(':')[2]}"


async def test_keys_are_kept_and_moved_from_root_to_root(
    new_root: Callable[[], str], database: OpenDatabase
) -> None:
    old, new, states = new_root(), new_root(), KeyStates(database)
    keys = await open_keys(read_source(old), states, now=NOW)
    (kid,) = keys.kids()
    wrapped = await keys.wrap(DEK, kid=kid, context=ROW)

    between = await open_keys(read_source(both(new, old)), states, now=NOW)
    assert isinstance(between.provider, StoredKeys)
    (row,) = (await states.read(NOW)).values()
    moved = await between.provider.rewrapped(row)
    assert moved is not None
    changes = KeyChanges(database, SqlSealedRows(database), states, Hosts(database))
    assert await changes.replace_wrapped(row, *moved)

    after = await open_keys(read_source(new), states, now=NOW)
    assert await after.unwrap(wrapped, kid=kid, context=ROW) == DEK


async def test_a_key_in_the_table_under_another_name_opens_nothing(
    new_root: Callable[[], str], database: OpenDatabase
) -> None:
    root, states = new_root(), KeyStates(database)
    await open_keys(read_source(root), states, now=NOW)
    await database.fetch("UPDATE connectors_vault_keys SET kid = 'another'")
    with pytest.raises(SealBroken):
        await open_keys(read_source(root), states, now=NOW)


async def test_a_row_wrapped_directly_moves_under_a_stored_key(
    new_root: Callable[[], str], database: OpenDatabase
) -> None:
    root, states = new_root(), KeyStates(database)
    direct = read_source(f"{root}?mode=direct").load()
    (root_kid,) = direct.kids()
    wrapped = await direct.wrap(DEK, kid=root_kid, context=ROW)
    keys = await open_keys(read_source(root), states, now=NOW)
    (kid,) = keys.kids()
    again = await keys.rewrap(wrapped, kid=root_kid, to=kid, context=ROW)
    assert await keys.unwrap(again, kid=kid, context=ROW) == DEK
