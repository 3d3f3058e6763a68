"""The vaults of a hub that opens: its own, and those that plugins name."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from ..connector import Connector
from ..grants import GrantRef, KeyProvider, SealedRowStore
from .keeping import Keeping, OpenVault, revokes, urls_of

if TYPE_CHECKING:
    from ..stores import Database
    from .shared import Shared

Keys = KeyProvider | str
"""A key provider, or where one is, as ``vault_keys`` names it."""


async def open_keeping(shared: Shared, database: Database | None, keys: Keys | None) -> Keeping:
    """The keeping of a hub that opens. Raises ConfigurationError, KeyUnavailable, StorageError."""
    if database is None:
        from ..storage.memory_tokens import MemoryTokenStore

        return Keeping(shared, MemoryTokenStore())
    if keys is None:
        return Keeping(shared, None)
    from ..storage.database import open_database
    from ..storage.migrations import prepare
    from ..vault.detached import DetachedSealedRows, named
    from ..vault.rows import SqlSealedRows
    from ..vault.sources import open_sealed_rows

    plugins = shared.registry.plugins
    async with AsyncExitStack() as opened:
        beside = SqlSealedRows(database, shared=_is_shared(database))
        own_rows: SealedRowStore = beside
        if shared.sealed_rows is not None:
            own_rows = open_sealed_rows(shared.sealed_rows, plugins.token_stores())
            if close := getattr(own_rows, "aclose", None):
                opened.push_async_callback(close)
        own = await _vault(shared, database, own_rows, keys)
        others = {}
        for name, place in plugins.vaults().items():
            there = open_database(place.database)
            opened.push_async_callback(there.aclose)
            rows = DetachedSealedRows(there, shared=_is_shared(there))
            with named(name):
                await prepare(there)
                others[name] = await _vault(shared, there, rows, keys if place.keys is None else place.keys)
        vaults = [each.vault for each in (own, *others.values())]
        for vault in vaults:
            vault.others = [other.rows for other in vaults if other is not vault]
        keeping = Keeping(
            shared,
            own.vault,
            own=own,
            beside=beside if own_rows is beside else None,
            others=others,
            databases=opened.pop_all(),
        )
    keeping.start()
    return keeping


async def _vault(shared: Shared, database: Database, rows: SealedRowStore, keys: Keys) -> OpenVault:
    from ..vault import Vault
    from ..vault.hosts import Heartbeat, Hosts
    from ..vault.key_states import KeyStates

    states, now = KeyStates(database), shared.clock()
    if isinstance(keys, str):
        from ..vault.opening import open_keys
        from ..vault.sources import read_source

        source = read_source(keys, plugins=shared.registry.plugins.key_providers())
        keys = await open_keys(source, states, now=now)
    else:
        await states.begin(keys, now=now)

    def connector(ref: GrantRef) -> Connector | None:
        entry = shared.connectors.get((ref.tenant, ref.connector))
        return entry.connector if entry else None

    def urls(ref: GrantRef) -> bytes | None:
        found = connector(ref)
        return urls_of(found) if found else None

    def to_be_told(ref: GrantRef) -> bool:
        found = connector(ref)
        return found is not None and revokes(found)

    def broken(ref: GrantRef) -> None:
        if shared.keeping is not None:
            shared.keeping.tell("seal.broken", ref)

    vault = Vault(rows, keys, states, revokes=to_be_told, urls=urls, broken=broken)
    hosts = Hosts(database, shared=_is_shared(database), clock=shared.clock)
    return OpenVault(vault, Heartbeat(keys, hosts))


def _is_shared(database: Database) -> bool:
    from ..storage.sqlite import SqliteDatabase

    return not isinstance(database, SqliteDatabase)
