"""OAuth 2.0 as a client: pure protocol functions, and the connector composed of them."""

from .api import BearerApi
from .authorization import (
    AUTHORIZATION_RESERVED,
    REFRESH_RESERVED,
    TOKEN_RESERVED,
    append_query,
    build_authorization_uri,
    check_extra_parameters,
)
from .client_auth import ClientAuthentication, SigningKey, choose_auth_method, read_signing_key, sign_jwt
from .connector import OAuth2Config, OAuth2Connector, RevocationField, RotationField
from .json_body import read_json
from .pkce import s256_code_challenge
from .profile_map import ProfileMap
from .revocation import build_revocation_request, read_revocation_response
from .token_endpoint import (
    build_code_request,
    build_refresh_request,
    read_token_response,
    request_secrets,
)

__all__ = [
    "AUTHORIZATION_RESERVED",
    "REFRESH_RESERVED",
    "TOKEN_RESERVED",
    "BearerApi",
    "ClientAuthentication",
    "OAuth2Config",
    "OAuth2Connector",
    "ProfileMap",
    "RevocationField",
    "RotationField",
    "SigningKey",
    "append_query",
    "build_authorization_uri",
    "build_code_request",
    "build_refresh_request",
    "build_revocation_request",
    "check_extra_parameters",
    "choose_auth_method",
    "read_json",
    "read_revocation_response",
    "read_signing_key",
    "read_token_response",
    "request_secrets",
    "s256_code_challenge",
    "sign_jwt",
]
