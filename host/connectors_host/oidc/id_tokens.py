"""ID tokens: who signed in, for the application that asked. OpenID Connect Core §2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from authlib.oidc.core.util import create_half_hash  # type: ignore[import-untyped]
from joserfc import jwt
from joserfc.jwk import RSAKey

from ..signing_key import ALGORITHM, LIFETIME
from ..signing_keys import SigningKeys
from .grant import Grant

TYPE = "JWT"
MAX_LENGTH = 16 * 1024
"""Characters of the longest hint that is looked at."""


def signed(
    grant: Grant,
    claims: Mapping[str, Any],
    *,
    key: RSAKey,
    issuer: str,
    now: float,
    access_token: str,
    nonce: str | None = None,
) -> str:
    """The ID token of ``grant`` with further ``claims``. ``nonce`` comes with the code's alone (§12.2)."""
    content: dict[str, Any] = {
        **claims,
        "iss": issuer,
        "sub": grant.owner,
        "aud": grant.client_id,
        "iat": int(now),
        "exp": int(now) + LIFETIME,
        "auth_time": int(grant.auth_time),
        "sid": grant.sid,
        "at_hash": create_half_hash(access_token, ALGORITHM).decode(),
    }
    if nonce is not None:
        content["nonce"] = nonce
    return jwt.encode({"alg": ALGORITHM, "typ": TYPE, "kid": key.kid}, content, key)


async def hinted(token: str, *, keys: SigningKeys, issuer: str) -> dict[str, Any] | None:
    """The claims of an ``id_token_hint`` of ours, expired or not; None where it is none.

    OpenID Connect RP-Initiated Logout §2: one that has expired is as good.
    """
    claims = await keys.verified(token, type=TYPE) if len(token) <= MAX_LENGTH else None
    return claims if claims is not None and claims.get("iss") == issuer else None
