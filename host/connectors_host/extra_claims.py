"""What else a provider says of a person and the operator lists: ``extra_claims`` of a connector."""

from __future__ import annotations

import json
from typing import Any

from connectors_core.hub import ConnectorEntry
from connectors_core.profile import Profile

from .accounts import Account
from .host import Host

KEPT = "claims"
"""The member of what is kept with an identity that holds them."""
MOST = 2048
"""Characters of the longest value, as JSON, that is kept."""


def extra_of(entry: ConnectorEntry, profile: Profile) -> dict[str, Any]:
    """The listed claims that the provider said; one that is too long is left out."""
    said = {name: profile.raw.get(name) for name in entry.settings.extra_claims}
    return {
        name: value for name, value in said.items() if value is not None and len(json.dumps(value)) <= MOST
    }


async def claims_of(host: Host, account: Account) -> dict[str, Any]:
    """The claims of ``account``, with what its identities add.

    None of those stands in for a claim of the account's own, and of two identities the older one counts.
    """
    listed = {entry.id: entry.settings.extra_claims for entry in host.hub.connectors()}
    claims: dict[str, Any] = {}
    if any(listed.values()):
        for identity in sorted(await host.hub.identities(account.owner), key=lambda each: each.created_at):
            kept, names = identity.profile.get(KEPT) or {}, listed.get(identity.connector, ())
            claims = {name: kept[name] for name in names if name in kept} | claims
    return claims | account.claims()
