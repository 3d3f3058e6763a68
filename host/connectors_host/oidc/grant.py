"""What applications were granted, and by which values they come to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from ..sessions import Session

OFFLINE = "offline_access"
"""The scope of grants that outlive the session. OpenID Connect Core §11."""


class Refresh(StrEnum):
    """What a refresh token is: the latest, the one before it for ``grants.GRACE``, or one long spent."""

    CURRENT = "current"
    REPEATED = "repeated"
    SPENT = "spent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a person's sign-in gave an application. Times in seconds since the epoch."""

    id: str = field(repr=False)
    client_id: str
    owner: str
    connector: str
    scope: tuple[str, ...]
    sid: str = field(repr=False)
    auth_time: float
    created_at: float
    expires_at: float

    @property
    def offline(self) -> bool:
        """Whether it outlives the session. OpenID Connect Core §11."""
        return OFFLINE in self.scope

    def session(self) -> Session:
        """What stands for the person where no browser's session does; no cookie opens it."""
        return Session(
            id=f"grant {self.id}",
            owner=self.owner,
            connector=self.connector,
            authenticated_at=self.auth_time,
            created_at=self.created_at,
            last_seen_at=self.created_at,
            expires_at=self.expires_at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """An authorization code that was found, and what its redemption is held against.

    One that was used has no ``session_id``.
    """

    grant: Grant
    code: str = field(repr=False)
    redirect_uri: str
    code_challenge: str = field(repr=False)
    nonce: str | None = field(repr=False)
    session_id: str = field(repr=False)
