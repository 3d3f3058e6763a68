"""The configuration of the generic OpenID Connect connector, field by field.

Names are those of Logto's OIDC connector where it has them, so that its configuration pastes in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field, SecretStr, ValidationInfo, field_validator, model_validator

from connectors_core.connector import ConnectorConfig
from connectors_core.endpoints import EndpointUrl, IssuerUrl
from connectors_core.errors import ConfigurationError
from connectors_core.oauth2 import RevocationField, RotationField, check_extra_parameters
from connectors_core.oidc import (
    ASYMMETRIC,
    RESERVED_PARAMETERS,
    SYMMETRIC,
    ClaimsSource,
    NoncePolicy,
    OIDCConfig,
)

from .durations import Duration

Text = Annotated[str, Field(min_length=1)]


class IdTokenVerificationConfig(ConnectorConfig):
    """What an ID token must be, beyond what is always checked."""

    jwks_uri: EndpointUrl | None = Field(
        None, description="Where the provider publishes its keys; required where endpoints are typed in."
    )
    issuer: Text | tuple[Text, ...] | None = Field(
        None, description="What iss must be, or a list of what it may be."
    )
    audience: Text | tuple[Text, ...] = Field((), description="Client ids accepted as aud besides clientId.")
    algorithms: tuple[str, ...] | None = Field(
        None, description="Signature algorithms; default: the asymmetric ones in the metadata, else RS256."
    )
    clock_tolerance: Duration = Field(60.0, description="How far the provider's clock may be off.")
    crit: Mapping[str, bool | str] = Field(
        {}, description="Critical header extensions: none is processed, so none may be named."
    )
    current_date: AwareDatetime | None = Field(
        None, description="A fixed time to judge ID tokens at, for tests alone."
    )
    max_token_age: Duration | None = Field(None, description="How old an ID token may be, counted from iat.")
    subject: Text | None = Field(None, description="The only sub accepted.")
    typ: Text | None = Field(None, description="The typ that the header must have.")

    @field_validator("algorithms")
    @classmethod
    def _known(cls, algorithms: tuple[str, ...] | None) -> tuple[str, ...] | None:
        known = ASYMMETRIC | SYMMETRIC
        if algorithms is not None and (not algorithms or not known.issuperset(algorithms)):
            raise ValueError(f"must be among {', '.join(sorted(known))}")
        return algorithms

    @field_validator("crit")
    @classmethod
    def _none_processed(cls, crit: Mapping[str, bool | str]) -> Mapping[str, bool | str]:
        if crit:
            raise ValueError(
                "names an extension, and none is processed: such a token would be accepted unread"
            )
        return crit


class AuthRequestOptionalConfig(ConnectorConfig):
    """Optional parameters of the authentication request. OpenID Connect Core §3.1.2.1."""

    response_type: str = Field("code", description="Only the code flow is supported.")
    grant_type: str = Field("authorization_code", description="Only the code flow is supported.")
    token_endpoint: EndpointUrl | None = Field(None, description="Must equal tokenEndpoint; not sent.")
    response_mode: Literal["query", "form_post"] | None = None
    display: Text | None = None
    prompt: Text | None = None
    max_age: Annotated[int, Field(ge=0, lt=10**10)] | None = Field(
        None, description="Seconds since the person last proved who they are; held against auth_time."
    )
    ui_locales: Text | None = None
    id_token_hint: SecretStr | None = None
    login_hint: Text | None = None
    acr_values: Text | None = None

    @field_validator("response_type", "grant_type")
    @classmethod
    def _code_flow(cls, value: str, info: ValidationInfo) -> str:
        expected = "code" if info.field_name == "response_type" else "authorization_code"
        if value != expected:
            raise ValueError(f"must be {expected}: other flows hand tokens to the browser")
        return value

    def parameters(self) -> dict[str, str]:
        """Those that are sent as they stand."""
        names = {"display", "prompt", "ui_locales", "login_hint", "acr_values"}
        sent = self.model_dump(include=names, exclude_none=True)
        hint = self.id_token_hint and self.id_token_hint.get_secret_value()
        return {**sent, "id_token_hint": hint} if hint else sent


class ProfileMapConfig(ConnectorConfig):
    """Where each profile field stands among the claims: dotted paths, array indices, alternatives."""

    id: Text | tuple[Text, ...] | None = None
    name: str | tuple[Text, ...] | None = None
    avatar: str | tuple[Text, ...] | None = None
    email: str | tuple[Text, ...] | None = None
    phone: str | tuple[Text, ...] | None = None
    email_verified: str | tuple[Text, ...] | None = None
    phone_verified: str | tuple[Text, ...] | None = None


class OIDCProviderConfig(OIDCConfig):
    """One OpenID provider: by its issuer, from which all is discovered, or by typed-in endpoints."""

    issuer: IssuerUrl | None = Field(
        None,
        description="Exactly as the provider writes it. Endpoints and keys are discovered from it.",
    )
    authorization_endpoint: EndpointUrl | None = Field(
        None, description="Instead of discovery; also read as authenticationEndpoint."
    )
    token_endpoint: EndpointUrl | None = Field(None, validate_default=True)
    user_info_endpoint: EndpointUrl | None = Field(None, validate_default=True)
    id_token_verification_config: IdTokenVerificationConfig = Field(
        IdTokenVerificationConfig(), validate_default=True
    )
    token_endpoint_auth_method: (
        Literal["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "none"]
        | None
    ) = Field(
        None, description="Default: what the metadata says; client_secret_post where endpoints are typed in."
    )
    encode_basic_credentials: bool = Field(
        True, description="False for a server that does not decode them (RFC 6749 §2.3.1)."
    )
    client_secret_jwt_signing_algorithm: Literal["HS256", "HS384", "HS512"] = "HS256"
    private_key: SecretStr | None = Field(None, description="For private_key_jwt: PEM or JWK.")
    private_key_id: Text | None = Field(
        None, description="The kid under which the provider knows privateKey."
    )
    private_key_jwt_signing_algorithm: Text | None = None
    client_assertion_audience: Literal["issuer", "token_endpoint"] = "issuer"
    auth_request_optional_config: AuthRequestOptionalConfig = Field(
        AuthRequestOptionalConfig(), validate_default=True
    )
    custom_config: Mapping[Text, str] = Field(
        {}, description="Further parameters, sent with authorization and token requests."
    )
    pkce_off_because: str = Field("", description="A reason turns PKCE off, for a provider that refuses it.")
    granted_scope_separator: Text | None = Field(
        None, description="What stands between scopes in answers, where that is no space."
    )
    access_denied_aliases: tuple[Text, ...] = Field(
        (), description="The provider's own words for access_denied: the person said no."
    )
    rotation: RotationField = "strict"
    revocation: RevocationField = "token"
    accept_string_typed_boolean_claims: bool = Field(
        False, description='Read "true" and "false" as booleans.'
    )
    trust_unverified_email: bool = Field(
        False, description="Trust an address whose flag is absent. An explicit false is never overridden."
    )
    claims_source: ClaimsSource = ClaimsSource.AUTO
    nonce_policy: NoncePolicy = NoncePolicy.REQUIRED
    profile_map: ProfileMapConfig = ProfileMapConfig()
    additional_audiences: tuple[Text, ...] = Field(
        (), description="Client ids of our own native and browser apps."
    )

    @model_validator(mode="before")
    @classmethod
    def _one_spelling(cls, data: Any) -> Any:
        found = [name for name in _SPELLINGS if isinstance(data, Mapping) and name in data]
        if len(found) > 1:
            raise ValueError(f"{' and '.join(found)} are one field: keep one")
        if found:
            data = {**data, "authorization_endpoint": data[found[0]]}
            for name in _SPELLINGS[1:]:
                data.pop(name, None)
        return data

    @field_validator("token_endpoint")
    @classmethod
    def _both_endpoints(cls, token_endpoint: str | None, info: ValidationInfo) -> str | None:
        if "authorization_endpoint" not in info.data or "issuer" not in info.data:
            return token_endpoint
        typed_in = info.data["authorization_endpoint"] is not None
        if typed_in and token_endpoint is None:
            raise ValueError("is required beside authorizationEndpoint")
        if not typed_in and token_endpoint is not None:
            raise ValueError("needs authorizationEndpoint beside it; with issuer alone both are discovered")
        if not typed_in and info.data["issuer"] is None:
            raise ValueError("is required beside authorizationEndpoint, unless issuer is given")
        return token_endpoint

    @field_validator("user_info_endpoint")
    @classmethod
    def _typed_in_too(cls, endpoint: str | None, info: ValidationInfo) -> str | None:
        if endpoint is not None and info.data.get("authorization_endpoint", endpoint) is None:
            raise ValueError("needs authorizationEndpoint beside it; with issuer alone it is discovered")
        return endpoint

    @field_validator("id_token_verification_config")
    @classmethod
    def _has_keys(
        cls, verification: IdTokenVerificationConfig, info: ValidationInfo
    ) -> IdTokenVerificationConfig:
        if "authorization_endpoint" not in info.data:
            return verification
        typed_in = info.data["authorization_endpoint"] is not None
        needed = verification.algorithms is None or not SYMMETRIC.issuperset(verification.algorithms)
        if typed_in and needed and verification.jwks_uri is None:
            raise ValueError("jwksUri is required where endpoints are typed in")
        if not typed_in and verification.jwks_uri is not None and info.data.get("issuer") is not None:
            raise ValueError("jwksUri is discovered from issuer: remove it, or type in the endpoints")
        return verification

    @field_validator("auth_request_optional_config")
    @classmethod
    def _same_token_endpoint(
        cls, request: AuthRequestOptionalConfig, info: ValidationInfo
    ) -> AuthRequestOptionalConfig:
        typed_in = info.data.get("token_endpoint", request.token_endpoint)
        if request.token_endpoint not in (None, typed_in):
            raise ValueError("tokenEndpoint must equal the other tokenEndpoint")
        return request

    @field_validator("custom_config")
    @classmethod
    def _unreserved(cls, custom: Mapping[str, str], info: ValidationInfo) -> Mapping[str, str]:
        try:
            check_extra_parameters(custom, RESERVED_PARAMETERS)
        except ConfigurationError as error:
            raise ValueError("; ".join(map(str, error.problems))) from None
        request = info.data.get("auth_request_optional_config")
        given = request.model_dump(exclude_none=True) if request else {}
        if twice := sorted(custom.keys() & given.keys()):
            raise ValueError(f"{', '.join(twice)} is given in authRequestOptionalConfig already")
        return custom


_SPELLINGS = (
    "authorization_endpoint",
    "authorizationEndpoint",
    "authenticationEndpoint",
    "authentication_endpoint",
)
