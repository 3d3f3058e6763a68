"""Facebook Login."""

from __future__ import annotations

import hmac
from typing import Any

from pydantic import Field, SecretStr

from connectors_core import Api, ConnectorMetadata, Profile, ServerMetadata, TokenSet
from connectors_core.oauth2 import BearerApi, OAuth2Config, OAuth2Connector, ProfileMap

GRAPH = "https://graph.facebook.com/v23.0"


class FacebookConfig(OAuth2Config):
    """One app of type Consumer or Business."""

    client_id: str = Field(pattern=r"^[0-9]+$", description="The app ID.")
    client_secret: SecretStr = Field(min_length=1, description="The app secret.")
    scope: str | None = Field(None, description="Permissions to ask for instead of public_profile email.")
    long_lived_tokens: bool = Field(False, description="Exchange each token for one of about 60 days.")


class Facebook(OAuth2Connector):
    """Sign-in with Facebook. It does not say whether an e-mail address is verified, so none is."""

    id = "facebook"
    target = "facebook"
    metadata = ConnectorMetadata(name={"en": "Facebook"}, logo="logo.svg", readme="README.md")
    Config = FacebookConfig
    config: FacebookConfig
    scopes = ("public_profile", "email")
    scope_separator = ","
    api_hosts = ("graph.facebook.com",)
    revocation = "grant"
    reauthentication_parameters = {"auth_type": "reauthenticate"}
    server = ServerMetadata(
        authorization_endpoint="https://www.facebook.com/v23.0/dialog/oauth",
        token_endpoint=f"{GRAPH}/oauth/access_token",
    )
    profile_map = ProfileMap(avatar="picture.data.url")

    def proof(self, tokens: TokenSet) -> dict[str, str]:
        """The parameter that shows that a call comes from the app's own server."""
        secret = self.config.client_secret.get_secret_value().encode()
        return {"appsecret_proof": hmac.digest(secret, tokens.access_token.encode(), "sha256").hex()}

    async def accept(self, tokens: TokenSet, **context: Any) -> TokenSet:
        """The token for about two hours, or the one for about 60 days that it is good for."""
        if not self.config.long_lived_tokens:
            return tokens
        form = {"grant_type": "fb_exchange_token", "fb_exchange_token": tokens.access_token}
        return await self.request_grant(form, requested=tokens.scopes)

    async def profile(self, api: Api, tokens: TokenSet) -> Profile:
        fields = {"fields": "id,name,email,picture.width(400).height(400)"}
        return self.profile_map.read(await api.get_json(f"{GRAPH}/me", params=fields | self.proof(tokens)))

    async def revoke(self, tokens: TokenSet) -> None:
        """Take back every permission, which ends all tokens. Raises InvalidResponse, TransportError."""
        api = BearerApi.of(self, tokens)
        await api.request_json("DELETE", f"{GRAPH}/me/permissions", params=self.proof(tokens))
