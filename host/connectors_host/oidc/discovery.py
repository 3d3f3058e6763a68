"""What the provider says about itself. OpenID Connect Discovery §3, RFC 8414, RFC 7517."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..host import Host
from ..signing_key import ALGORITHM
from . import scopes
from .answers import issuer_of
from .clients import SECRET_METHODS

PROMPTS = ("none", "login", "consent", "select_account", "create")


async def metadata(request: Request) -> Response:
    """``GET /oidc/.well-known/openid-configuration``."""
    return JSONResponse(described(issuer_of(Host.of(request))))


def described(issuer: str) -> dict[str, Any]:
    """The provider's metadata."""
    methods = [*SECRET_METHODS, "none"]
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/auth",
        "token_endpoint": f"{issuer}/token",
        "userinfo_endpoint": f"{issuer}/me",
        "jwks_uri": f"{issuer}/jwks",
        "end_session_endpoint": f"{issuer}/session/end",
        "revocation_endpoint": f"{issuer}/token/revocation",
        "scopes_supported": [*scopes.SUPPORTED],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
        "token_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_methods_supported": methods,
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": [*PROMPTS],
        "claims_supported": [
            *("sub", "name", "picture", *scopes.EMAIL, *scopes.PHONE, "identities"),
            *("iss", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "sid"),
        ],
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "authorization_response_iss_parameter_supported": True,
    }


async def jwks(request: Request) -> Response:
    """``GET /oidc/jwks``: the public halves of the key that signs, of the next, and of the last."""
    keys = await Host.of(request).signing_keys.published()
    return JSONResponse({"keys": [key.published() for key in keys]})
