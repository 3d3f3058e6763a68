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
            "scope_separator": config.scope_separator,
            "token_endpoint_auth_method": config.token_endpoint_auth_method,
            "encode_basic_credentials": config.encode_basic_credentials,
            "client_secret_jwt_signing_algorithm": config.client_secret_jwt_signing_algorithm,
            "signing_key": config.signing_key(),
            "client_assertion_audience": config.client_assertion_audience,
            "pkce_off_because": config.pkce_off_because,
            "token_response_encoding": _ENCODINGS[config.token_endpoint_response_type],
            "authorization_parameters": config.custom_config,
            "token_parameters": config.custom_config,
            "refresh_parameters": config.custom_config,
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


_ENCODINGS = {"query-string": "form", "json": "json", None: None}
