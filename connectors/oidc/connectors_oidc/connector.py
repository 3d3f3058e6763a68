"""The generic OpenID Connect connector: the engine, told by a configuration what to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from connectors_core.metadata import ConnectorMetadata, ServerMetadata
from connectors_core.oauth2 import ProfileMap, SigningKey, read_signing_key
from connectors_core.oidc import STANDARD_CLAIMS, OIDCConnector

from .config import OIDCProviderConfig


class OIDC(OIDCConnector):
    """Any OpenID provider, by its issuer or by typed-in endpoints."""

    id = "oidc"
    metadata = ConnectorMetadata(
        name={"en": "OpenID Connect", "ja": "OpenID Connect"},
        description={
            "en": "Any provider that speaks OpenID Connect.",
            "ja": "OpenID Connect に対応した任意のプロバイダー。",
        },
        logo="logo.svg",
        logo_dark="logo-dark.svg",
        readme="README.md",
    )
    Config = OIDCProviderConfig
    config: OIDCProviderConfig

    def configured(self) -> Mapping[str, Any]:
        config = self.config
        verification, request = config.id_token_verification_config, config.auth_request_optional_config
        issuers, audience = _texts(verification.issuer), _texts(verification.audience)
        return {
            **{name: getattr(config, name) for name in _SAME_NAME},
            "server": self._typed_in(issuers),
            "issuers": frozenset(issuers) or None,
            "issuer_unchecked_because": ""
            if config.issuer or issuers
            else "the configuration names no issuer",
            "additional_audiences": frozenset({*config.additional_audiences, *audience}) - {config.client_id},
            "id_token_algorithms": verification.algorithms and frozenset(verification.algorithms),
            "id_token_typ": verification.typ,
            "leeway": verification.clock_tolerance,
            "max_token_age": verification.max_token_age,
            "subject": verification.subject,
            "verification_time": verification.current_date and verification.current_date.timestamp(),
            "max_age": request.max_age,
            "response_mode": request.response_mode,
            "authorization_parameters": {**request.parameters(), **config.custom_config},
            **dict.fromkeys(("token_parameters", "refresh_parameters"), config.custom_config),
            "signing_key": self._signing_key(),
            "profile_map": self._profile_map(),
        }

    def _typed_in(self, issuers: tuple[str, ...]) -> ServerMetadata | None:
        if self.config.authorization_endpoint is None:
            return None
        return ServerMetadata(
            issuer=self.config.issuer or (issuers[0] if len(issuers) == 1 else None),
            authorization_endpoint=self.config.authorization_endpoint,
            token_endpoint=self.config.token_endpoint,
            userinfo_endpoint=self.config.user_info_endpoint,
            jwks_uri=self.config.id_token_verification_config.jwks_uri,
        )

    def _signing_key(self) -> SigningKey | None:
        if self.config.private_key is None:
            return None
        return read_signing_key(
            self.config.private_key.get_secret_value(),
            algorithm=self.config.private_key_jwt_signing_algorithm,
            kid=self.config.private_key_id,
            path=("privateKey",),
        )

    def _profile_map(self) -> ProfileMap:
        return replace(
            STANDARD_CLAIMS,
            **self.config.profile_map.model_dump(exclude_none=True),
            string_booleans=self.config.accept_string_typed_boolean_claims,
            trust_email_because="trustUnverifiedEmail" if self.config.trust_unverified_email else "",
        )


_SAME_NAME = (
    *("issuer", "claims_source", "nonce_policy", "pkce_off_because", "token_endpoint_auth_method"),
    *("encode_basic_credentials", "client_secret_jwt_signing_algorithm", "client_assertion_audience"),
    *("granted_scope_separator", "access_denied_aliases", "rotation", "revocation"),
)


def _texts(value: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value or ()
