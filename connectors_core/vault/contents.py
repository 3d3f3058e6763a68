"""What is sealed: a token set and who it is about, as JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ..errors import SealBroken, StorageError
from ..tokens import EMPTY, TokenSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """A token set, and issuer and subject of the identity that it was sealed for."""

    tokens: TokenSet
    issuer: str
    subject: str


def dump(contents: Contents) -> bytes:
    """Write as ASCII JSON. Raises StorageError when ``extra`` or claims hold what is not JSON."""
    tokens = contents.tokens
    members: dict[str, Any] = {
        "iss": contents.issuer,
        "sub": contents.subject,
        "access_token": tokens.access_token,
        "token_type": tokens.token_type,
        "expires_at": tokens.expires_at,
        "refresh_token": tokens.refresh_token,
        "refresh_expires_at": tokens.refresh_expires_at,
        "id_token": tokens.id_token,
        "requested": sorted(tokens.requested),
        "scopes": sorted(tokens.scopes),
        "scopes_stated": tokens.scopes_stated or None,
        "effective": None if tokens.effective is None else sorted(tokens.effective),
        "claims": None if tokens.claims is None else dict(tokens.claims),
        "extra": dict(tokens.extra) or None,
    }
    present = {name: value for name, value in members.items() if value is not None}
    try:
        return json.dumps(present, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError):
        raise StorageError("a token set holds a value that is not JSON") from None


def load(plain: bytes) -> Contents:
    """Read what ``dump`` wrote. Raises SealBroken for anything else."""
    try:
        members = json.loads(plain.decode())
        effective, claims = members.get("effective"), members.get("claims")
        tokens = TokenSet(
            access_token=members["access_token"],
            token_type=members["token_type"],
            expires_at=members.get("expires_at"),
            refresh_token=members.get("refresh_token"),
            refresh_expires_at=members.get("refresh_expires_at"),
            id_token=members.get("id_token"),
            requested=frozenset(members["requested"]),
            scopes=frozenset(members["scopes"]),
            scopes_stated=members.get("scopes_stated", False),
            effective=None if effective is None else frozenset(effective),
            claims=None if claims is None else MappingProxyType(claims),
            extra=MappingProxyType(extra) if (extra := members.get("extra")) else EMPTY,
        )
        return Contents(tokens=tokens, issuer=members["iss"], subject=members["sub"])
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise SealBroken("what was sealed is not a token set") from None
