"""Data about connector types and about authorization servers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .tokens import nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorMetadata:
    """How a connector type presents itself.

    ``name`` and ``description`` map language tags to text; ``en`` is always there. ``logo``,
    ``logo_dark`` and ``readme`` are file names inside the connector's package.
    """

    name: Mapping[str, str]
    description: Mapping[str, str] = field(default_factory=dict)
    logo: str | None = None
    logo_dark: str | None = None
    readme: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerMetadata:
    """What is known of an authorization server, in the words of RFC 8414 §2 and OpenID Connect Discovery §3.

    Typed in by an author or operator, or discovered. ``discovered`` tells which: a server that
    was discovered speaks for its own client authentication methods. ``raw`` is the whole document.
    """

    issuer: str | None = None
    authorization_endpoint: str | None = None
    token_endpoint: str | None = None
    userinfo_endpoint: str | None = None
    jwks_uri: str | None = None
    revocation_endpoint: str | None = None
    end_session_endpoint: str | None = None
    token_endpoint_auth_methods_supported: tuple[str, ...] | None = None
    token_endpoint_auth_signing_alg_values_supported: tuple[str, ...] | None = None
    id_token_signing_alg_values_supported: tuple[str, ...] | None = None
    code_challenge_methods_supported: tuple[str, ...] | None = None
    authorization_response_iss_parameter_supported: bool = False
    discovered: bool = False
    raw: Mapping[str, Any] = field(default_factory=nothing, repr=False)
