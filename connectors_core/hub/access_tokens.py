"""The hub's face for fresh access tokens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ..access.held import Held
from ..errors import ConnectorError, IdentityAmbiguous, NotFound, NotLinked, StorageError
from ..grants import GrantState, StoredGrant, TokenStore
from .entry import ConnectorEntry

if TYPE_CHECKING:
    from ..access.access import Access
    from ..access.client import ApiClient
    from ..access.refresher import Refresher
    from ..access.token import AccessToken
    from ..connector import Connector
    from .shared import Shared


class AccessFace:
    """The part of a tenant's face that hands out access tokens."""

    _shared: Shared
    name: str

    async def access_token(
        self,
        target: str,
        *,
        owner: str,
        scopes: str | Iterable[str] | None = None,
        min_ttl: float = 0.0,
        connector: str | None = None,
        identity: str | None = None,
    ) -> AccessToken:
        """Return an access token of ``owner`` for ``target``, refreshed where it is due.

        It carries ``scopes`` (white space separates those of a string) and lives for ``min_ttl``
        seconds at least. ``connector`` narrows the target to a connector's id, ``identity`` chooses
        among several identities of the target. Callers share one refresh, over all processes and
        hosts; one that is cancelled does not cancel it.

        Raises NotFound for a target that is not there, NotLinked, IdentityAmbiguous; ScopeRequired
        and ReauthorizationRequired, after which ``begin`` asks the person; TemporarilyUnavailable,
        TokenLivesTooShort, ConnectorMisconfigured, StorageError, VaultError.
        """
        held, opened = await self._held(target, owner, connector, identity)
        try:
            return await self._access.token(held, opened, scopes=_listed(scopes), min_ttl=min_ttl)
        except ConnectorError as error:
            error.connector = held.connector.connector_id
            raise

    def client(
        self,
        target: str,
        *,
        owner: str,
        scopes: str | Iterable[str] | None = None,
        min_ttl: float = 0.0,
        connector: str | None = None,
        identity: str | None = None,
    ) -> ApiClient:
        """An HTTP client that carries the owner's token, to the hosts of the connector alone.

        It asks for a token before each request, as ``access_token`` does; one 401 is answered with
        a renewed token. Nothing is looked up before the first request.
        """
        from ..access.client import ApiClient

        wanted = _listed(scopes)

        async def token(*, newer_than: AccessToken | None = None) -> tuple[AccessToken, Connector]:
            held, opened = await self._held(target, owner, connector, identity)
            try:
                if newer_than is None or newer_than.identity != held.identity:
                    found = await self._access.token(held, opened, scopes=wanted, min_ttl=min_ttl)
                else:
                    found = await self._access.renewed(held, newer_than, scopes=wanted, min_ttl=min_ttl)
            except ConnectorError as error:
                error.connector = held.connector.connector_id
                raise
            return found, held.connector

        return ApiClient(token)

    async def _held(
        self, target: str, owner: str, connector: str | None, identity: str | None
    ) -> tuple[Held, StoredGrant | None]:
        """The grant that is asked for; opened, where it lies beside the identities and came with them."""
        entry = self._entry_of(target, connector)
        keeping = self._shared.kept()
        theirs = await keeping.linked(self.name, owner, entry.group)
        if identity is not None:
            theirs = [each for each in theirs if each.identity == identity]
        if len(theirs) > 1:
            raise IdentityAmbiguous(each.identity for each in theirs)
        if not theirs:
            raise NotLinked("the owner has no such identity")
        chosen = theirs[0]
        store = keeping.store_of(chosen)
        if store is None:
            raise NotLinked("no tokens are kept for this identity")
        row = chosen.kept if store is keeping.vault else None
        if entry.settings.identity_group:
            # Of several connectors that share identities, the one that the grant was made to.
            state = row.state if row else await store.state(self.name, chosen.identity)
            if state is not None:
                entry = self._shared.connectors.get((self.name, state.ref.connector), entry)
        held = Held(
            tenant=self.name,
            owner=owner,
            identity=chosen.identity,
            target=chosen.target,
            connector=entry.connector,
            store=store,
        )
        opened = await keeping.vault.opened(row) if row and keeping.vault else None
        return held, opened

    def _entry_of(self, target: str, connector: str | None) -> ConnectorEntry:
        found = self._shared.targets.get((self.name, target))
        entry = self._shared.connectors.get((self.name, found)) if found is not None else None
        if entry is None or not entry.settings.enabled or connector not in (None, entry.id):
            raise NotFound("there is no connector of that target")
        return entry

    @property
    def _access(self) -> Access:
        return access_of(self._shared)


def access_of(shared: Shared) -> Access:
    """The one table of refreshes of an open hub. Raises StorageError."""
    shared.kept()
    if shared.access is None:
        from ..access.access import Access

        shared.access = Access(clock=shared.clock, observe=shared.observe)
    return shared.access


def refresher_of(shared: Shared, **options: Any) -> Refresher:
    """Renews ahead what the hub and its other vaults keep, for all tenants. Raises StorageError."""
    from ..access.refresher import FindsDue, Refresher

    access, stores = access_of(shared), _Stores(shared.kept().stores())
    if not stores.all or not all(isinstance(store, FindsDue) for store in stores.all):
        raise StorageError("the token store cannot tell which grants are due")

    async def held_of(state: GrantState) -> Held | None:
        ref = state.ref
        entry = shared.connectors.get((ref.tenant, ref.connector))
        if entry is None or not entry.settings.enabled:
            return None
        return Held(
            tenant=ref.tenant,
            owner=ref.owner,
            identity=ref.identity,
            target=ref.target,
            connector=entry.connector,
            store=stores.of[ref.tenant, ref.identity],
        )

    return Refresher(access, stores, held_of, clock=shared.clock, **options)


class _Stores:
    """Several stores as one that tells what is due; ``of`` says where each was found.

    A store that is away keeps no other's tokens from being renewed.
    """

    def __init__(self, stores: Sequence[Any]) -> None:
        self.all = stores
        self.of: dict[tuple[str, str], TokenStore] = {}

    async def due(self, *, most: int, **when: float) -> Sequence[GrantState]:
        found: list[GrantState] = []
        away: list[StorageError] = []
        for store in self.all:
            try:
                due = await store.due(most=most, **when)
            except StorageError as error:
                away.append(error)
                continue
            for state in due:
                self.of[state.ref.tenant, state.ref.identity] = store
                found.append(state)
        if len(away) == len(self.all):
            raise away[0]
        found = sorted(found, key=lambda state: state.expires_at or 0.0)[:most]
        self.of = {key: self.of[key] for key in ((each.ref.tenant, each.ref.identity) for each in found)}
        return found


def _listed(scopes: str | Iterable[str] | None) -> frozenset[str]:
    return frozenset(scopes.split() if isinstance(scopes, str) else scopes or ())
