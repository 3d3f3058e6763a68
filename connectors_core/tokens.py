"""What a token endpoint granted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

EMPTY: Mapping[str, Any] = MappingProxyType({})


def nothing() -> Mapping[str, Any]:
    """An empty mapping that cannot be written to; the default of mapping fields."""
    return EMPTY


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSet:
    """One grant of a token endpoint, dated. Its repr shows no token.

    ``expires_at`` is in seconds since the epoch, counted from *before* the request left, or None
    where the provider gave no lifetime. ``requested`` are the scopes asked for; ``scopes`` those
    the grant covers; ``scopes_stated`` tells whether the provider said so itself: a response
    without ``scope`` grants what was asked (RFC 6749 §5.1). ``claims`` are those of the verified
    ID token, None where there was none. ``extra`` is what else the response held (``instance_url``,
    ``openid``, …). ``refresh_expires_at`` is the refresh token's own end where the provider names
    one. ``effective`` are the scopes of this access token where they are not those of the grant:
    RFC 6749 §6 lets a refresh ask for fewer.
    """

    access_token: str = field(repr=False)
    token_type: str = "Bearer"
    expires_at: float | None = None
    refresh_token: str | None = field(default=None, repr=False)
    id_token: str | None = field(default=None, repr=False)
    requested: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()
    scopes_stated: bool = False
    claims: Mapping[str, Any] | None = field(default=None, repr=False)
    extra: Mapping[str, Any] = field(default_factory=nothing, repr=False)
    refresh_expires_at: float | None = None
    effective: frozenset[str] | None = None

    @property
    def effective_scopes(self) -> frozenset[str]:
        """The scopes that the access token carries."""
        return self.scopes if self.effective is None else self.effective
