"""The hub's face for one tenant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..connector import ConnectorConfig, EndsSession, NetworkPermission, Runtime
from ..errors import (
    ConfigurationError,
    ConnectorError,
    IdentityAlreadyLinked,
    NotFound,
    Problem,
    Step,
    StorageError,
)
from ..events import Event
from ..stores import Database, HandleStore, Identity, IdentityStore, TransactionStore
from ..transaction import Purpose
from .entry import ConnectorEntry
from .tokens import TokenFace, no_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..config import ConnectorSettings
    from ..connector import KeyCache, MetadataCache, Sender
    from ..flow import CallbackParameters, Completed, Started
    from ..registry import Registry
    from .keeping import Keeping

SWEEP_EVERY = 60.0
"""Seconds between two removals of expired transactions and handles."""
SWEEP_GRACE = 3600.0
"""Seconds an expired transaction stays known, so that a late callback is told it came late."""


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
    database: Database | None = None
    transactions: TransactionStore | None = None
    handles: HandleStore | None = None
    identities: IdentityStore | None = None
    keeping: Keeping | None = None
    swept_at: float = 0.0
    connectors: dict[tuple[str, str], ConnectorEntry] = field(default_factory=dict)
    targets: dict[tuple[str, str], str] = field(default_factory=dict)


class Tenant(TokenFace):
    """Connectors, pending authorizations and identities of one tenant; nothing crosses to another.

    Obtained from ``hub.tenant(name)``; a ``Hub`` is the face of the tenant ``"default"``.
    """

    def __init__(self, shared: Shared, name: str) -> None:
        self._shared = shared
        self.name = name

    def add(
        self, connector_id: str, *, config: Mapping[str, Any] | ConnectorConfig | None = None, **settings: Any
    ) -> ConnectorEntry:
        """Configure a connector. Touches no network.

        ``settings`` are the keys of a ``[connectors.*]`` table (``type``, ``target``, ``name``, …).
        Raises ConfigurationError with every mistake, an unknown or unusable type among them.
        """
        from ..config import make_connector

        shared, path = self._shared, ("connectors", connector_id)
        table = {"config": {} if config is None else config, **settings}
        chosen, connector = make_connector(connector_id, table, shared.registry, self._runtime)
        target = str(chosen.target)
        problems = []
        if (self.name, connector_id) in shared.connectors:
            problems.append(Problem(path, "there is a connector of this id already", "choose another id"))
        elif holder := shared.targets.get((self.name, target)):
            problems.append(
                Problem((*path, "target"), f"is the target of connector {holder}", "give each its own target")
            )
        if chosen.token_storage and shared.keeping is not None and shared.keeping.default is None:
            problems.append(no_key(connector_id))
        if problems:
            raise ConfigurationError(problems)
        entry = ConnectorEntry(
            id=connector_id, type=connector.id, target=target, settings=chosen, connector=connector
        )
        shared.connectors[self.name, connector_id] = entry
        shared.targets[self.name, target] = connector_id
        return entry

    def _runtime(self, settings: ConnectorSettings) -> Runtime:
        shared = self._shared
        return Runtime(
            sender=shared.sender,
            metadata_cache=shared.metadata_cache,
            key_cache=shared.key_cache,
            clock=shared.clock,
            tenant=self.name,
            network=NetworkPermission(
                private=shared.allow_private_network, hosts=frozenset(settings.private_hosts)
            ),
        )

    def connector(self, connector_id: str) -> ConnectorEntry:
        """The connector of that id, enabled or not. Raises NotFound."""
        try:
            return self._shared.connectors[self.name, connector_id]
        except KeyError:
            raise NotFound("there is no connector of that id") from None

    def connectors(self) -> tuple[ConnectorEntry, ...]:
        """All connectors, in the order of their buttons."""
        entries = [entry for (tenant, _), entry in self._shared.connectors.items() if tenant == self.name]
        return tuple(sorted(entries, key=lambda entry: (entry.settings.order, entry.id)))

    async def begin(
        self,
        connector: str,
        *,
        redirect_uri: str,
        purpose: Purpose = Purpose.SIGN_IN,
        owner: str | None = None,
        scopes: Iterable[str] | None = None,
        parameters: Mapping[str, str] | None = None,
        binding: str | None = None,
        refresh_token_stored: bool | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> Started:
        """Begin an authorization: send the browser to ``.uri`` and keep ``.binding`` in its cookie.

        ``binding`` is the cookie the browser already has, if any; ``scopes`` are wanted besides the
        configured ones; ``parameters`` are added to the request (``login_hint``); ``data`` (JSON)
        comes back with the result. Raises NotFound, ConnectorMisconfigured, DiscoveryRejected,
        TransportError.
        """
        from ..flow import begin

        entry = self._enabled(connector)
        await self._sweep()
        return await begin(
            entry.connector,
            self._stores.transactions,
            redirect_uri=redirect_uri,
            purpose=purpose,
            owner=owner,
            scopes=scopes,
            parameters=parameters,
            binding=binding,
            refresh_token_stored=refresh_token_stored,
            data=data,
        )

    async def complete(
        self, received: CallbackParameters, *, connector: str, binding: str | None, owner: str | None = None
    ) -> Completed:
        """Check a callback and say who came back. Each transaction completes once.

        ``received`` is the callback's query string or form body as it came. ``binding`` is the
        browser's cookie, ``owner`` whom the host knows to be signed in. Raises CallbackRejected,
        AuthorizationError, TransportError, ProviderError.
        """
        from ..flow import complete

        entry = self._enabled(connector)
        try:
            completed = await complete(
                received, entry.connector, self._stores.transactions, binding=binding, owner=owner
            )
        except ConnectorError as error:
            self._tell("authorization.failed", entry, owner, code=error.code, step=error.step.value)
            raise
        self._tell("authorization.completed", entry, completed.owner, purpose=completed.purpose.value)
        return completed

    async def end_session_uri(
        self,
        connector: str,
        *,
        id_token_hint: str | None = None,
        post_logout_redirect_uri: str | None = None,
        state: str | None = None,
    ) -> str | None:
        """Where to send the browser to end the provider's own session; None where there is no such place.

        Raises NotFound, DiscoveryRejected, TransportError. OpenID Connect RP-Initiated Logout §2.
        """
        from ..flow import contained

        entry = self._enabled(connector)
        if not isinstance(entry.connector, EndsSession):
            return None
        with contained(entry.connector, Step.AUTHORIZATION_REQUEST):
            return await entry.connector.end_session_uri(
                id_token_hint=id_token_hint,
                post_logout_redirect_uri=post_logout_redirect_uri,
                state=state,
            )

    async def put_handle(self, kind: str, data: Mapping[str, Any], *, lifetime: float) -> str:
        """Keep ``data`` (JSON) for ``lifetime`` seconds; return the one-time name it can be taken by.

        The data is sealed under that name, which is not stored.
        """
        from ..flow import sealing

        handle = sealing.new_value()
        sealed = sealing.seal(data, under=(handle,), context=("handle", kind, self.name))
        await self._sweep()
        await self._stores.handles.put(
            self.name, kind, sealing.hashed("handle", handle), sealed, expires_at=self.now() + lifetime
        )
        return handle

    async def take_handle(self, kind: str, handle: str) -> Mapping[str, Any] | None:
        """What was put under ``handle``, once; None when it is unknown, expired or taken."""
        from ..flow import sealing

        key = sealing.hashed("handle", handle)
        sealed = await self._stores.handles.take(self.name, kind, key, now=self.now())
        if sealed is None:
            return None
        try:
            return sealing.unseal(sealed, under=(handle,), context=("handle", kind, self.name))
        except sealing.CannotOpen:
            return None

    async def find_identity(self, completed: Completed) -> Identity | None:
        """The linked identity that ``completed`` proves, whoever owns it."""
        group = self.connector(completed.connector).group
        return await self._stores.identities.find(self.name, group, completed.identity)

    async def link(
        self, completed: Completed, *, owner: str, profile: Mapping[str, Any] | None = None
    ) -> Identity:
        """Link the external account to ``owner``, and save its tokens; linking it again is no harm.

        ``profile`` are the fields to keep with it. Raises IdentityAlreadyLinked where it belongs to
        another owner; what ``save_tokens`` raises, and then it is linked all the same.
        """
        import uuid

        entry, now = self.connector(completed.connector), self.now()
        wanted = Identity(
            tenant=self.name,
            id=f"identity_{uuid.uuid4().hex}",
            owner=owner,
            connector=entry.id,
            target=entry.target,
            group=entry.group,
            key=completed.identity,
            profile=dict(profile or {}),
            created_at=now,
            updated_at=now,
        )
        kept = await self._stores.identities.add(wanted)
        if kept.owner != owner:
            raise IdentityAlreadyLinked("this account is linked to somebody else")
        if kept.id == wanted.id:
            self._tell("identity.linked", entry, owner)
        await self.save_tokens(completed, kept)
        return kept

    async def identities(self, owner: str) -> Sequence[Identity]:
        """The linked identities of ``owner``, oldest first."""
        return await self._stores.identities.of_owner(self.name, owner)

    async def update_identity_profile(self, identity_id: str, profile: Mapping[str, Any]) -> None:
        """Replace the fields kept with an identity."""
        await self._stores.identities.update_profile(self.name, identity_id, profile, now=self.now())

    async def unlink(self, identity_id: str) -> bool:
        """Forget an identity and its tokens; tell whether it was there.

        The provider is told that the tokens are to be forgotten, later if it does not answer now.
        """
        identity = await self._stores.identities.get(self.name, identity_id)
        if identity is None:
            return False
        await self.revoke_tokens(identity_id)
        if not await self._stores.identities.remove(self.name, identity_id):
            return False
        self._told("identity.unlinked", identity)
        return True

    def now(self) -> float:
        """Seconds since the epoch, by the hub's clock."""
        return self._shared.clock()

    def _enabled(self, connector_id: str) -> ConnectorEntry:
        entry = self.connector(connector_id)
        if not entry.settings.enabled:
            raise NotFound("there is no connector of that id")
        return entry

    @property
    def _stores(self) -> _Open:
        shared = self._shared
        if shared.transactions is None or shared.handles is None or shared.identities is None:
            raise StorageError("the hub is not open: use it in `async with`")
        return _Open(shared.transactions, shared.handles, shared.identities)

    async def _sweep(self) -> None:
        now = self.now()
        if now - self._shared.swept_at >= SWEEP_EVERY:
            self._shared.swept_at = now
            await self._stores.transactions.sweep(now=now - SWEEP_GRACE)
            await self._stores.handles.sweep(now=now)

    def _tell(self, name: str, entry: ConnectorEntry, owner: str | None, **detail: str) -> None:
        self._shared.observe(
            Event(
                name=name,
                at=self.now(),
                tenant=self.name,
                connector=entry.id,
                target=entry.target,
                owner=owner,
                detail=detail,
            )
        )


@dataclass(frozen=True, slots=True)
class _Open:
    transactions: TransactionStore
    handles: HandleStore
    identities: IdentityStore
