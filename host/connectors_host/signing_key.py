"""The key that signs what this host issues. RFC 7517.

It is made by the first host that needs it and lies in the database, where all hosts find it, and not under
the vault's keys, which open stored tokens and nothing else. It cannot be sealed by anything that a host
without the vault has: whoever reads the database can sign.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from connectors_core.stores import Database

from .sealing import new_value

ALGORITHM = "RS256"
"""What RFC 9068 §2.1 and OpenID Connect Core §15.1 ask everybody to know."""
PURPOSE = "bearer"
BITS = 2048


class SigningKey:
    """The row of ``host_signing_keys`` of one tenant."""

    def __init__(self, database: Database, *, clock: Callable[[], float], tenant: str = "default") -> None:
        self._database = database
        self._clock = clock
        self._tenant = tenant
        self._key: RSAKey | None = None

    async def get(self) -> RSAKey:
        """The tenant's key: of several hosts that make one at once, all use the one that was kept."""
        if self._key is None:
            wanted = {"tenant": self._tenant, "purpose": PURPOSE}
            select = "SELECT private_key FROM host_signing_keys WHERE tenant = :tenant AND purpose = :purpose"
            rows = await self._database.fetch(select, wanted)
            if not rows:
                made = await asyncio.to_thread(new_signing_key)
                new = {"kid": made.kid, "private_key": json.dumps(made.as_dict(private=True))}
                await self._database.run(
                    [
                        (
                            "INSERT INTO host_signing_keys (tenant, purpose, kid, private_key, created_at)"
                            " VALUES (:tenant, :purpose, :kid, :private_key, :now)"
                            " ON CONFLICT (tenant, purpose) DO NOTHING",
                            {**wanted, **new, "now": self._clock()},
                        )
                    ]
                )
                rows = await self._database.fetch(select, wanted)
            self._key = RSAKey.import_key(json.loads(rows[0][0]))
        return self._key


def new_signing_key() -> RSAKey:
    """A fresh key. Blocking: making one takes a while."""
    return RSAKey.generate_key(BITS, parameters={"kid": new_value()[:16]}, private=True)


def verified(token: str, key: RSAKey, *, type: str) -> dict[str, Any] | None:
    """The claims of a token that ``key`` signed; ``type`` is its header's ``typ``. Times are not checked."""
    try:
        decoded = jwt.decode(token, key, algorithms=[ALGORITHM])
    except (JoseError, ValueError, TypeError, KeyError, RecursionError):
        return None
    header, claims = decoded.header, decoded.claims
    if header.get("typ") != type or "crit" in header or not isinstance(claims, dict):
        return None
    return claims
