"""Connectors for identity servers: sign-in with other people's OpenID Connect and OAuth 2.0 providers.

Connector types are plugins, discovered through the entry-point group ``connectors_core.types``.
Authors derive from ``connectors_core.oauth2.OAuth2Connector`` or ``connectors_core.oidc.OIDCConnector``.

Each name is imported on first use: the plugin of pytest lives in this package, and costs every test run
what importing this package costs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_NAMES = {
    "access.token": "AccessToken",
    "connector": (
        "Api Connector ConnectorConfig EndsSession LogoutToken OneTap PromptsOneTap "
        "ReceivesLogout Refreshes Relaxation Revokes Runtime VerifiesCredential"
    ),
    "errors": (
        "AuthorizationError CallbackRejected ConfigurationError ConnectorError GrantError "
        "Problem ProviderError Step TransportError"
    ),
    "events": "Event",
    "hub": "ConnectorEntry Hub Tenant",
    "metadata": "ConnectorMetadata ServerMetadata",
    "profile": "IdentityKey Profile",
    "registry": "Registry",
    "tokens": "TokenSet",
    "transaction": "Callback Purpose Transaction",
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
