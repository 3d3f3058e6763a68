"""What the commands about tokens and keys work on: the database, its rows, and the keys."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..config import load_host_settings
from ..errors import ConfigurationError, Problem
from .installed_types import registry
from .output import complain

if TYPE_CHECKING:
    from pathlib import Path

    from ..storage.database import OpenDatabase
    from ..vault.hosts import Hosts
    from ..vault.key_changes import KeyChanges
    from ..vault.key_states import KeyStates
    from ..vault.opening import HostKeys
    from ..vault.rows import SqlSealedRows
    from ..vault.sources import KeySource

REMOTE_WORKERS = 16
"""How many questions to a key service are under way at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One command's view of a vault. ``folder`` is where the configuration's relative paths begin."""

    database: OpenDatabase
    rows: SqlSealedRows
    states: KeyStates
    hosts: Hosts
    changes: KeyChanges
    source: KeySource
    folder: Path

    async def load(self) -> HostKeys:
        """The keys that are here, unchecked."""
        from ..vault.opening import load_keys

        return await load_keys(self.source, self.states)

    async def open(self) -> HostKeys:
        """The keys that are here, each found to be the one that goes by its name."""
        from ..vault.opening import open_keys

        return await open_keys(self.source, self.states, now=time.time())

    async def active(self) -> str:
        return await self.states.active(time.time())

    @property
    def workers(self) -> int:
        return REMOTE_WORKERS if self.source.kind == "direct" else 1

    async def settled(self) -> None:
        """Return once every host must have noticed which key is active; at once where none lives."""
        from ..vault.key_states import FRESH_FOR

        if not any(host.live for host in await self.hosts.all()):
            return
        wait = FRESH_FOR + 2 - (await self.changes.ages())[await self.active()]
        if wait > 0:
            complain(f"waiting {wait:.0f} s until every host has followed, for what was written meanwhile")
            await asyncio.sleep(wait)

    async def rewrap_roots(self, keys: HostKeys) -> Sequence[str]:
        """Put keys in the database under the first key of the service; return which were not."""
        from ..vault.providers.stored import StoredKeys

        moved = []
        if isinstance(keys.provider, StoredKeys):
            for row in (await self.changes.keys()).values():
                again = await keys.provider.rewrapped(row)
                if again is not None and await self.changes.replace_wrapped(row, *again):
                    moved.append(row.kid)
        return moved


@asynccontextmanager
async def opened(arguments: argparse.Namespace) -> AsyncIterator[Session]:
    """Open the vault that the configuration names. Raises ConfigurationError, StorageError."""
    from ..vault.hosts import Hosts
    from ..vault.key_changes import KeyChanges
    from ..vault.key_states import KeyStates
    from ..vault.sources import read_source

    host = load_host_settings(arguments.config)
    if host.vault_keys is None:
        problem = Problem(
            ("host", "vault_keys"), "is missing", "connectors init writes a key file", str(arguments.config)
        )
        raise ConfigurationError([problem])
    folder = arguments.config.parent
    source = read_source(host.vault_keys, folder=folder, plugins=registry(arguments).plugins.key_providers())
    async with _opened_database(host.database) as (database, rows, shared):
        states, hosts = KeyStates(database), Hosts(database, shared=shared)
        yield Session(
            database=database,
            rows=rows,
            states=states,
            hosts=hosts,
            changes=KeyChanges(database, rows, states, hosts, shared=shared),
            source=source,
            folder=folder,
        )


@asynccontextmanager
async def opened_rows(arguments: argparse.Namespace) -> AsyncIterator[SqlSealedRows]:
    """The rows alone, for what needs no key. Raises ConfigurationError, StorageError."""
    async with _opened_database(load_host_settings(arguments.config).database) as (_, rows, _):
        yield rows


@asynccontextmanager
async def _opened_database(url: str) -> AsyncIterator[tuple[OpenDatabase, SqlSealedRows, bool]]:
    from ..storage.database import open_database
    from ..storage.migrations import prepare
    from ..storage.sqlite import SqliteDatabase
    from ..vault.rows import SqlSealedRows

    database = open_database(url)
    try:
        await prepare(database)
        shared = not isinstance(database, SqliteDatabase)
        yield database, SqlSealedRows(database, shared=shared), shared
    finally:
        await database.aclose()
