"""Sign in with Apple."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

from connectors_core import Callback, ConnectorMetadata, ServerMetadata, TokenSet, Transaction
from connectors_core.oauth2 import ClientAuthentication, read_json, read_signing_key
from connectors_core.oidc import STANDARD_CLAIMS, ClaimsSource, OIDCConnector

from .client_secret import ClientSecret
from .config import AppleConfig

NAME = "apple_name"
"""Where the name waits between callback and profile."""


class Apple(OIDCConnector):
    """Sign-in with Apple on the web.

    The callback is a form (``form_post``). Apple tells the name in it, unsigned and the first time
    only; it is taken for a name and for nothing else. The e-mail address comes from the ID token
    alone and may be a relay of Apple's, which is verified and forwards.
    """

    id = "apple"
    target = "apple"
    metadata = ConnectorMetadata(
        name={"en": "Apple"}, logo="logo.svg", logo_dark="logo-dark.svg", readme="README.md"
    )
    Config = AppleConfig
    config: AppleConfig
    scopes = ("openid", "name", "email")
    response_mode = "form_post"
    claims_source = ClaimsSource.ID_TOKEN
    rotation = "none"
    access_denied_aliases = ("user_cancelled_authorize",)
    reauthentication_parameters = {}  # Apple knows neither prompt nor max_age.
    selects_account = False
    # Apple sends the flags as text to some clients and as booleans to others.
    profile_map = replace(STANDARD_CLAIMS, name=NAME, avatar="", phone="", string_booleans=True)
    server = ServerMetadata(
        issuer="https://appleid.apple.com",
        authorization_endpoint="https://appleid.apple.com/auth/authorize",
        token_endpoint="https://appleid.apple.com/auth/token",
        jwks_uri="https://appleid.apple.com/auth/keys",
        revocation_endpoint="https://appleid.apple.com/auth/revoke",
    )

    @cached_property
    def secret(self) -> ClientSecret:
        config = self.config
        pem = config.private_key.get_secret_value()
        key = read_signing_key(pem, algorithm="ES256", kid=config.key_id, path=("privateKey",))
        return ClientSecret(config.client_id, config.team_id, key)

    def client_authentication(self, server: ServerMetadata) -> ClientAuthentication:
        """In the body, with a client secret that is made here."""
        secret = self.secret.at(self.runtime.now())
        return ClientAuthentication(
            method="client_secret_post", client_id=self.config.client_id, client_secret=secret
        )

    async def exchange(self, callback: Callback, transaction: Transaction) -> TokenSet:
        """As for OpenID Connect, and the name from the callback, kept in ``extra``."""
        tokens = await super().exchange(callback, transaction)
        name = read_name(callback.parameters.get("user", ""))
        return replace(tokens, extra={**tokens.extra, NAME: name}) if name else tokens

    async def claims(self, tokens: TokenSet) -> dict[str, Any]:
        """As for OpenID Connect, with the name that came beside the ID token."""
        return {**await super().claims(tokens), NAME: tokens.extra.get(NAME)}


def read_name(user: str) -> str:
    """The name in the callback's ``user``, empty where there is none."""
    try:
        told = read_json(user.encode())
    except ValueError:
        return ""
    name = told.get("name") if isinstance(told, Mapping) else None
    parts = [name.get("firstName"), name.get("lastName")] if isinstance(name, Mapping) else []
    return " ".join(part.strip() for part in parts if isinstance(part, str) and part.strip())
