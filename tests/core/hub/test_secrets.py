"""Secrets of the host itself, sealed under the hub's keys."""

from __future__ import annotations

import os

import pytest

from connectors_core import ConfigurationError, Hub
from connectors_core.config import load_configuration
from connectors_core.errors import SealBroken, StorageError, UnknownKey
from connectors_core.vault import Keyring
from connectors_core.vault.rewrap import rewrap

SECRET = "an-obviously-fake-secret-of-the-host"


async def test_a_secret_lies_sealed_under_its_name_and_comes_back(hub, tmp_path):
    assert hub.can_seal
    await hub.put_secret("signing-key/one", SECRET)
    assert await hub.secret("signing-key/one") == SECRET
    assert await hub.secret("signing-key/two") is None
    assert await hub.tenant("other").secret("signing-key/one") is None
    await hub.put_secret("signing-key/one", "newer")
    assert await hub.secret("signing-key/one") == "newer"
    assert all(SECRET.encode() not in file.read_bytes() for file in tmp_path.iterdir())
    assert await hub.forget_secret("signing-key/one")
    assert await hub.secret("signing-key/one") is None
    assert not await hub.forget_secret("signing-key/one")


async def test_a_secret_opens_under_no_other_name(hub):
    await hub.put_secret("one", SECRET)
    await hub.database.fetch("UPDATE connectors_connector_secrets SET connector = 'host/two'")
    with pytest.raises(SealBroken):
        await hub.secret("two")


async def test_a_hub_without_keys_seals_nothing_and_can_forget(hub, registry, tmp_path, clock):
    await hub.put_secret("one", SECRET)
    async with Hub(registry, database=f"sqlite:///{tmp_path}/hub.db", clock=clock) as bare:
        assert not bare.can_seal
        for call in (bare.put_secret("one", SECRET), bare.secret("one")):
            with pytest.raises(StorageError, match="seals nothing"):
                await call
        assert await bare.forget_secret("one")
    assert await hub.secret("one") is None
    async with Hub(registry, clock=clock) as in_memory:
        assert not in_memory.can_seal
        with pytest.raises(StorageError):
            await in_memory.forget_secret("one")


async def test_a_secret_moves_with_its_key_and_is_lost_with_it(registry, tmp_path, clock):
    where = {"database": f"sqlite:///{tmp_path}/hub.db", "clock": clock}
    one, two = {"k1": os.urandom(32)}, {"k2": os.urandom(32)}
    async with Hub(registry, **where, keys=Keyring(one)) as hub:
        await hub.put_secret("moved", SECRET)
        await hub.put_secret("left", SECRET)
        vault = hub._shared.keeping.vault
        assert await vault.rows.kids() == {"k1": 2}
    both = Keyring({**one, **two})
    async with Hub(registry, **where, keys=both) as hub:
        vault = hub._shared.keeping.vault
        for kid, state in (("k1", "standby"), ("k2", "active")):
            change = f"UPDATE connectors_vault_keys SET state = '{state}' WHERE kid = '{kid}'"
            await hub.database.fetch(change)
        assert (await rewrap(vault.rows, both, to="k2")).done == 2
        assert await vault.rows.kids() == {"k2": 2}
        assert await hub.secret("left") == SECRET
        await rewrap(vault.rows, both, to="k1")
        await vault.key_states.read(clock())
        await hub.put_secret("moved", SECRET)
    async with Hub(registry, **where, keys=Keyring(two)) as hub:
        assert await hub.secret("moved") == SECRET
        with pytest.raises(UnknownKey):
            await hub.secret("left")
        await hub.database.fetch("UPDATE connectors_vault_keys SET state = 'destroyed' WHERE kid = 'k1'")
        assert await hub.secret("left") is None


APPS = '[apps.shop]\nsecret = "env:APP_SECRET"\nredirect_uris = ["https://shop.test/callback"]\n'


@pytest.mark.parametrize(("apps", "seals"), [("", False), (APPS, True)])
async def test_keys_are_there_as_soon_as_something_is_to_be_sealed(
    registry, tmp_path, clock, monkeypatch, apps, seals
):
    monkeypatch.setenv("APP_SECRET", "an-obviously-fake-secret")
    monkeypatch.setenv("SOME_KEYS", "")
    file = tmp_path / "connectors.toml"
    file.write_text(f'[host]\ndatabase = "sqlite:///{tmp_path}/own.db"\nvault_keys = "env:SOME_KEYS"\n{apps}')
    if seals:
        with pytest.raises(ConfigurationError, match=r"SOME_KEYS .* application"):
            load_configuration(file, registry=registry)
        monkeypatch.setenv("SOME_KEYS", "k1:" + "A" * 43 + "=")
    async with Hub.from_config(load_configuration(file, registry=registry), clock=clock) as hub:
        assert hub.can_seal is seals
