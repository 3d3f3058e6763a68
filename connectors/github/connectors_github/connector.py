"""GitHub, for OAuth Apps and GitHub Apps alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pydantic import Field, SecretStr

from connectors_core import Api, ConnectorMetadata, Profile, ServerMetadata, TokenSet, errors
from connectors_core.oauth2 import OAuth2Config, OAuth2Connector, ProfileMap

INCLUDED = {"user": {"read:user", "user:email", "user:follow"}, "repo": {"public_repo", "repo:status"}}
"""Scopes that GitHub leaves out of its answer because another one includes them."""


class GitHubConfig(OAuth2Config):
    """One OAuth App or GitHub App."""

    client_secret: SecretStr = Field(min_length=1, description="A client secret of the app.")


class GitHub(OAuth2Connector):
    """Sign-in with GitHub. The address is the primary one of ``/user/emails``, with GitHub's word on it.

    GitHub sends ``iss`` with callbacks and announces it nowhere: it is checked, and not required.
    """

    id = target = "github"
    metadata = ConnectorMetadata(
        name={"en": "GitHub"}, logo="logo.svg", logo_dark="logo-dark.svg", readme="README.md"
    )
    Config = GitHubConfig
    scopes = ("read:user", "user:email")
    granted_scope_separator = ","
    invalid_grant_aliases = ("bad_verification_code", "bad_refresh_token")
    revocation = "none"
    selects_account = True
    server = ServerMetadata(
        issuer="https://github.com/login/oauth",
        authorization_endpoint="https://github.com/login/oauth/authorize",
        token_endpoint="https://github.com/login/oauth/access_token",
        userinfo_endpoint="https://api.github.com/user",
    )
    profile_map = ProfileMap(
        name=("name", "login"), avatar="avatar_url", email="primary.email", email_verified="primary.verified"
    )

    async def profile(self, api: Api, tokens: TokenSet) -> Profile:
        """Who granted these tokens; without an address where the grant does not open ``/user/emails``."""
        user = await self.fetch_userinfo(tokens, await self.server_metadata())
        try:
            emails = await api.get_json("https://api.github.com/user/emails")
        except errors.InvalidResponse:
            emails = None
        known = [each for each in emails if isinstance(each, Mapping)] if isinstance(emails, list) else []
        primary = next((each for each in known if each.get("primary") is True), None)
        return self.profile_map.read({**user, "primary": primary})

    def missing_scopes(self, asked: Iterable[str], granted: Iterable[str]) -> frozenset[str]:
        """Which of ``asked`` a grant lacks that leaves out what other scopes include."""
        held = set(granted)
        return frozenset(asked) - held.union(*(INCLUDED.get(scope, ()) for scope in held))
