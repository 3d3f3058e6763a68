"""What the tenants of a hub have in common."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import StorageError
from ..events import Event
from ..stores import Database, HandleStore, Identity, IdentityStore, TransactionStore
from .entry import ConnectorEntry
from .sweeper import Sweeper

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..access.access import Access
    from ..connector import KeyCache, MetadataCache, Sender
    from ..registry import Registry
    from .keeping import Keeping

NOT_OPEN = "the hub is not open: use it in `async with`, or `with` where it is synchronous"


@dataclass(slots=True, kw_only=True)
class Shared:
    """What all tenants of a hub have in common."""

    registry: Registry
    sender: Sender
    metadata_cache: MetadataCache
    key_cache: KeyCache
    clock: Callable[[], float]
    allow_private_network: bool
    observe: Callable[[Event], None]
    sealed_rows: str | None = None
    database: Database | None = None
    transactions: TransactionStore | None = None
    handles: HandleStore | None = None
    identities: IdentityStore | None = None
    keeping: Keeping | None = None
    access: Access | None = None
    sweeper: Sweeper = field(default_factory=Sweeper)
    connectors: dict[tuple[str, str], ConnectorEntry] = field(default_factory=dict)
    targets: dict[tuple[str, str], str] = field(default_factory=dict)

    def kept(self) -> Keeping:
        """What an open hub keeps tokens by. Raises StorageError."""
        if self.keeping is None:
            raise StorageError(NOT_OPEN)
        return self.keeping

    @property
    def stores(self) -> Stores:
        """The stores of an open hub. Raises StorageError."""
        if self.transactions is None or self.handles is None or self.identities is None:
            raise StorageError(NOT_OPEN)
        return Stores(self.transactions, self.handles, self.identities)

    def tell(
        self, name: str, tenant: str, about: ConnectorEntry | Identity, owner: str | None, **detail: str
    ) -> None:
        """Let observers know of one fact about a connector or an identity."""
        event = Event(
            name=name,
            at=self.clock(),
            tenant=tenant,
            connector=about.id if isinstance(about, ConnectorEntry) else about.connector,
            target=about.target,
            owner=owner,
            detail=detail,
        )
        self.observe(event)

    def sweep(self) -> None:
        """Have what has expired removed, where that is due."""
        self.sweeper.due(self.stores.transactions, self.stores.handles, now=self.clock())


@dataclass(frozen=True, slots=True)
class Stores:
    transactions: TransactionStore
    handles: HandleStore
    identities: IdentityStore
