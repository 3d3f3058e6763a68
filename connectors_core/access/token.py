"""What a caller gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..tokens import nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """A live access token. Its repr shows no token.

    ``scopes`` are those it carries; ``scopes_stated`` tells whether the provider said so itself.
    ``expires_at`` is in seconds since the epoch, None where the provider gives no lifetime.
    ``extra`` is what else the provider said with it (``instance_url``, ``realmId``, …).
    ``generation`` grows with every set that is stored for the identity.
    """

    access_token: str = field(repr=False)
    token_type: str
    scopes: frozenset[str]
    scopes_stated: bool
    expires_at: float | None
    identity: str
    connector: str
    target: str
    generation: int
    extra: Mapping[str, Any] = field(default_factory=nothing, repr=False)
