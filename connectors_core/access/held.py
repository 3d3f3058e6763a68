"""A grant as callers ask for it: who keeps it, and which connector renews it."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..connector import Connector
from ..errors import NotLinked
from ..grants import GrantRef, StoredGrant, TokenStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A grant to be served: who keeps it, and which connector renews it."""

    tenant: str
    owner: str
    identity: str
    target: str
    connector: Connector
    store: TokenStore = field(repr=False)


async def opened_of(held: Held) -> StoredGrant:
    """What is kept. Raises NotLinked where nothing is, and what the store raises."""
    stored = await held.store.open(held.tenant, held.identity)
    if stored is None:
        raise NotLinked("no tokens are kept for this identity")
    return stored


def is_of(ref: GrantRef, connector: Connector) -> bool:
    """Whether ``connector`` is the one that the grant was made to, and still the same client."""
    client = str(getattr(connector.config, "client_id", None) or "")
    return ref.connector == connector.connector_id and ref.client in ("", client)
