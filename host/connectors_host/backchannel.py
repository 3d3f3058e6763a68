"""Sessions that end because a provider says so. OpenID Connect Back-Channel Logout 1.0 §2.7."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from connectors_core.connector import LogoutToken
from connectors_core.stores import Database

from .sealing import hashed, new_value
from .sessions import upstream_hash

SWEEP_MOST = 100
"""Used tokens that nothing needs to remember any more, which one use removes at most."""


class ProviderLogouts:
    """The table ``host_logout_tokens`` of one tenant, and the sessions that such tokens end."""

    def __init__(self, database: Database, *, clock: Callable[[], float], tenant: str = "default") -> None:
        self._database = database
        self._clock = clock
        self._tenant = tenant

    async def end(self, connector: str, token: LogoutToken) -> list[str] | None:
        """End what ``token`` names of the sessions that ``connector`` began; return whose they were.

        None where the token was used before. It is used up and the sessions end in one step. ``sid`` with
        ``sub`` also ends sessions of that person of which the provider never named a ``sid``.
        """
        mine = new_value()
        used = {"tenant": self._tenant, "jti": hashed("logout token", f"{connector}\0{token.jti}")}
        named: dict[str, Any] = {
            "sub": upstream_hash(connector, token.issuer, "sub", token.subject),
            "sid": upstream_hash(connector, token.issuer, "sid", token.sid),
        }
        conditions = {
            (True, False): "upstream_sub = :sub",
            (False, True): "upstream_sid = :sid",
            (True, True): "upstream_sub = :sub AND (upstream_sid = :sid OR upstream_sid IS NULL)",
        }
        condition = conditions[token.subject is not None, token.sid is not None]
        parameters = {**used, "mine": mine, "connector": connector}
        _, _, taken, ended = await self._database.run(
            [
                (
                    "DELETE FROM host_logout_tokens WHERE tenant = :tenant AND jti_hash IN"
                    " (SELECT jti_hash FROM host_logout_tokens"
                    " WHERE tenant = :tenant AND expires_at <= :now LIMIT :most)",
                    {"tenant": self._tenant, "now": self._clock(), "most": SWEEP_MOST},
                ),
                (
                    "INSERT INTO host_logout_tokens (tenant, jti_hash, taken_by, expires_at)"
                    " VALUES (:tenant, :jti, :mine, :expires_at) ON CONFLICT (tenant, jti_hash) DO NOTHING",
                    {**used, "mine": mine, "expires_at": token.expires_at},
                ),
                (
                    "SELECT taken_by FROM host_logout_tokens WHERE tenant = :tenant AND jti_hash = :jti",
                    used,
                ),
                (
                    f"DELETE FROM host_sessions WHERE tenant = :tenant AND connector = :connector"  # noqa: S608
                    f" AND {condition} AND EXISTS (SELECT 1 FROM host_logout_tokens"
                    " WHERE tenant = :tenant AND jti_hash = :jti AND taken_by = :mine) RETURNING owner",
                    parameters | {word: value for word, value in named.items() if value is not None},
                ),
            ]
        )
        return [owner for (owner,) in ended] if taken[0][0] == mine else None
