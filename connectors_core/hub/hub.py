"""The composition root: what a hub is made of, opened and closed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from ..errors import StorageError
from ..stores import Database
from .tenant import Shared, Tenant

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from ..config import Configuration
    from ..connector import Sender
    from ..registry import Registry
    from ..storage.database import OpenDatabase

DEFAULT_TENANT = "default"


class Hub(Tenant):
    """Connectors for one or many tenants, over one database and one pool of connections.

    ``database`` is a URL (``sqlite:///connectors.db``); None keeps everything in memory, for tests
    and single programs that may forget. ``sender`` replaces the guarded HTTP sender, ``clock`` the
    time (seconds since the epoch). ``allow_private_network`` lets every connector reach loopback
    and private addresses: for development only.

    Open it with ``async with``; connectors may be added before.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        database: str | None = None,
        sender: Sender | None = None,
        clock: Callable[[], float] = time.time,
        allow_private_network: bool = False,
    ) -> None:
        from ..http import HttpSender
        from ..oidc import DiscoveryCache, JwksCache

        self._url = database
        self._database: OpenDatabase | None = None
        self._own_sender: HttpSender | None = None
        if sender is None:
            sender = self._own_sender = HttpSender()
        shared = Shared(
            registry=registry,
            sender=sender,
            metadata_cache=DiscoveryCache(),
            key_cache=JwksCache(),
            clock=clock,
            allow_private_network=allow_private_network,
            observe=registry.plugins.observe,
        )
        super().__init__(shared, DEFAULT_TENANT)

    @classmethod
    def from_config(cls, configuration: Configuration | str | Path, **options: Any) -> Self:
        """A hub with every connector of a configuration file.

        ``options`` are those of the constructor, over what the file says. Raises ConfigurationError
        with every mistake of the file.
        """
        from ..config import load_configuration

        if isinstance(configuration, str | Path):
            configuration = load_configuration(configuration)
        options.setdefault("database", configuration.host.database)
        options.setdefault("allow_private_network", configuration.host.allow_private_network)
        hub = cls(configuration.registry, **options)
        for connector_id, settings in configuration.connectors.items():
            hub.add(connector_id, **{name: getattr(settings, name) for name in settings.model_fields_set})
        return hub

    async def __aenter__(self) -> Self:
        shared = self._shared
        if self._url is None:
            from ..storage.memory import MemoryStores

            memory = MemoryStores()
            shared.transactions, shared.handles = memory.transactions, memory.handles
            shared.identities = memory.identities
            return self
        from ..storage.database import open_database
        from ..storage.migrations import prepare
        from ..storage.sql import SqlStores

        database = open_database(self._url)
        try:
            await prepare(database)
        except BaseException:
            await database.aclose()
            raise
        stores = SqlStores(database)
        self._database = shared.database = database
        shared.transactions, shared.handles = stores.transactions, stores.handles
        shared.identities = stores.identities
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._own_sender is not None:
            await self._own_sender.aclose()
        database, self._database, self._shared.database = self._database, None, None
        self._shared.transactions = self._shared.handles = self._shared.identities = None
        if database is not None:
            await database.aclose()

    def tenant(self, name: str) -> Tenant:
        """The same face for one tenant; nothing of one tenant is seen by another."""
        return Tenant(self._shared, name)

    @property
    def database(self) -> Database:
        """The database, for a host's own tables beside ours. Raises StorageError when there is none."""
        if self._shared.database is None:
            raise StorageError("the hub keeps everything in memory, or is not open")
        return self._shared.database
