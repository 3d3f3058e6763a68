"""What applications were granted: one row from the authorization code to the last refresh token.

A code and a refresh token are ``{grant}.{secret}``. Whoever names a grant has held one of its values, so a
secret that is no longer good tells of a second holder without a list of all that ever were.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from connectors_core.stores import Database, Row

from ..sealing import hashed, new_value, seal, unseal
from ..sessions import Session
from .grant import Code, Grant, Refresh

CODE_LIFETIME = 60.0
"""Seconds between the redirect and the token request. RFC 6749 §4.1.2 allows ten minutes."""
REFRESH_LIFETIME = 14 * 86400.0
"""Seconds that a refresh token waits for its use."""
GRANT_LIFETIME = 90 * 86400.0
"""Seconds after the sign-in at which refreshing ends, and the person is asked again."""
GRACE = 30.0
"""Seconds in which a spent refresh token brings the same successor again: for an answer that was lost,
or two processes of one application that refresh at once."""
SWEEP_MOST = 100
CODE, REFRESH = "code", "refresh token"


COLUMNS = "client_id, owner, connector, scope, sid, auth_time, created_at, expires_at"


class Grants:
    """The table ``host_grants`` of one tenant: codes and refresh tokens are hashed, data is sealed."""

    def __init__(self, database: Database, *, clock: Callable[[], float], tenant: str = "default") -> None:
        self._database = database
        self._clock = clock
        self._tenant = tenant

    async def put(
        self,
        session: Session,
        *,
        client_id: str,
        scope: tuple[str, ...],
        redirect_uri: str,
        code_challenge: str,
        nonce: str | None,
    ) -> str:
        """Begin a grant of ``session``; return its code."""
        now = self._clock()
        grant = Grant(
            id=new_value()[:22],
            client_id=client_id,
            owner=session.owner,
            connector=session.connector,
            scope=scope,
            sid=session.handle,
            auth_time=session.authenticated_at,
            created_at=now,
            expires_at=now + CODE_LIFETIME,
        )
        code = _value(grant.id)
        content = {
            "redirect_uri": redirect_uri,
            "code_challenge": code_challenge,
            "nonce": nonce,
            "session": session.id,
        }
        row = {
            **self._key(grant.id),
            "client_id": client_id,
            "owner": grant.owner,
            "connector": grant.connector,
            "scope": " ".join(scope),
            "sid": grant.sid,
            "auth_time": grant.auth_time,
            "now": now,
            "expires_at": grant.expires_at,
            "code_hash": hashed(CODE, code),
            "code_sealed": seal(CODE, content, under=code, bound=self._place(grant)),
        }
        insert = (
            "INSERT INTO host_grants (tenant, id_hash, client_id, owner, connector, scope, sid, auth_time,"
            " created_at, expires_at, code_hash, code_sealed) VALUES (:tenant, :id_hash, :client_id, :owner,"
            " :connector, :scope, :sid, :auth_time, :now, :expires_at, :code_hash, :code_sealed)"
        )
        await self._database.run([self._sweep(now), (insert, row)])
        return code

    async def find(self, grant_id: str) -> Grant | None:
        """The living grant of that id."""
        found = await self._row(grant_id, "1")
        return found[0] if found else None

    async def with_code(self, code: str) -> Code | None:
        """What ``code`` was given for, also where it was used before; None where it is unknown or late."""
        found = await self._row(_grant_of(code), "code_hash, code_sealed")
        if found is None:
            return None
        grant, (code_hash, sealed) = found
        if not hmac.compare_digest(bytes(code_hash), hashed(CODE, code)):
            return None
        content = unseal(CODE, sealed, under=code, bound=self._place(grant))
        if content is None:
            return None
        return Code(
            grant=grant,
            code=code,
            redirect_uri=content["redirect_uri"],
            code_challenge=content["code_challenge"],
            nonce=content.get("nonce"),
            session_id=content.get("session", ""),
        )

    async def redeem(self, code: Code, *, lifetime: float) -> tuple[Grant, str | None] | None:
        """Use ``code``: the grant, and a refresh token if it is offline. None where it was used before.

        One that is not offline lives on for ``lifetime``, as long as its access token. A used code, which
        browsers and logs keep, opens neither session nor nonce any more.
        """
        grant, now = code.grant, self._clock()
        refresh_token = _value(grant.id) if grant.offline else None
        expires_at = self._until(grant, now) if grant.offline else now + lifetime
        used = {"redirect_uri": code.redirect_uri, "code_challenge": code.code_challenge}
        done = await self._database.fetch(
            "UPDATE host_grants SET code_used_at = :now, code_sealed = :code_sealed,"
            " refresh_hash = :refresh_hash, expires_at = :expires_at"
            " WHERE tenant = :tenant AND id_hash = :id_hash AND code_used_at IS NULL RETURNING 1",
            {
                **self._key(grant.id),
                "now": now,
                "code_sealed": seal(CODE, used, under=code.code, bound=self._place(grant)),
                "refresh_hash": hashed(REFRESH, refresh_token) if refresh_token else None,
                "expires_at": expires_at,
            },
        )
        return (replace(grant, expires_at=expires_at), refresh_token) if done else None

    async def with_refresh_token(self, token: str) -> tuple[Grant, Refresh] | None:
        """The grant that ``token`` belongs to, and what it is there; None where there is no such grant."""
        found = await self._row(_grant_of(token), "refresh_hash, spent_hash, refreshed_at")
        if found is None or found[1][0] is None:
            return None
        grant, (current, spent, refreshed_at) = found
        presented = hashed(REFRESH, token)
        if hmac.compare_digest(bytes(current), presented):
            return grant, Refresh.CURRENT
        in_time = refreshed_at is not None and self._clock() - refreshed_at <= GRACE
        if in_time and hmac.compare_digest(bytes(spent), presented):
            return grant, Refresh.REPEATED
        return grant, Refresh.SPENT

    async def rotate(self, grant: Grant, token: str) -> str | None:
        """The successor of ``token``, the same for all who bring it within ``GRACE``; None where it is spent.

        It is kept sealed under ``token``, so that nothing in the database opens it.
        """
        now, successor = self._clock(), _value(grant.id)
        await self._database.run(
            [
                (
                    "UPDATE host_grants SET refresh_hash = :next_hash, spent_hash = :hash,"
                    " refreshed_at = :now, next_sealed = :sealed, expires_at = :expires_at"
                    " WHERE tenant = :tenant AND id_hash = :id_hash AND refresh_hash = :hash",
                    {
                        **self._key(grant.id),
                        "hash": hashed(REFRESH, token),
                        "next_hash": hashed(REFRESH, successor),
                        "sealed": seal(REFRESH, {"next": successor}, under=token, bound=self._place(grant)),
                        "now": now,
                        "expires_at": self._until(grant, now),
                    },
                )
            ]
        )
        found = await self._row(grant.id, "spent_hash, next_sealed, refreshed_at")
        if found is None:
            return None
        spent, sealed, refreshed_at = found[1]
        if bytes(spent) != hashed(REFRESH, token) or now - refreshed_at > GRACE:
            return None
        opened = unseal(REFRESH, sealed, under=token, bound=self._place(grant))
        return str(opened["next"]) if opened else None

    async def end(self, grant_id: str) -> bool:
        """Take everything back that came of the grant; tell whether it was there."""
        ended = await self._database.fetch(
            "DELETE FROM host_grants WHERE tenant = :tenant AND id_hash = :id_hash RETURNING 1",
            self._key(grant_id),
        )
        return bool(ended)

    async def end_all(self, owner: str, *, client_id: str) -> None:
        """Take back all that ``owner`` gave an application."""
        statement = (
            "DELETE FROM host_grants WHERE tenant = :tenant AND owner = :owner AND client_id = :client_id"
        )
        await self._database.run(
            [(statement, {"tenant": self._tenant, "owner": owner, "client_id": client_id})]
        )

    async def of_owner(self, owner: str) -> list[Mapping[str, Any]]:
        """The living grants of a person, without what opens them, oldest first."""
        names = ("client_id", "connector", "scope", "auth_time", "created_at", "expires_at")
        rows = await self._database.fetch(
            f"SELECT {', '.join(names)} FROM host_grants"  # noqa: S608
            " WHERE tenant = :tenant AND owner = :owner AND expires_at > :now AND code_used_at IS NOT NULL"
            " ORDER BY created_at, id_hash",
            {"tenant": self._tenant, "owner": owner, "now": self._clock()},
        )
        return [dict(zip(names, row, strict=True)) for row in rows]

    async def _row(self, grant_id: str, columns: str) -> tuple[Grant, Row] | None:
        rows = await self._database.fetch(
            f"SELECT {COLUMNS}, {columns} FROM host_grants"  # noqa: S608
            " WHERE tenant = :tenant AND id_hash = :id_hash AND expires_at > :now",
            {**self._key(grant_id), "now": self._clock()},
        )
        if not rows:
            return None
        client_id, owner, connector, scope, sid, auth_time, created_at, expires_at, *rest = rows[0]
        grant = Grant(
            id=grant_id,
            client_id=client_id,
            owner=owner,
            connector=connector,
            scope=tuple(scope.split()),
            sid=sid,
            auth_time=auth_time,
            created_at=created_at,
            expires_at=expires_at,
        )
        return grant, tuple(rest)

    def _until(self, grant: Grant, now: float) -> float:
        return min(now + REFRESH_LIFETIME, grant.created_at + GRANT_LIFETIME)

    def _key(self, grant_id: str) -> dict[str, Any]:
        return {"tenant": self._tenant, "id_hash": hashed("grant", grant_id)}

    def _place(self, grant: Grant) -> tuple[str, ...]:
        return ("host_grants", self._tenant, hashed("grant", grant.id).hex(), grant.client_id, grant.owner)

    def _sweep(self, now: float) -> tuple[str, dict[str, Any]]:
        return (
            "DELETE FROM host_grants WHERE tenant = :tenant AND id_hash IN (SELECT id_hash"
            " FROM host_grants WHERE tenant = :tenant AND expires_at <= :now LIMIT :most)",
            {"tenant": self._tenant, "now": now, "most": SWEEP_MOST},
        )


def _value(grant_id: str) -> str:
    return f"{grant_id}.{new_value()}"


def _grant_of(value: str) -> str:
    return value.partition(".")[0]
