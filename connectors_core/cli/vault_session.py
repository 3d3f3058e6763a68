"""What the commands about tokens and keys work on: the database, its rows, and the keys."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..config import load_host_settings
from ..errors import ConfigurationError, NotFound, Problem, VaultError
from .installed_types import registry
from .output import complain

if TYPE_CHECKING:
    from ..config import HostSettings
    from ..grants import KeyProvider, SealedRowStore
    from ..hookspecs import VaultAt
    from ..registry.plugins import Plugins
    from ..storage.database import OpenDatabase
    from ..vault.hosts import Hosts
    from ..vault.key_changes import KeyChanges
    from ..vault.key_states import KeyStates
    from ..vault.opening import HostKeys
    from ..vault.sources import KeySource
    from ..vault.wrapped import WrappedRows

OWN = ""
"""How the hub's own vault is called among those that plugins name."""
REMOTE_WORKERS = 16
"""How many questions to a key service are under way at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One command's view of a vault. ``folder`` is where the configuration's relative paths begin.

    ``others`` are the names of the vaults that the command does not see.
    """

    database: OpenDatabase
    rows: WrappedRows
    states: KeyStates
    hosts: Hosts
    changes: KeyChanges
    source: KeySource
    folder: Path
    others: Sequence[str] = ()

    async def load(self) -> HostKeys:
        """The keys that are here, unchecked."""
        from ..vault.opening import load_keys

        return await load_keys(self.source, self.states)

    async def open(self) -> HostKeys:
        """The keys that are here, each found to be the one that goes by its name."""
        from ..vault.opening import open_keys

        return await open_keys(self.source, self.states, now=time.time())

    async def announce(self) -> HostKeys:
        """The keys that are here, made known; the active one may be lost. Raises as ``open``."""
        keys = await self.load()
        await self.states.announce(keys, now=time.time())
        return keys

    async def active(self) -> str:
        return await self.states.active(time.time())

    @property
    def workers(self) -> int:
        return REMOTE_WORKERS if self.source.kind == "direct" else 1

    async def check_active(self, kid: str) -> None:
        """Raise VaultError where ``kid`` is no longer the active key."""
        await self.changes.keys()
        if (active := await self.active()) != kid:
            raise VaultError(f"the key {active} became active meanwhile; run connectors vault rewrap again")

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
    """Open the vault that the configuration names, or ``--vault`` among those that plugins name.

    Raises ConfigurationError, NotFound, StorageError.
    """
    from ..vault.hosts import Hosts
    from ..vault.key_changes import KeyChanges
    from ..vault.key_states import KeyStates
    from ..vault.wrapped import WithSecrets

    host, plugins = load_host_settings(arguments.config), plugins_of(arguments)
    vaults = plugins.vaults()
    if arguments.vault is not None and arguments.vault not in vaults:
        known = ", ".join(sorted(vaults)) or "none"
        raise NotFound(f"no plugin names a vault {arguments.vault}; those that are named: {known}")
    name = arguments.vault or OWN
    place = vaults.get(name)
    keys = None if place is None else place.keys
    # What a plugin says is relative to where the process runs, as it is for a hub.
    folder = arguments.config.parent if keys is None else Path()
    source = _source(arguments, keys or host.vault_keys, folder, plugins)
    async with _opened_rows(host, name, place, plugins) as (database, kept, shared):
        # Beside a plugin's store the hub's own secrets are in the database all the same.
        rows = WithSecrets(kept, database) if host.sealed_rows is not None and place is None else kept
        states, hosts = KeyStates(database), Hosts(database, shared=shared)
        yield Session(
            database=database,
            rows=rows,
            states=states,
            hosts=hosts,
            changes=KeyChanges(database, rows, states, hosts, shared=shared),
            source=source,
            folder=folder,
            others=[other for other in (OWN, *vaults) if other != name],
        )


@asynccontextmanager
async def opened_rows(arguments: argparse.Namespace) -> AsyncIterator[Mapping[str, SealedRowStore]]:
    """The rows of every vault by its name, the hub's own by ``OWN``, for what needs no key.

    Raises ConfigurationError, StorageError.
    """
    host, plugins = load_host_settings(arguments.config), plugins_of(arguments)
    places: dict[str, VaultAt | None] = {OWN: None, **plugins.vaults()}
    async with AsyncExitStack() as opened:
        found = {}
        for name, place in places.items():
            _, found[name], _ = await opened.enter_async_context(_opened_rows(host, name, place, plugins))
        yield found


def plugins_of(arguments: argparse.Namespace) -> Plugins:
    """The installed plugins, as ``[plugins]`` of the configuration file allows."""
    with redirect_stdout(sys.stderr):  # a plugin may print while it is imported
        return registry(arguments).plugins


def _source(
    arguments: argparse.Namespace, keys: KeyProvider | str | None, folder: Path, plugins: Plugins
) -> KeySource:
    from ..vault.sources import KeySource, read_source

    if keys is None:
        cure = "set it to file:PATH; connectors vault key new then writes that file"
        raise ConfigurationError([Problem(("host", "vault_keys"), "is missing", cure, str(arguments.config))])
    if isinstance(keys, str):
        return read_source(keys, folder=folder, plugins=plugins.key_providers())
    return KeySource(reference="what the plugin gave", kind="held", load=lambda: keys)


@asynccontextmanager
async def _opened_rows(
    host: HostSettings, name: str, place: VaultAt | None, plugins: Plugins
) -> AsyncIterator[tuple[OpenDatabase, SealedRowStore, bool]]:
    from ..storage.database import open_database
    from ..storage.migrations import prepare
    from ..storage.sqlite import SqliteDatabase
    from ..vault.detached import DetachedSealedRows, named
    from ..vault.rows import SqlSealedRows
    from ..vault.sources import open_sealed_rows

    async with AsyncExitStack() as opened:
        database = open_database(host.database if place is None else place.database)
        opened.push_async_callback(database.aclose)
        with named(name) if name else nullcontext():
            await prepare(database)
        shared = not isinstance(database, SqliteDatabase)
        rows: SealedRowStore = SqlSealedRows(database, shared=shared)
        if place is not None:
            rows = DetachedSealedRows(database, shared=shared)
        elif host.sealed_rows is not None:
            rows = open_sealed_rows(host.sealed_rows, plugins.token_stores())
            if close := getattr(rows, "aclose", None):
                opened.push_async_callback(close)
        yield database, rows, shared
