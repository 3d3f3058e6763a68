"""What the provider knows: clients, people, and what was granted to whom."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .keys import SigningKey

ANY_METHOD = "any"


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A registered client. ``method`` is the one client authentication it may use, or ``any``.

    ``key`` is the client's own for ``private_key_jwt``; only its public half is looked at.
    ``assertion_audience`` is what an assertion's ``aud`` must be, as the only value: ``issuer`` or
    ``token_endpoint``. ``accepts`` judges secrets that the client makes itself, instead of ``secret``.
    """

    client_id: str = "client-1"
    secret: str = field(default="fake-client-secret-of-more-than-32-bytes", repr=False)
    redirect_uris: tuple[str, ...] = ("https://host.test/callback",)
    post_logout_redirect_uris: tuple[str, ...] = ("https://host.test/",)
    method: str = ANY_METHOD
    key: SigningKey | None = field(default=None, repr=False)
    assertion_audience: str = "issuer"
    accepts: Callable[[str], bool] | None = field(default=None, repr=False)

    def has_secret(self, given: str) -> bool:
        if self.accepts is not None:
            return self.accepts(given)
        return hmac.compare_digest(given.encode(), self.secret.encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody with an account at the provider; ``claims`` come out as their scopes allow."""

    sub: str = "alice-1"
    claims: Mapping[str, Any] = field(
        default_factory=lambda: {
            "name": "Alice Example",
            "picture": "https://provider.test/alice.png",
            "email": "alice@example.test",
            "email_verified": True,
            "phone_number": "+15550100",
            "phone_number_verified": False,
        }
    )


@dataclass(slots=True, kw_only=True)
class Grant:
    """What one person allowed one client, and every token that came of it.

    ``offline`` grants come with a refresh token; ``parameters`` are those of the authorization request.
    """

    client_id: str
    person: Person
    scopes: tuple[str, ...]
    redirect_uri: str
    nonce: str | None = None
    code_challenge: str | None = None
    max_age: str | None = None
    acr: str | None = None
    auth_time: int = 0
    offline: bool = False
    parameters: Mapping[str, str] = field(default_factory=dict, repr=False)
    revoked: str = ""


@dataclass(slots=True, kw_only=True)
class Code:
    grant: Grant
    expires_at: float
    used: bool = False


@dataclass(slots=True, kw_only=True)
class AccessToken:
    grant: Grant
    scopes: tuple[str, ...]
    expires_at: float


@dataclass(slots=True, kw_only=True)
class RefreshToken:
    grant: Grant
    used_at: float | None = None
    successors: list[RefreshToken] = field(default_factory=list)


class Refused(Exception):
    """The provider says no. ``error`` is the code of RFC 6749 §5.2."""

    def __init__(self, error: str, description: str = "", *, status: int = 400) -> None:
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description
        self.status = status


class Ledger:
    """Codes and tokens by their values. ``issued`` is every secret that ever left, to search for leaks."""

    def __init__(self) -> None:
        self.grants: list[Grant] = []
        self.codes: dict[str, Code] = {}
        self.access_tokens: dict[str, AccessToken] = {}
        self.refresh_tokens: dict[str, RefreshToken] = {}
        self.issued: list[str] = []

    def name(self, kind: str) -> str:
        """A new secret; ``kind`` begins it, so that a leak tells what leaked."""
        value = f"{kind}-{secrets.token_urlsafe(24)}"
        self.issued.append(value)
        return value

    def add_code(self, grant: Grant, *, expires_at: float) -> str:
        self.grants.append(grant)
        value = self.name("code")
        self.codes[value] = Code(grant=grant, expires_at=expires_at)
        return value

    def redeem(self, code: str, *, client_id: str, now: float) -> Grant:
        """Single use; a second use revokes what the first gave. RFC 6749 §4.1.2."""
        entry = self.codes.get(code)
        if entry is None or entry.grant.client_id != client_id:
            raise Refused("invalid_grant", "unknown code")
        if entry.used:
            entry.grant.revoked = "code_reuse"
            raise Refused("invalid_grant", "the code was used before")
        if now >= entry.expires_at:
            raise Refused("invalid_grant", "the code has expired")
        entry.used = True
        return entry.grant

    def add_access_token(self, grant: Grant, scopes: tuple[str, ...], *, expires_at: float) -> str:
        value = self.name("access")
        self.access_tokens[value] = AccessToken(grant=grant, scopes=scopes, expires_at=expires_at)
        return value

    def add_refresh_token(self, grant: Grant, *, after: RefreshToken | None = None) -> str:
        value = self.name("refresh")
        entry = RefreshToken(grant=grant)
        if after is not None:
            after.successors.append(entry)
        self.refresh_tokens[value] = entry
        return value

    def use_refresh_token(self, value: str, *, client_id: str, rotation: str, now: float) -> RefreshToken:
        """The token's entry if the policy lets it through, marked as used. See ``Provider.rotation``."""
        entry = self.refresh_tokens.get(value)
        if entry is None or entry.grant.client_id != client_id or entry.grant.revoked:
            raise Refused("invalid_grant", "unknown or revoked refresh token")
        if entry.used_at is not None:
            policy, _, seconds = rotation.partition(":")
            late = policy == "grace" and now - entry.used_at > float(seconds)
            if policy == "strict" or late:
                entry.grant.revoked = "refresh_token_reuse"
                raise Refused("invalid_grant", "the refresh token was used before")
            if policy == "single":
                raise Refused("invalid_grant", "the refresh token was used before")
            if policy == "overlap" and any(successor.used_at is not None for successor in entry.successors):
                raise Refused("invalid_grant", "a newer refresh token was used")
        else:
            entry.used_at = now
        return entry

    def live_access_token(self, value: str, *, now: float) -> AccessToken:
        """The token's entry. Raises Refused with invalid_token. RFC 6750 §3.1."""
        entry = self.access_tokens.get(value)
        if entry is None or entry.grant.revoked or now >= entry.expires_at:
            raise Refused("invalid_token", status=401)
        return entry

    def grant_of(self, value: str) -> Grant | None:
        """The grant behind a live access or refresh token."""
        entry = self.access_tokens.get(value) or self.refresh_tokens.get(value)
        return entry.grant if entry is not None and not entry.grant.revoked else None

    def grants_like(self, grant: Grant) -> list[Grant]:
        """The other grants of that person to that client that still stand, oldest first."""
        return [
            other
            for other in self.grants
            if other is not grant
            and not other.revoked
            and (other.person.sub, other.client_id) == (grant.person.sub, grant.client_id)
        ]

    def revoke(self, value: str, *, client_id: str) -> None:
        """A refresh token takes its whole grant along; an unknown token is no error. RFC 7009 §2."""
        refresh = self.refresh_tokens.get(value)
        if refresh is not None and refresh.grant.client_id == client_id:
            refresh.grant.revoked = "revocation"
        access = self.access_tokens.get(value)
        if access is not None and access.grant.client_id == client_id:
            del self.access_tokens[value]
