from __future__ import annotations

import asyncio

import pytest

from connectors_core.errors import ConfigurationError, UnknownKey
from connectors_core.storage.database import OpenDatabase
from connectors_core.vault import Keyring
from connectors_core.vault.key_states import CHECK_VALUE, FRESH_FOR, KeyState, KeyStates

NOW = 1_800_000_000.0
K1, K2 = {"k1": bytes([1]) * 32}, {"k2": bytes([2]) * 32}


async def states_of(database: OpenDatabase) -> dict[str, KeyState]:
    return {kid: row.state for kid, row in (await KeyStates(database).read(NOW)).items()}


async def promote(database: OpenDatabase, kid: str) -> None:
    await database.run(
        [
            ("UPDATE connectors_vault_keys SET state = 'retired' WHERE state = 'active'", {}),
            ("UPDATE connectors_vault_keys SET state = 'active' WHERE kid = :kid", {"kid": kid}),
        ]
    )


async def test_the_first_key_is_active_and_later_ones_stand_by(database: OpenDatabase) -> None:
    states = KeyStates(database)
    await states.begin(Keyring({**K1, **K2}), now=NOW)
    assert await states_of(database) == {"k1": KeyState.ACTIVE, "k2": KeyState.STANDBY}
    await states.begin(Keyring({**K2, **K1}), now=NOW)
    assert await states.active(NOW) == "k1"
    assert len(CHECK_VALUE) == 32


async def test_two_hosts_that_begin_at_once_agree_on_one_active_key(database: OpenDatabase) -> None:
    both = {**K1, **K2}
    orders = [dict(sorted(both.items(), reverse=turn)) for turn in (False, True)]
    await asyncio.gather(*(KeyStates(database).begin(Keyring(order), now=NOW) for order in orders))
    assert sorted((await states_of(database)).values()) == ["active", "standby"]


async def test_a_wrong_key_under_a_right_name_is_found(database: OpenDatabase) -> None:
    await KeyStates(database).begin(Keyring(K1), now=NOW)
    with pytest.raises(ConfigurationError, match="key k1 is not the one"):
        await KeyStates(database).begin(Keyring({"k1": bytes(32)}), now=NOW)


async def test_a_missing_active_key_is_found(database: OpenDatabase) -> None:
    await KeyStates(database).begin(Keyring(K1), now=NOW)
    with pytest.raises(ConfigurationError, match="active key k1 is not among the keys"):
        await KeyStates(database).begin(Keyring(K2), now=NOW)


async def test_hosts_follow_a_promotion_within_half_a_minute(database: OpenDatabase) -> None:
    states = KeyStates(database)
    await states.begin(Keyring({**K1, **K2}), now=NOW)
    await promote(database, "k2")
    assert await states.active(NOW + FRESH_FOR - 0.1) == "k1"
    assert await states.active(NOW + FRESH_FOR) == "k2"


async def test_no_key_wraps_where_none_is_active(database: OpenDatabase) -> None:
    with pytest.raises(UnknownKey, match="no key is active"):
        await KeyStates(database).active(NOW)
