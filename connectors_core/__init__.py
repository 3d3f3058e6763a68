"""Connectors for identity servers: sign-in with other people's OpenID Connect and OAuth 2.0 providers.

Connector types are plugins, discovered through the entry-point group ``connectors_core.types``.
Authors derive from ``connectors_core.oauth2.OAuth2Connector`` or ``connectors_core.oidc.OIDCConnector``.
"""

from .access.token import AccessToken
from .connector import (
    Api,
    Connector,
    ConnectorConfig,
    EndsSession,
    LogoutToken,
    OneTap,
    PromptsOneTap,
    ReceivesLogout,
    Refreshes,
    Relaxation,
    Revokes,
    Runtime,
    VerifiesCredential,
)
from .errors import (
    AuthorizationError,
    CallbackRejected,
    ConfigurationError,
    ConnectorError,
    GrantError,
    Problem,
    ProviderError,
    Step,
    TransportError,
)
from .events import Event
from .hub import ConnectorEntry, Hub, Tenant
from .metadata import ConnectorMetadata, ServerMetadata
from .profile import IdentityKey, Profile
from .registry import Registry
from .tokens import TokenSet
from .transaction import Callback, Purpose, Transaction

__all__ = [
    "AccessToken",
    "Api",
    "AuthorizationError",
    "Callback",
    "CallbackRejected",
    "ConfigurationError",
    "Connector",
    "ConnectorConfig",
    "ConnectorEntry",
    "ConnectorError",
    "ConnectorMetadata",
    "EndsSession",
    "Event",
    "GrantError",
    "Hub",
    "IdentityKey",
    "LogoutToken",
    "OneTap",
    "Problem",
    "Profile",
    "PromptsOneTap",
    "ProviderError",
    "Purpose",
    "ReceivesLogout",
    "Refreshes",
    "Registry",
    "Relaxation",
    "Revokes",
    "Runtime",
    "ServerMetadata",
    "Step",
    "Tenant",
    "TokenSet",
    "Transaction",
    "TransportError",
    "VerifiesCredential",
]
