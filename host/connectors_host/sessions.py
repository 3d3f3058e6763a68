"""Who is signed in, in which browser."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors_core.stores import Database

from .sealing import hashed, new_value, seal, unseal

KIND = "session"

TOUCH_EVERY = 60.0
"""Seconds between two writes of a session's last use."""
SWEEP_MOST = 100
"""Expired sessions that one sign-in removes at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One signed-in browser. Times in seconds since the epoch.

    ``connector`` is the one that was used, ``authenticated_at`` when its provider said who sits there:
    before the session began, where the person first had something to decide. ``id_token_hint`` is what
    ending the provider's own session takes; it is kept sealed under the session id.
    """

    id: str = field(repr=False)
    owner: str
    connector: str
    authenticated_at: float
    created_at: float
    last_seen_at: float
    expires_at: float
    id_token_hint: str | None = field(default=None, repr=False)

    @property
    def csrf_token(self) -> str:
        """A value that only a page of this session knows."""
        return _encoded(hmac.digest(self.id.encode(), b"connectors-host csrf", "sha256"))

    @property
    def handle(self) -> str:
        """What the session is called in lists; nobody can sign in by it."""
        return _encoded(_hashed(self.id))

    def owns_csrf_token(self, token: str) -> bool:
        return hmac.compare_digest(self.csrf_token.encode(), token.encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """What an ID token said of the session at the provider; ``sid`` is None where it named none."""

    issuer: str
    subject: str
    sid: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, claims: Mapping[str, Any]) -> Upstream | None:
        """By verified claims; None where they are not those of an ID token."""
        issuer, subject, sid = claims.get("iss"), claims.get("sub"), claims.get("sid")
        if not isinstance(issuer, str) or not isinstance(subject, str):
            return None
        return cls(issuer=issuer, subject=subject, sid=sid if isinstance(sid, str) else None)


def upstream_hash(connector: str, issuer: str, word: str, value: str | None) -> bytes | None:
    """What the table holds of a provider's ``sub`` or ``sid``, to be found by it and by nothing else."""
    return None if value is None else hashed(f"upstream {word}", json.dumps([connector, issuer, value]))


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionInfo:
    """A living session as its owner sees it. ``handle`` names it and opens nothing."""

    handle: str
    connector: str
    authenticated_at: float
    created_at: float
    last_seen_at: float
    expires_at: float


class Sessions:
    """The table ``host_sessions`` of one tenant. ``idle`` and ``absolute`` are lifetimes in seconds.

    The id is known to the browser alone: the table holds its hash, and data sealed under it.
    """

    def __init__(
        self,
        database: Database,
        *,
        idle: float,
        absolute: float,
        clock: Callable[[], float],
        tenant: str = "default",
    ) -> None:
        self.absolute = absolute
        self._idle = idle
        self._database = database
        self._clock = clock
        self._tenant = tenant

    async def start(
        self,
        owner: str,
        *,
        connector: str,
        upstream: Upstream | None = None,
        id_token_hint: str | None = None,
        instead_of: Session | None = None,
        authenticated_at: float | None = None,
    ) -> Session:
        """Begin a session under a new id; ``instead_of`` ends in the same step.

        ``authenticated_at`` is by default now.
        """
        now, session_id = self._clock(), new_value()
        session = Session(
            id=session_id,
            owner=owner,
            connector=connector,
            authenticated_at=now if authenticated_at is None else authenticated_at,
            created_at=now,
            last_seen_at=now,
            expires_at=now + self.absolute,
            id_token_hint=id_token_hint,
        )
        row = {
            "tenant": self._tenant,
            "id_hash": _hashed(session_id),
            "owner": owner,
            "connector": connector,
            "sealed": seal(
                KIND,
                {"id_token": id_token_hint},
                under=session_id,
                bound=self._place(session_id, owner, connector),
            ),
            "authenticated_at": session.authenticated_at,
            "upstream_sub": upstream and upstream_hash(connector, upstream.issuer, "sub", upstream.subject),
            "upstream_sid": upstream and upstream_hash(connector, upstream.issuer, "sid", upstream.sid),
            "now": now,
            "expires_at": session.expires_at,
        }
        insert = (
            "INSERT INTO host_sessions (tenant, id_hash, owner, connector, sealed, authenticated_at,"
            " upstream_sub, upstream_sid, created_at, last_seen_at, expires_at) VALUES (:tenant, :id_hash,"
            " :owner, :connector, :sealed, :authenticated_at, :upstream_sub, :upstream_sid, :now, :now,"
            " :expires_at)"
        )
        ended = [self._removal(instead_of.id)] if instead_of else []
        await self._database.run([*ended, self._sweep(now), (insert, row)])
        return session

    async def find(self, session_id: str) -> Session | None:
        """The living session of that id. Using it keeps it from going idle."""
        now, id_hash = self._clock(), _hashed(session_id)
        rows = await self._database.fetch(
            "SELECT owner, connector, sealed, authenticated_at, created_at, last_seen_at, expires_at"
            " FROM host_sessions WHERE tenant = :tenant AND id_hash = :id_hash"
            " AND expires_at > :now AND last_seen_at > :idle_since",
            {"tenant": self._tenant, "id_hash": id_hash, "now": now, "idle_since": now - self._idle},
        )
        if not rows:
            return None
        owner, connector, sealed, authenticated_at, created_at, last_seen_at, expires_at = rows[0]
        opened = unseal(KIND, sealed, under=session_id, bound=self._place(session_id, owner, connector))
        if opened is None:
            return None
        if now - last_seen_at >= min(TOUCH_EVERY, self._idle / 2):
            await self._database.run(
                [
                    (
                        "UPDATE host_sessions SET last_seen_at = :now"
                        " WHERE tenant = :tenant AND id_hash = :id_hash AND last_seen_at < :now",
                        {"tenant": self._tenant, "id_hash": id_hash, "now": now},
                    )
                ]
            )
        return Session(
            id=session_id,
            owner=owner,
            connector=connector,
            authenticated_at=authenticated_at,
            created_at=created_at,
            last_seen_at=now,
            expires_at=expires_at,
            id_token_hint=opened.get("id_token"),
        )

    async def end(self, session_id: str) -> None:
        await self._database.run([self._removal(session_id)])

    async def of_owner(self, owner: str) -> list[SessionInfo]:
        """The living sessions of a person, the latest used first."""
        now = self._clock()
        rows = await self._database.fetch(
            "SELECT id_hash, connector, authenticated_at, created_at, last_seen_at, expires_at"
            " FROM host_sessions WHERE tenant = :tenant AND owner = :owner"
            " AND expires_at > :now AND last_seen_at > :idle_since"
            " ORDER BY last_seen_at DESC, id_hash",
            {"tenant": self._tenant, "owner": owner, "now": now, "idle_since": now - self._idle},
        )
        return [
            SessionInfo(
                handle=_encoded(bytes(id_hash)),
                connector=connector,
                authenticated_at=authenticated_at,
                created_at=created_at,
                last_seen_at=last_seen_at,
                expires_at=expires_at,
            )
            for id_hash, connector, authenticated_at, created_at, last_seen_at, expires_at in rows
        ]

    async def end_one(self, owner: str, handle: str) -> bool:
        """End the session of that handle if it is ``owner``'s; tell whether it was there."""
        try:
            id_hash = base64.urlsafe_b64decode(handle + "=" * (-len(handle) % 4))
        except ValueError:
            return False
        ended = await self._database.fetch(
            "DELETE FROM host_sessions WHERE tenant = :tenant AND owner = :owner AND id_hash = :id_hash"
            " RETURNING 1",
            {"tenant": self._tenant, "owner": owner, "id_hash": id_hash},
        )
        return bool(ended)

    async def end_all(self, owner: str, *, connector: str | None = None, but: Session | None = None) -> None:
        """Sign ``owner`` out everywhere, or where ``connector`` was used, ``but`` excepted.

        What applications were granted by such a sign-in ends too, also where its session has ended before.
        """
        whose = {"tenant": self._tenant, "owner": owner, "connector": connector or ""}
        of_those = (
            "tenant = :tenant AND owner = :owner"
            " AND (CAST(:connector AS TEXT) = '' OR connector = :connector)"
        )
        await self._database.run(
            [
                (
                    f"DELETE FROM host_sessions WHERE {of_those} AND id_hash <> :but",  # noqa: S608
                    whose | {"but": _hashed(but.id) if but else b""},
                ),
                (
                    f"DELETE FROM host_grants WHERE {of_those} AND sid <> :but",  # noqa: S608
                    whose | {"but": but.handle if but else ""},
                ),
            ]
        )

    def _place(self, session_id: str, owner: str, connector: str) -> tuple[str, ...]:
        return ("host_sessions", self._tenant, _hashed(session_id).hex(), owner, connector)

    def _removal(self, session_id: str) -> tuple[str, dict[str, Any]]:
        return (
            "DELETE FROM host_sessions WHERE tenant = :tenant AND id_hash = :id_hash",
            {"tenant": self._tenant, "id_hash": _hashed(session_id)},
        )

    def _sweep(self, now: float) -> tuple[str, dict[str, Any]]:
        return (
            "DELETE FROM host_sessions WHERE tenant = :tenant AND id_hash IN"
            " (SELECT id_hash FROM host_sessions"
            " WHERE tenant = :tenant AND (expires_at <= :now OR last_seen_at <= :idle_since) LIMIT :most)",
            {"tenant": self._tenant, "now": now, "idle_since": now - self._idle, "most": SWEEP_MOST},
        )


def _hashed(session_id: str) -> bytes:
    return hashed(KIND, session_id)


def _encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
