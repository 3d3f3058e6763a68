"""The hub's face for one tenant."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..connector import ConnectorConfig, EndsSession, NetworkPermission, Runtime
from ..errors import ConfigurationError, ConnectorError, NotFound, Problem, Step
from ..transaction import Purpose
from .access_tokens import AccessFace
from .entry import ConnectorEntry
from .handles import HandleFace
from .identities import IdentityFace
from .secrets import SecretFace
from .shared import Shared
from .signed import SignedFace
from .tokens import no_key

if TYPE_CHECKING:
    from ..config import ConnectorSettings
    from ..flow import CallbackParameters, Completed, Started


class Tenant(IdentityFace, HandleFace, SignedFace, AccessFace, SecretFace):
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
        from ..config import group_problems, make_connector

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
        if chosen.identity_group:
            others = [(entry.id, entry.settings, entry.connector) for entry in self.connectors()]
            problems += group_problems(connector_id, chosen, connector, others)
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
        select_account: bool = False,
        data: Mapping[str, Any] | None = None,
    ) -> Started:
        """Begin an authorization: send the browser to ``.uri`` and keep ``.binding`` in its cookie.

        ``binding`` is the cookie the browser already has, if any; ``scopes`` are wanted besides the
        configured ones; ``parameters`` are added to the request (``login_hint``); ``select_account``
        has the provider let the person choose an account, where it can be asked to; ``data`` (JSON)
        comes back with the result. Raises NotFound, ConnectorMisconfigured, DiscoveryRejected,
        TransportError.
        """
        from ..flow import begin

        entry = self._enabled(connector)
        self._shared.sweep()
        return await begin(
            entry.connector,
            self._shared.stores.transactions,
            redirect_uri=redirect_uri,
            purpose=purpose,
            owner=owner,
            scopes=scopes,
            parameters=parameters,
            binding=binding,
            refresh_token_stored=refresh_token_stored,
            select_account=select_account,
            data=data,
        )

    async def complete(
        self,
        received: CallbackParameters,
        *,
        connector: str,
        binding: str | None,
        owner: str | None = None,
        purposes: Collection[Purpose] = tuple(Purpose),
    ) -> Completed:
        """Check a callback and say who came back. Each transaction completes once.

        ``received`` is the callback's query string or form body as it came. ``binding`` is the
        browser's cookie, ``owner`` whom the host knows to be signed in, ``purposes`` what the caller
        goes on to serve. Raises CallbackRejected, AuthorizationError, TransportError, ProviderError.
        """
        from ..flow import complete

        entry = self._enabled(connector)
        try:
            completed = await complete(
                received,
                entry.connector,
                self._shared.stores.transactions,
                binding=binding,
                owner=owner,
                purposes=purposes,
            )
        except ConnectorError as error:
            reason = {"code": error.code, "step": error.step.value}
            self._shared.tell("authorization.failed", self.name, entry, owner, **reason)
            raise
        purpose = completed.purpose.value
        self._shared.tell("authorization.completed", self.name, entry, completed.owner, purpose=purpose)
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

    def now(self) -> float:
        """Seconds since the epoch, by the hub's clock."""
        return self._shared.clock()

    def _enabled(self, connector_id: str) -> ConnectorEntry:
        entry = self.connector(connector_id)
        if not entry.settings.enabled:
            raise NotFound("there is no connector of that id")
        return entry
