"""The configuration of the Apple connector, field by field."""

from __future__ import annotations

from pydantic import Field, SecretStr

from connectors_core.oidc import OIDCConfig

IDENTIFIER = r"^[A-Z0-9]{10}$"


class AppleConfig(OIDCConfig):
    """One Services ID, and the key that makes its client secrets."""

    client_id: str = Field(min_length=1, description="The identifier of the Services ID.")
    client_secret: None = Field(None, description="Absent: it is made from the key.")
    team_id: str = Field(pattern=IDENTIFIER, description="The team ID, ten characters.")
    key_id: str = Field(pattern=IDENTIFIER, description="The ID of the private key, ten characters.")
    private_key: SecretStr = Field(description="The content of the key file, AuthKey_….p8.")
    scope: str | None = Field(None, description="Scopes to ask for instead of openid name email.")
