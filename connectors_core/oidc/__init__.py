"""OpenID Connect as a client: discovery, keys, ID tokens, userinfo, and the connector composed of them."""

from .algorithms import ASYMMETRIC, SYMMETRIC
from .backchannel import verify_logout_token
from .connector import RESERVED_PARAMETERS, STANDARD_CLAIMS, OIDCConfig, OIDCConnector
from .discovery import DiscoveryCache, fetch_metadata, read_metadata
from .id_token import IdTokenPolicy, NoncePolicy, verify_id_token
from .jwks import JwksCache, KeySet, read_key_set
from .logout import build_end_session_uri
from .userinfo import ClaimsSource, merge_claims, read_userinfo

__all__ = [
    "ASYMMETRIC",
    "RESERVED_PARAMETERS",
    "STANDARD_CLAIMS",
    "SYMMETRIC",
    "ClaimsSource",
    "DiscoveryCache",
    "IdTokenPolicy",
    "JwksCache",
    "KeySet",
    "NoncePolicy",
    "OIDCConfig",
    "OIDCConnector",
    "build_end_session_uri",
    "fetch_metadata",
    "merge_claims",
    "read_key_set",
    "read_metadata",
    "read_userinfo",
    "verify_id_token",
    "verify_logout_token",
]
