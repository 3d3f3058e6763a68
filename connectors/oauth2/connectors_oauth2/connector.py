"""The generic OAuth 2.0 connector: the engine, told by a configuration what to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from connectors_core.metadata import ConnectorMetadata, ServerMetadata
from connectors_core.oauth2 import OAuth2Connector, ProfileMap

from .config import OAuth2ProviderConfig


class OAuth2(OAuth2Connector):
    """Any OAuth 2.0 server that tells who a token belongs to."""

    id = "oauth2"
    metadata = ConnectorMetadata(
        name={"en": "OAuth 2.0", "ja": "OAuth 2.0"},
        description={
            "en": "Any server that speaks OAuth 2.0.",
            "ja": "OAuth 2.0 に対応した任意のサーバー。",
        },
        logo="logo.svg",
        logo_dark="logo-dark.svg",
        readme="README.md",
    )
    Config = OAuth2ProviderConfig
    config: OAuth2ProviderConfig

    def configured(self) -> Mapping[str, Any]:
        config, typed_in = self.config, self._typed_in()
        complete = {"authorization_endpoint", "token_endpoint", "userinfo_endpoint"} <= typed_in.keys()
        return {
            "issuer": config.issuer,
            "server": ServerMetadata(issuer=config.issuer, **typed_in) if complete else None,
            **{name: getattr(config, name) for name in _SAME_NAME},
            "signing_key": config.signing_key(),
            "token_request_encoding": config.token_endpoint_request_type,
            "token_response_encoding": _ENCODINGS[config.token_endpoint_response_type],
            "authorization_parameters": config.custom_config,
            "token_parameters": config.custom_config,
            "refresh_parameters": config.custom_config,
            "userinfo_headers": config.user_info_headers,
            "profile_map": ProfileMap(
                **config.profile_map.model_dump(),
                string_booleans=config.accept_string_typed_booleans,
                trust_email_because="trustUnverifiedEmail" if config.trust_unverified_email else "",
            ),
        }

    async def server_metadata(self) -> ServerMetadata:
        """What the issuer publishes, and over it what is typed in."""
        return replace(await super().server_metadata(), **self._typed_in())

    def _typed_in(self) -> dict[str, Any]:
        config = self.config
        endpoints = {
            "authorization_endpoint": config.authorization_endpoint,
            "token_endpoint": config.token_endpoint,
            "userinfo_endpoint": config.user_info_endpoint,
            "revocation_endpoint": config.revocation_endpoint,
        }
        return {name: url for name, url in endpoints.items() if url is not None}


_SAME_NAME = (
    *("scope_separator", "granted_scope_separator", "pkce_off_because", "token_endpoint_auth_method"),
    *("encode_basic_credentials", "client_secret_jwt_signing_algorithm", "client_assertion_audience"),
    *(
        "token_response_member",
        "bearer_aliases",
        "invalid_grant_aliases",
        "access_denied_aliases",
        "rotation",
        "revocation",
    ),
)
_ENCODINGS = {"query-string": "form", "json": "json", None: None}
