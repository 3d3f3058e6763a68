"""Where the tokens of a hub are kept, and how providers come to know that they are gone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import AnyUrl, BaseModel

from ..connector import Connector, Revokes
from ..errors import ConnectorError, ConnectorMisconfigured, StorageError, TokenEndpointError
from ..events import Event
from ..grants import GrantRef, GrantState, LinkedRow, TokenStore
from ..hookspecs import DISCARD
from ..merge import ALIVE
from ..metadata import ServerMetadata
from ..profile import IdentityKey
from ..tokens import EMPTY, TokenSet
from ..vault.outbox import Outcome, Told, drain
from ..vault.vault import TOKENS, Vault
from .entry import ConnectorEntry

if TYPE_CHECKING:
    from ..flow import Completed
    from ..stores import Identity
    from ..vault.hosts import Heartbeat
    from ..vault.rows import SqlSealedRows
    from .shared import Shared

HARMLESS = frozenset(
    {
        "client_id", "key_id", "private_key_id", "scope", "scopes", "scope_separator", "prompt", "prompts",
        "hosted_domain", "response_type", "response_mode", "grant_type", "token_endpoint_response_type",
        "token_endpoint_auth_method", "client_secret_jwt_signing_algorithm",
        "private_key_jwt_signing_algorithm", "client_assertion_audience", "additional_audiences",
        "token_endpoint_request_type", "token_response_member", "bearer_aliases", "invalid_grant_aliases",
        "access_denied_aliases", "granted_scope_separator", "rotation", "revocation",
        "pkce_off_because", "claims_source", "nonce_policy", "profile_map", "custom_config",
        "id_token_verification_config", "auth_request_optional_config",
    }
)  # fmt: skip
"""Settings, and sections of them, that say how to ask and not whom: only the URLs in them count."""

DRAIN_EVERY = 30.0
"""Seconds between two looks at what is to be revoked."""

logger = logging.getLogger("connectors_core.tokens")


@dataclass(frozen=True, slots=True)
class OpenVault:
    vault: Vault
    heartbeat: Heartbeat


class Keeping:
    """``default`` keeps what no plugin sends elsewhere; None where there is no key to seal by.

    ``own`` is the hub's vault, and ``beside`` its rows where they lie beside the identities; ``others``
    are those that plugins name, ``databases`` are theirs.
    """

    def __init__(
        self,
        shared: Shared,
        default: TokenStore | None,
        *,
        own: OpenVault | None = None,
        beside: SqlSealedRows | None = None,
        others: Mapping[str, OpenVault] = EMPTY,
        databases: AsyncExitStack | None = None,
    ) -> None:
        self._shared, self.default = shared, default
        self.vault, self._beside = own.vault if own else None, beside
        self._others, self._databases = others, databases or AsyncExitStack()
        self._open = [*([own] if own else []), *others.values()]
        self._timers: list[asyncio.Task[None]] = []
        self._loop = asyncio.get_running_loop()

    def stores(self) -> Sequence[TokenStore]:
        """Those of the hub itself: its own, and the vaults that plugins name."""
        own = [] if self.default is None else [self.default]
        return [*own, *(each.vault for each in self._others.values())]

    def keeps(self, identity: Identity) -> bool:
        """Tell whether tokens of ``identity`` would be kept anywhere. Raises ConnectorMisconfigured."""
        return self._choice(identity) is not DISCARD

    async def linked(self, tenant: str, owner: str, group: str) -> Sequence[LinkedRow]:
        """An owner's identities of a group, with what the vault keeps for each, where it lies beside them.

        Raises StorageError, also in another event loop than the hub's: nothing could be refreshed there.
        """
        if asyncio.get_running_loop() is not self._loop:
            raise StorageError(
                "the hub belongs to the event loop that opened it: call it there, "
                "or use connectors_core.sync.Hub, which any thread may call"
            )
        if self._beside is not None:
            return await self._beside.linked(tenant, owner, group=group, kind=TOKENS)
        return [
            LinkedRow(
                tenant=tenant, owner=owner, identity=each.id, connector=each.connector, target=each.target
            )
            for each in await self._shared.stores.identities.of_owner(tenant, owner)
            if each.group == group
        ]

    def store_of(self, identity: Identity | LinkedRow) -> TokenStore | None:
        """Who keeps the tokens of ``identity``; None where nobody does. Raises ConnectorMisconfigured."""
        return self._store(self._choice(identity))

    def is_beside(self, store: TokenStore) -> bool:
        """Tell whether what ``store`` keeps goes with its identity by itself."""
        return self._beside is not None and store is self.vault

    async def remove(self, identity: Identity) -> bool:
        """Forget the tokens of ``identity``, also those that were kept elsewhere before its owner moved.

        Tells whether there were any. Raises ConnectorMisconfigured, StorageError.
        """
        chosen, now = self.store_of(identity), self._shared.clock()
        others = [store for store in self.stores() if store is not chosen]
        stores = others if chosen is None else [chosen, *others]
        removed = [await store.remove(identity.tenant, identity.id, now=now) for store in stores]
        return any(removed)

    def _store(self, chosen: Any) -> TokenStore | None:
        if chosen is DISCARD:
            return None
        if chosen is None:
            return self.default
        if isinstance(chosen, str):
            if chosen in self._others:
                return self._others[chosen].vault
            raise ConnectorMisconfigured(
                f"select_token_store named {chosen!r}, which no plugin names in register_vaults"
                if self.vault
                else "select_token_store named a vault, and this hub has none: it has no database or no key"
            )
        if not isinstance(chosen, TokenStore):
            raise ConnectorMisconfigured(
                f"select_token_store answered {type(chosen).__name__}, which is not a token store"
            )
        return chosen

    async def states(self, identities: Sequence[Identity]) -> Mapping[str, GrantState]:
        """What is known of the grants of one owner's identities, by id of the identity."""
        found: dict[str, GrantState] = {}
        if identities and self.default is not None:
            for state in await self.default.states(identities[0].tenant, identities[0].owner):
                found[state.ref.identity] = state
        for identity in identities:
            store = self.store_of(identity)
            if store is not self.default:
                found.pop(identity.id, None)
                state_there = store and await store.state(identity.tenant, identity.id)
                if state_there:
                    found[identity.id] = state_there
        return found

    async def drain(self, *, most: int = 100) -> Sequence[Told]:
        """Tell providers of what is to be revoked, ``most`` at most, and return what became of each."""
        return [told for each in self._open for told in await self._drain(each.vault, most=most)]

    async def _drain(self, vault: Vault, *, most: int = 100) -> Sequence[Told]:
        told = await drain(vault, self._revoke, now=self._shared.clock(), most=most)
        for each in told:
            kept_after_all = not each.ref.identity and each.outcome is Outcome.NEEDED
            if each.outcome is not Outcome.LATER and not kept_after_all:
                self.tell("revocation.ended", each.ref, outcome=each.outcome.value)
        return told

    async def remove_connector(self, tenant: str, connector: str) -> int:
        """Forget the tokens of all grants to a connector, in every vault; return how many."""
        now = self._shared.clock()
        forget = [getattr(store, "remove_connector", None) for store in self.stores()]
        return sum([await each(tenant, connector, now=now) for each in forget if each is not None])

    async def abandon(self, entry: ConnectorEntry, completed: Completed, *, after: float) -> bool:
        """Have the provider told of tokens that nobody keeps; False where it cannot be, or need not.

        Until then they wait where those of the account's owner are kept, as far as one is known.
        """
        if self.vault is None or not entry.settings.token_storage or not completed.tokens.access_token:
            return False
        key = completed.identity
        linked = await self._shared.stores.identities.find(completed.tenant, entry.group, key)
        owner = linked.owner if linked else completed.owner
        store = self.default if owner is None else self._store(self._chosen(owner, entry.id))
        if not isinstance(store, Vault):
            return False
        ref = _ref(entry, completed.tenant, completed.owner or "", "", key)
        return await store.abandon(ref, completed.tokens, after=after, now=self._shared.clock())

    def start(self) -> None:
        """Drain now and then, and follow the keys, until ``stop``."""
        for each in self._open:
            self._timers.append(asyncio.create_task(self._drain_now_and_then(each.vault)))
            self._timers.append(asyncio.create_task(each.heartbeat.run()))

    async def stop(self) -> None:
        timers, self._timers = self._timers, []
        for timer in timers:
            timer.cancel()
        if timers:
            await asyncio.wait(timers)

    async def aclose(self) -> None:
        """Stop, and close the databases of the other vaults."""
        await self.stop()
        await self._databases.aclose()

    async def _drain_now_and_then(self, vault: Vault) -> None:
        while True:
            await asyncio.sleep(DRAIN_EVERY)
            try:
                while len(await self._drain(vault)) >= 100:
                    pass
            except ConnectorError as error:
                logger.warning("revocations wait: %s", error.code)

    def _choice(self, identity: Identity | LinkedRow) -> Any:
        return self._chosen(identity.owner, identity.connector)

    def _chosen(self, owner: str, connector: str) -> Any:
        return self._shared.registry.plugins.select_token_store(owner, connector)

    async def _revoke(self, ref: GrantRef, tokens: TokenSet) -> Outcome:
        entry = self._shared.connectors.get((ref.tenant, ref.connector))
        connector = entry.connector if entry else None
        if connector is None:
            # Another host may have it, while a new configuration is rolled out.
            return Outcome.LATER
        if urls_of(connector) != ref.urls or not isinstance(connector, Revokes):
            return Outcome.REFUSED
        if connector.revocation == "grant" and tokens.refresh_token:
            # One is enough, and the other would be refused. What it is called is a hint (RFC 7009 §2.1).
            tokens = replace(tokens, access_token=tokens.refresh_token, refresh_token=None)
        try:
            if not ref.identity and await self._is_needed(ref):
                return Outcome.NEEDED
        except ConnectorError:
            # A database that is away, or a plugin that fails: neither is the provider's answer.
            return Outcome.LATER
        try:
            await connector.revoke(tokens)
        except TokenEndpointError as error:
            return Outcome.LATER if error.status >= 500 or error.status == 429 else Outcome.REFUSED
        except ConnectorMisconfigured:
            return Outcome.REFUSED
        except ConnectorError:
            return Outcome.LATER
        except Exception as error:
            logger.warning("connector %s raised %s in revoke", ref.connector, type(error).__name__)
            return Outcome.REFUSED
        return Outcome.REVOKED

    async def _is_needed(self, ref: GrantRef) -> bool:
        """Tell whether a live grant of that account is kept by any connector, wherever that is.

        Stricter than ``same_grant``: what was abandoned may be of one grant with what another client of
        the same project was granted, or what a store of a plugin's keeps, and take it along.
        """
        key = IdentityKey(ref.issuer, ref.subject)
        groups = {(tenant, entry.group) for (tenant, _), entry in self._shared.connectors.items()}
        for tenant, group in sorted(groups):
            identity = await self._shared.stores.identities.find(tenant, group, key)
            store = self.store_of(identity) if identity is not None else None
            if identity is None or store is None:
                continue
            state = await store.state(identity.tenant, identity.id)
            if state is not None and (state.reason is None or state.reason in ALIVE):
                return True
        return False

    def tell(self, name: str, ref: GrantRef, **detail: str) -> None:
        """Let observers know of one fact about a grant."""
        self._shared.observe(
            Event(
                name=name,
                at=self._shared.clock(),
                tenant=ref.tenant,
                connector=ref.connector,
                target=ref.target,
                owner=ref.owner or None,
                detail=detail,
            )
        )


def ref_of(entry: ConnectorEntry, identity: Identity) -> GrantRef:
    """The grant of ``identity`` from the connector ``entry``, as it is configured now."""
    return _ref(entry, identity.tenant, identity.owner, identity.id, identity.key)


def _ref(entry: ConnectorEntry, tenant: str, owner: str, identity: str, key: IdentityKey) -> GrantRef:
    return GrantRef(
        tenant=tenant,
        owner=owner,
        identity=identity,
        subject=key.subject,
        connector=entry.id,
        target=entry.target,
        issuer=key.issuer,
        urls=urls_of(entry.connector),
        client=str(getattr(entry.connector.config, "client_id", "")),
    )


def revokes(connector: Connector) -> bool:
    """Tell whether the provider can be told to forget a token, as far as that is known without asking it."""
    server = getattr(connector, "server", None)
    if isinstance(server, ServerMetadata) and server.revocation_endpoint is None:
        return False
    return isinstance(connector, Revokes) and connector.revocation != "none"


@lru_cache(maxsize=1024)
def urls_of(connector: Connector) -> bytes:
    """The digest of what configuration tells a connector of where to go, and of its type.

    That is every URL among its settings, every other text but secrets and what is ``HARMLESS``, as
    a type may make a host name of it, and the issuer or endpoints that it made of its settings.
    Those that its type brings along are not: a later version of the type may correct them.
    """
    parts = [connector.id, *_urls_of_settings(connector.config)]
    own = getattr(connector, "__dict__", {})
    if isinstance(own.get("issuer"), str):
        parts += ["issuer", own["issuer"]]
    if isinstance(own.get("server"), ServerMetadata):
        parts += _endpoints(own["server"])
    encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
    return sha256(b"".join(len(part).to_bytes(4, "big") + part for part in encoded)).digest()


def _endpoints(server: ServerMetadata) -> Iterator[str]:
    for each in fields(server):
        value = getattr(server, each.name)
        if isinstance(value, str) and (each.name == "issuer" or each.name.endswith(("_endpoint", "_uri"))):
            yield from (each.name, value)


def _urls_of_settings(value: Any, place: str = "", *, harmless: bool = False) -> Iterator[str]:
    if isinstance(value, BaseModel):
        value = {name: getattr(value, name) for name in type(value).model_fields}
    if isinstance(value, Mapping):
        for name in sorted(value, key=str):
            yield from _urls_of_settings(
                value[name], f"{place}.{name}", harmless=harmless or str(name) in HARMLESS
            )
    elif isinstance(value, list | tuple):
        for number, each in enumerate(value):
            yield from _urls_of_settings(each, f"{place}.{number}", harmless=harmless)
    elif isinstance(value, AnyUrl):
        yield from (place, str(value))
    elif isinstance(value, str) and value and (not harmless or urlsplit(value).scheme in ("https", "http")):
        yield from (place, value)
