"""The composition root: what a hub is made of, opened and closed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from ..errors import StorageError
from ..stores import Database
from .access_tokens import refresher_of
from .shared import Shared
from .tenant import Tenant
from .tokens import check_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from ..access.refresher import Refresher
    from ..config import Configuration
    from ..connector import Sender
    from ..grants import KeyProvider
    from ..registry import Registry
    from ..storage.database import OpenDatabase
    from ..vault.outbox import Told

DEFAULT_TENANT = "default"
DRAIN = 15.0
"""Seconds that closing waits for refreshes under way."""


class Hub(Tenant):
    """Connectors for one or many tenants, over one database and one pool of connections.

    ``database`` is a URL (``sqlite:///connectors.db``); None keeps everything in memory, for tests
    and single programs that may forget. ``keys`` seal the tokens of connectors that store any: a
    ``Keyring`` or other key provider, or a key source as ``vault_keys`` names it. ``sealed_rows`` is
    the URL of a plugin's store (``register_token_stores``) that keeps them instead of ``database``.
    ``sender`` replaces the guarded HTTP sender, ``clock`` the time (seconds since the epoch).
    ``allow_private_network`` lets every connector reach loopback and private addresses: for
    development only.

    Open it once, with ``async with``; connectors may be added before.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        database: str | None = None,
        keys: KeyProvider | str | None = None,
        sealed_rows: str | None = None,
        sender: Sender | None = None,
        clock: Callable[[], float] = time.time,
        allow_private_network: bool = False,
    ) -> None:
        from ..http import HttpSender
        from ..oidc import DiscoveryCache, JwksCache

        self._url, self._keys = database, keys
        self._database: OpenDatabase | None = None
        self._own_sender: HttpSender | None = None
        self._closed = False
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
            sealed_rows=sealed_rows,
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
        options.setdefault("keys", _key_source(configuration))
        options.setdefault("sealed_rows", configuration.host.sealed_rows)
        options.setdefault("allow_private_network", configuration.host.allow_private_network)
        hub = cls(configuration.registry, **options)
        for connector_id, settings in configuration.connectors.items():
            hub.add(connector_id, **{name: getattr(settings, name) for name in settings.model_fields_set})
        return hub

    async def __aenter__(self) -> Self:
        if self._closed:
            raise StorageError("the hub was closed; make another")
        try:
            await self._open()
            check_keys(self._shared)
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def _open(self) -> None:
        from .opening import open_keeping

        shared = self._shared
        if self._url is None:
            from ..storage.memory import MemoryStores

            memory = MemoryStores()
            shared.transactions, shared.handles = memory.transactions, memory.handles
            shared.identities = memory.identities
            shared.keeping = await open_keeping(shared, None, None)
            return
        from ..storage.database import open_database
        from ..storage.migrations import prepare
        from ..storage.sql import SqlStores

        self._database = shared.database = database = open_database(self._url)
        await prepare(database)
        stores = SqlStores(database)
        shared.transactions, shared.handles = stores.transactions, stores.handles
        shared.identities = stores.identities
        shared.keeping = await open_keeping(shared, database, self._keys)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shared, database = self._shared, self._database
        self._closed = True
        try:
            await self.drain()
        finally:
            keeping, shared.keeping, shared.access = shared.keeping, None, None
        try:
            await shared.sweeper.settled()
            if keeping is not None:
                await keeping.aclose()
            if self._own_sender is not None:
                await self._own_sender.aclose()
        finally:
            shared.transactions = shared.handles = shared.identities = None
            self._database = shared.database = None
            if database is not None:
                await database.aclose()

    async def drain(self, timeout: float = DRAIN) -> bool:
        """Begin no refresh any more and wait for those under way; False where some did not end.

        For a process that is about to end: what is cut off between request and answer may cost the
        grant. Closing the hub does it too. ``timeout`` is in seconds.
        """
        access = self._shared.access
        return access is None or await access.drain(timeout)

    def refresher(self, *, used_within: float = 7 * 86400.0, every: float = 30.0) -> Refresher:
        """What renews ahead the grants that were used within ``used_within`` seconds: ``await .run()``.

        It looks every ``every`` seconds; several processes may have one each. Optional: a grant that
        is due is also renewed by whoever asks for its token. Raises StorageError.
        """
        return refresher_of(self._shared, used_within=used_within, every=every)

    async def drain_revocations(self, *, most: int = 100) -> Sequence[Told]:
        """Tell providers of the tokens they are to forget; return what became of each.

        An open hub does so by itself twice a minute. What fails is tried again, ever later, for a day.
        """
        return await self._keeping.drain(most=most)

    def tenant(self, name: str) -> Tenant:
        """The same face for one tenant; nothing of one tenant is seen by another."""
        return Tenant(self._shared, name)

    @property
    def database(self) -> Database:
        """The database, for a host's own tables beside ours. Raises StorageError when there is none."""
        if self._shared.database is None:
            raise StorageError("the hub keeps everything in memory, or is not open")
        return self._shared.database


def _key_source(configuration: Configuration) -> str | None:
    """Where the keys are, with a relative path made one beside the configuration file.

    None where nothing is to be sealed: tokens of a connector, or what signs for applications.
    """
    source = configuration.host.vault_keys
    seals = configuration.apps or any(each.token_storage for each in configuration.connectors.values())
    if source is None or not seals:
        return None
    scheme, _, rest = source.partition(":")
    if scheme == "file" and configuration.path is not None:
        return f"file:{configuration.path.parent / Path(rest).expanduser()}"
    return source
