"""What the provider says of itself and of people: metadata, keys, ID tokens."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any

from .grants import Grant
from .keys import b64, compact, digest, sign
from .token import released

if TYPE_CHECKING:
    from .provider import Provider


def metadata(provider: Provider) -> dict[str, Any]:
    """The discovery document. OpenID Connect Discovery §3, RFC 8414 §2."""
    document: dict[str, Any] = {
        "issuer": provider.issuer,
        "authorization_endpoint": provider.url("authorize"),
        "token_endpoint": provider.url("token"),
        "revocation_endpoint": provider.url("revoke"),
        "scopes_supported": list(provider.scopes_supported),
        "response_types_supported": ["code"],
        "response_modes_supported": list(provider.response_modes),
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_methods_supported": list(provider.auth_methods),
    }
    if any(method.endswith("_jwt") for method in provider.auth_methods):
        signing = ["HS256", "HS384", "HS512", "RS256", "PS256", "ES256", "EdDSA"]
        document["token_endpoint_auth_signing_alg_values_supported"] = signing
    if provider.pkce != "refused":
        document["code_challenge_methods_supported"] = ["S256"]
    if provider.callback_iss == "announced":
        document["authorization_response_iss_parameter_supported"] = True
    if provider.openid:
        document |= {
            "jwks_uri": provider.url("jwks"),
            "userinfo_endpoint": provider.url("userinfo"),
            "end_session_endpoint": provider.url("end_session"),
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [provider.algorithm],
        }
    edited: dict[str, Any] = provider.edited("metadata", document)
    return edited


def key_set(provider: Provider) -> Any:
    """The published keys. RFC 7517 §5."""
    keys = [*(key.jwk() for key in provider.keys), *provider.extra_keys]
    return provider.edited("jwks", {"keys": keys})


def id_token(provider: Provider, grant: Grant, *, access_token: str | None, stage: str) -> str:
    """The ID token of a grant, through the deviations in force. OpenID Connect Core §2."""
    now = int(provider.clock())
    claims: dict[str, Any] = {
        "iss": provider.issuer,
        "sub": grant.person.sub,
        "aud": grant.client_id,
        "exp": now + provider.id_token_lifetime,
        "iat": now,
        "auth_time": grant.auth_time,
    }
    if grant.nonce is not None and stage == "claims":
        claims["nonce"] = grant.nonce
    if provider.sid:
        claims["sid"] = provider.sid
    if grant.acr is not None:
        claims["acr"] = grant.acr
    if access_token is not None:
        hashed = digest(provider.algorithm, access_token.encode())
        claims["at_hash"] = b64(hashed[: len(hashed) // 2])
    if provider.claims_in_id_token:
        claims |= released(provider, grant, grant.scopes)
    secret = provider.clients[grant.client_id].secret
    token = signed(provider, provider.edited(stage, claims), secret=secret)
    edited: str = provider.edited("id_token", token)
    provider.ledger.issued.append(str(edited))
    return edited


def logout_token(provider: Provider, *, client_id: str, sub: str | None, sid: str | None) -> str:
    """Word that somebody is signed out. OpenID Connect Back-Channel Logout 1.0 §2.4."""
    now = int(provider.clock())
    claims: dict[str, Any] = {
        "iss": provider.issuer,
        "sub": sub,
        "aud": client_id,
        "iat": now,
        "exp": now + 120,
        "jti": secrets.token_urlsafe(16),
        "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
        "sid": sid,
    }
    claims = {name: value for name, value in claims.items() if value is not None}
    secret = provider.clients[client_id].secret
    said = provider.edited("logout_claims", claims)
    token = signed(provider, said, secret=secret, typ="logout+jwt", stage="logout_header")
    edited: str = provider.edited("logout_token", token)
    provider.ledger.issued.append(edited)
    return edited


def signed(provider: Provider, claims: Any, *, secret: str, typ: str = "JWT", stage: str = "header") -> str:
    """``claims`` as a JWS of the current key; of ``secret`` with an algorithm of the HS family."""
    algorithm = provider.algorithm
    header: dict[str, Any] = {"alg": algorithm, "typ": typ}
    if provider.keys and provider.kid_in_header:
        header["kid"] = provider.keys[0].kid
    key = secret.encode() if algorithm.startswith("HS") else provider.keys[0].private
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    return compact(provider.edited(stage, header), payload, lambda data: sign(algorithm, key, data))
