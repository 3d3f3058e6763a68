"""The configuration of the generic OAuth 2.0 connector, field by field.

Names are those of Logto's OAuth 2.0 connector where it has them, so that its configuration pastes in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Literal

from pydantic import AliasChoices, Field, SecretStr, ValidationInfo, field_validator, model_validator

from connectors_core.connector import ConnectorConfig
from connectors_core.endpoints import EndpointUrl, IssuerUrl
from connectors_core.errors import ConfigurationError
from connectors_core.oauth2 import (
    AUTHORIZATION_RESERVED,
    REFRESH_RESERVED,
    OAuth2Config,
    ProfileMap,
    RevocationField,
    RotationField,
    SigningKey,
    check_extra_parameters,
    read_signing_key,
)

Text = Annotated[str, Field(min_length=1)]
Method = Literal["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "none"]
Paths = str | tuple[Text, ...]


def _told(check: Callable[[], object]) -> None:
    """Run a check of the engine's; raise what it has to say as pydantic wants it."""
    try:
        check()
    except ConfigurationError as error:
        raise ValueError("; ".join(map(str, error.problems))) from None


class ProfileMapConfig(ConnectorConfig):
    """Where each profile field stands in the answer of the userinfo endpoint.

    Dotted paths with array indices (``data.images[0].url``); alternatives as a list or ``"a | b"``.
    """

    id: Paths = Field("id", description="What never changes about the account; a number becomes text.")
    name: Paths = "name"
    avatar: Paths = "avatar"
    email: Paths = "email"
    phone: Paths = "phone"
    email_verified: Paths = Field("", description="A flag that says whether the address was verified.")
    phone_verified: Paths = Field("", description="A flag that says whether the number was verified.")

    @model_validator(mode="after")
    def _are_paths(self) -> ProfileMapConfig:
        _told(lambda: ProfileMap(**self.model_dump()))
        return self


class OAuth2ProviderConfig(OAuth2Config):
    """One OAuth 2.0 server: by typed-in endpoints, or by an issuer that publishes them."""

    issuer: IssuerUrl | None = Field(
        None, description="The server's issuer; endpoints that are not typed in are discovered from it."
    )
    authorization_endpoint: EndpointUrl | None = Field(
        None,
        validation_alias=AliasChoices("authorizationEndpoint", "authenticationEndpoint"),
        validate_default=True,
        description="Where the browser is sent; also read as authenticationEndpoint.",
    )
    token_endpoint: EndpointUrl | None = Field(
        None, validate_default=True, description="Where the code is redeemed."
    )
    user_info_endpoint: EndpointUrl | None = Field(
        None, validate_default=True, description="Where the profile is read with the access token."
    )
    revocation_endpoint: EndpointUrl | None = Field(None, description="Where tokens are revoked (RFC 7009).")
    client_id: Text = Field(description="The client id.")
    client_secret: Annotated[SecretStr, Field(min_length=1)] | None = Field(
        None, description="The client secret; without it the client is public, or has a private key."
    )
    private_key: SecretStr | None = Field(None, description="For private_key_jwt: PEM or JWK.")
    private_key_id: Text | None = Field(None, description="The kid under which the server knows privateKey.")
    private_key_jwt_signing_algorithm: Text | None = Field(
        None, description="For private_key_jwt; default: what the key says, or the first it is fit for."
    )
    token_endpoint_auth_method: Method | None = Field(
        None, description="Default: what the metadata says; client_secret_post where endpoints are typed in."
    )
    client_secret_jwt_signing_algorithm: Literal["HS256", "HS384", "HS512"] = Field(
        "HS256", description="For client_secret_jwt."
    )
    client_assertion_audience: Literal["issuer", "token_endpoint"] = Field(
        "issuer", description="For both JWT methods: what aud is, where the issuer is known."
    )
    encode_basic_credentials: bool = Field(
        True, description="False for a server that does not decode them (RFC 6749 §2.3.1)."
    )
    response_type: Literal["code"] = Field("code", description="Only the code flow is supported.")
    grant_type: Literal["authorization_code"] = Field(
        "authorization_code", description="Only the code flow is supported."
    )
    token_endpoint_request_type: Literal["form", "json"] = Field(
        "form", description="How token requests are written: json for a server that reads no forms."
    )
    token_endpoint_response_type: Literal["query-string", "json"] | None = Field(
        None, description="How token responses are written; default: told by their content."
    )
    token_response_member: str = Field(
        "",
        description="The member of token responses that holds the token, where they do not themselves.",
    )
    bearer_aliases: tuple[Text, ...] = Field(
        (), description="Values of token_type that mean Bearer at this server."
    )
    invalid_grant_aliases: tuple[Text, ...] = Field(
        (), description="The server's own words for invalid_grant: a code or refresh token that is dead."
    )
    access_denied_aliases: tuple[Text, ...] = Field(
        (), description="The server's own words for access_denied: the person said no."
    )
    rotation: RotationField = "strict"
    revocation: RevocationField = "token"
    scope: str | None = Field(None, description="Scopes to ask for at sign-in.")
    scope_separator: str = Field(
        " ", pattern=r"^[^A-Za-z0-9]{1,3}$", description="What stands between scopes on the wire."
    )
    granted_scope_separator: str | None = Field(
        None,
        pattern=r"^[^A-Za-z0-9]{1,3}$",
        description="What stands between them in answers, where that differs.",
    )
    user_info_headers: Mapping[Text, str] = Field(
        {}, description="Further headers of the userinfo request, as an API's version."
    )
    custom_config: Mapping[Text, str] = Field(
        {}, description="Further parameters, sent with authorization and token requests."
    )
    pkce_off_because: str = Field("", description="A reason turns PKCE off, for a server that refuses it.")
    profile_map: ProfileMapConfig = ProfileMapConfig()
    accept_string_typed_booleans: bool = Field(False, description='Read "true" and "false" as flags.')
    trust_unverified_email: bool = Field(
        False, description="Trust an address of which no flag says anything. A false is never overridden."
    )

    @field_validator("authorization_endpoint", "token_endpoint", "user_info_endpoint")
    @classmethod
    def _known_or_discovered(cls, endpoint: str | None, info: ValidationInfo) -> str | None:
        if endpoint is None and info.data.get("issuer", "") is None:
            raise ValueError("is required, unless issuer is given and publishes it")
        return endpoint

    @field_validator("private_key")
    @classmethod
    def _readable(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None:
            _told(lambda: read_signing_key(key.get_secret_value()))
        return key

    @field_validator("private_key_jwt_signing_algorithm")
    @classmethod
    def _fits(cls, algorithm: str | None, info: ValidationInfo) -> str | None:
        if algorithm is not None and (key := info.data.get("private_key")):
            _told(lambda: read_signing_key(key.get_secret_value(), algorithm=algorithm))
        return algorithm

    @field_validator("token_endpoint_auth_method")
    @classmethod
    def _possible(cls, method: str | None, info: ValidationInfo) -> str | None:
        field = "private_key" if method == "private_key_jwt" else "client_secret"
        if method not in (None, "none") and not info.data.get(field, "told already"):
            raise ValueError(f"needs {'privateKey' if method == 'private_key_jwt' else 'clientSecret'}")
        return method

    @field_validator("response_type", mode="before")
    @classmethod
    def _code_alone(cls, response_type: object) -> object:
        if response_type != "code":
            raise ValueError(
                "must be code: the other flows put tokens into the browser's address bar, where they leak"
                " and can be swapped (RFC 9700 §2.1.2)"
            )
        return response_type

    @field_validator("grant_type", mode="before")
    @classmethod
    def _authorization_code_alone(cls, grant_type: object) -> object:
        if grant_type != "authorization_code":
            raise ValueError(
                "must be authorization_code: no other grant signs a person in without showing their"
                " password or tokens around (RFC 9700 §2.4)"
            )
        return grant_type

    @field_validator("custom_config")
    @classmethod
    def _unreserved(cls, custom: Mapping[str, str]) -> Mapping[str, str]:
        _told(lambda: check_extra_parameters(custom, AUTHORIZATION_RESERVED | REFRESH_RESERVED))
        return custom

    def signing_key(self) -> SigningKey | None:
        """The private key, for ``private_key_jwt``."""
        if self.private_key is None:
            return None
        return read_signing_key(
            self.private_key.get_secret_value(),
            algorithm=self.private_key_jwt_signing_algorithm,
            kid=self.private_key_id,
            path=("privateKey",),
        )
