"""Access tokens of applications: JWTs that count as long as their grant does. RFC 9068.

As with those of ``POST /token`` the signature decides nothing alone: each has a ``jti`` of 256 random bits,
of which the database holds the hash.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from joserfc import jwt

from connectors_core.stores import Database

from ..api.bearer import LIFETIME, MAX_LENGTH, TYPE
from ..sealing import hashed, new_value, seal, unseal
from ..signing_key import ALGORITHM
from ..signing_keys import SigningKeys
from .grant import Grant
from .grants import Grants

KIND = "app token"
SWEEP_MOST = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class AppToken:
    """A token that was presented and counts. ``session_id`` is that of the session it depends on, if any."""

    grant: Grant
    scopes: frozenset[str]
    session_id: str | None = field(repr=False)


class AppTokens:
    """The table ``host_app_tokens`` of one tenant. ``issuer`` is the provider, ``audience`` the APIs."""

    def __init__(
        self,
        database: Database,
        *,
        keys: SigningKeys,
        grants: Grants,
        issuer: str,
        audience: str,
        clock: Callable[[], float],
        tenant: str = "default",
    ) -> None:
        self._database = database
        self._keys = keys
        self._grants = grants
        self._issuer = issuer
        self._audience = audience
        self._clock = clock
        self._tenant = tenant

    async def issue(
        self, grant: Grant, scopes: Collection[str], *, session_id: str | None
    ) -> tuple[str, int]:
        """A token for ``scopes`` of ``grant``, and the seconds it lives; it dies with ``session_id``."""
        now, jti, key = self._clock(), new_value(), await self._keys.current()
        expires_at = int(min(now + LIFETIME, grant.expires_at))
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": grant.owner,
            "client_id": grant.client_id,
            "scope": " ".join(scopes),
            "iat": int(now),
            "exp": expires_at,
            "auth_time": int(grant.auth_time),
            "jti": jti,
        }
        content = {"grant": grant.id, "scope": claims["scope"], "session": session_id}
        row = {
            **self._row(jti),
            "sealed": seal(KIND, content, under=jti, bound=self._place(jti)),
            "expires_at": expires_at,
        }
        insert = (
            "INSERT INTO host_app_tokens (tenant, jti_hash, sealed, expires_at)"
            " VALUES (:tenant, :jti_hash, :sealed, :expires_at)"
        )
        await self._database.run([self._sweep(now), (insert, row)])
        token = jwt.encode({"alg": ALGORITHM, "typ": TYPE, "kid": key.kid}, claims, key)
        return token, max(0, expires_at - int(now))

    async def open(self, token: str) -> AppToken | None:
        """What ``token`` stands for; None where it is none of these, expired, or its grant has ended."""
        jti = await self._jti(token)
        if jti is None:
            return None
        rows = await self._database.fetch(
            "SELECT sealed FROM host_app_tokens"
            " WHERE tenant = :tenant AND jti_hash = :jti_hash AND expires_at > :now",
            {**self._row(jti), "now": self._clock()},
        )
        opened = unseal(KIND, rows[0][0], under=jti, bound=self._place(jti)) if rows else None
        grant = await self._grants.find(opened["grant"]) if opened else None
        if opened is None or grant is None:
            return None
        scopes = frozenset(opened["scope"].split())
        return AppToken(grant=grant, scopes=scopes, session_id=opened["session"])

    async def revoke(self, token: str) -> None:
        """Let ``token`` count no more."""
        jti = await self._jti(token)
        if jti is not None:
            statement = "DELETE FROM host_app_tokens WHERE tenant = :tenant AND jti_hash = :jti_hash"
            await self._database.run([(statement, self._row(jti))])

    async def _jti(self, token: str) -> str | None:
        if len(token) > MAX_LENGTH:
            return None
        claims = await self._keys.verified(token, type=TYPE)
        if claims is None or (claims.get("iss"), claims.get("aud")) != (self._issuer, self._audience):
            return None
        jti = claims.get("jti")
        return jti if isinstance(jti, str) else None

    def _row(self, jti: str) -> dict[str, Any]:
        return {"tenant": self._tenant, "jti_hash": hashed(KIND, jti)}

    def _place(self, jti: str) -> tuple[str, ...]:
        return ("host_app_tokens", self._tenant, hashed(KIND, jti).hex())

    def _sweep(self, now: float) -> tuple[str, dict[str, Any]]:
        return (
            "DELETE FROM host_app_tokens WHERE tenant = :tenant AND jti_hash IN (SELECT jti_hash"
            " FROM host_app_tokens WHERE tenant = :tenant AND expires_at <= :now LIMIT :most)",
            {"tenant": self._tenant, "now": now, "most": SWEEP_MOST},
        )
