"""GitHub, as a connector author would write it."""

from __future__ import annotations

from connectors_core.connector import Api
from connectors_core.metadata import ConnectorMetadata, ServerMetadata
from connectors_core.oauth2 import OAuth2Connector, ProfileMap
from connectors_core.profile import Profile
from connectors_core.tokens import TokenSet


class GitHub(OAuth2Connector):
    id = "github"
    target = "github"
    metadata = ConnectorMetadata(name={"en": "GitHub"})
    scopes = ("read:user", "user:email")
    granted_scope_separator = ","
    api_hosts = ("api.github.com",)
    invalid_grant_aliases = ("bad_verification_code", "bad_refresh_token")
    server = ServerMetadata(
        issuer="https://github.com/login/oauth",
        authorization_endpoint="https://github.com/login/oauth/authorize",
        token_endpoint="https://github.com/login/oauth/access_token",
    )
    profile_map = ProfileMap(
        name="name | login", avatar="avatar_url", email="primary.email", email_verified="primary.verified"
    )

    async def profile(self, api: Api, tokens: TokenSet) -> Profile:
        user = await api.get_json("https://api.github.com/user")
        # The address of /user is chosen by its owner and says nothing about being verified.
        emails = await api.get_json("https://api.github.com/user/emails")
        rows = [row for row in emails if isinstance(row, dict)] if isinstance(emails, list) else []
        primary = next((row for row in rows if row.get("primary") is True), None)
        return self.profile_map.read({**user, "primary": primary} if isinstance(user, dict) else user)
