"""Access tokens for the APIs of this host. RFC 9068.

The signature decides nothing by itself: each token has a ``jti`` of 256 random bits, of which the database
holds the hash and, sealed under it, session and scope. Whoever has the key that signs (``signing_keys``)
cannot name a ``jti`` that counts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from joserfc import jwt

from connectors_core.stores import Database

from ..sealing import hashed, new_value, seal, unseal
from ..sessions import Session
from ..signing_key import ALGORITHM
from ..signing_keys import SigningKeys

SCOPES = ("profile", "identities", "tokens", "verification")
"""What a token can be for."""
LIFETIME = 600.0
"""Seconds a token lives at most."""
TYPE = "at+jwt"
SWEEP_MOST = 100
MAX_LENGTH = 4096
"""Characters of the longest token that is looked at."""
KIND = "bearer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A token and the seconds it lives."""

    access_token: str = field(repr=False)
    expires_in: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearer:
    """A token that was presented and counts: the session it stands for, if that still lives."""

    session_id: str = field(repr=False)
    scopes: frozenset[str]


class Bearers:
    """The table ``host_bearers`` of one tenant.

    ``issuer`` is the host's ``base_url``, who issues and whom the tokens are for.
    """

    def __init__(
        self,
        database: Database,
        *,
        keys: SigningKeys,
        issuer: str,
        clock: Callable[[], float],
        tenant: str = "default",
    ) -> None:
        self._database = database
        self._keys = keys
        self._issuer = issuer
        self._clock = clock
        self._tenant = tenant

    async def issue(self, session: Session, scopes: Collection[str]) -> Issued:
        """A token for ``scopes`` that lives at most ``LIFETIME``, and never longer than ``session``."""
        now, jti, key = self._clock(), new_value(), await self._keys.current()
        expires_at = int(min(now + LIFETIME, session.expires_at))
        claims = {
            "iss": self._issuer,
            "aud": self._issuer,
            "sub": session.owner,
            # The session's own pages are the client: no application has asked for this token.
            "client_id": self._issuer,
            "scope": " ".join(scope for scope in SCOPES if scope in scopes),
            "iat": int(now),
            "exp": expires_at,
            "auth_time": int(session.authenticated_at),
            "jti": jti,
        }
        header = {"alg": ALGORITHM, "typ": TYPE, "kid": key.kid}
        row = {
            "tenant": self._tenant,
            "jti_hash": hashed(KIND, jti),
            "owner": session.owner,
            "sealed": seal(
                KIND,
                {"session": session.id, "scope": claims["scope"]},
                under=jti,
                bound=self._place(jti, session.owner),
            ),
            "expires_at": expires_at,
        }
        insert = (
            "INSERT INTO host_bearers (tenant, jti_hash, owner, sealed, expires_at)"
            " VALUES (:tenant, :jti_hash, :owner, :sealed, :expires_at)"
        )
        await self._database.run([self._sweep(now), (insert, row)])
        return Issued(access_token=jwt.encode(header, claims, key), expires_in=max(0, expires_at - int(now)))

    async def open(self, token: str) -> Bearer | None:
        """What ``token`` stands for; None where it is none of ours, expired, or for another audience."""
        if len(token) > MAX_LENGTH:
            return None
        claims = await self._keys.verified(token, type=TYPE)
        now = self._clock()
        if claims is None or (claims.get("iss"), claims.get("aud")) != (self._issuer, self._issuer):
            return None
        jti = claims.get("jti")
        if not isinstance(jti, str):
            return None
        rows = await self._database.fetch(
            "SELECT owner, sealed FROM host_bearers"
            " WHERE tenant = :tenant AND jti_hash = :jti_hash AND expires_at > :now",
            {"tenant": self._tenant, "jti_hash": hashed(KIND, jti), "now": now},
        )
        if not rows:
            return None
        owner, sealed = rows[0]
        opened = unseal(KIND, sealed, under=jti, bound=self._place(jti, owner))
        if opened is None:
            return None
        return Bearer(session_id=opened["session"], scopes=frozenset(opened["scope"].split()))

    async def of_owner(self, owner: str) -> list[float]:
        """Until when the living tokens of ``owner`` are good, in seconds since the epoch."""
        rows = await self._database.fetch(
            "SELECT expires_at FROM host_bearers"
            " WHERE tenant = :tenant AND owner = :owner AND expires_at > :now ORDER BY expires_at",
            {"tenant": self._tenant, "owner": owner, "now": self._clock()},
        )
        return [expires_at for (expires_at,) in rows]

    def _place(self, jti: str, owner: str) -> tuple[str, ...]:
        return ("host_bearers", self._tenant, hashed(KIND, jti).hex(), owner)

    def _sweep(self, now: float) -> tuple[str, dict[str, Any]]:
        return (
            "DELETE FROM host_bearers WHERE tenant = :tenant AND jti_hash IN (SELECT jti_hash"
            " FROM host_bearers WHERE tenant = :tenant AND expires_at <= :now LIMIT :most)",
            {"tenant": self._tenant, "now": now, "most": SWEEP_MOST},
        )
