"""Providers that nobody packaged: the generic connectors, set up as an operator does, hold at each."""

from __future__ import annotations

from typing import Any

import pytest
from connectors_oauth2 import OAuth2
from connectors_oidc import OIDC

from connectors_core import ConnectorMetadata, Profile
from connectors_core.testing.conformance import OAuth2Conformance, OIDCConformance
from connectors_core.testing.profiles import ProviderProfile, profile
from connectors_core.testing.provider import CASES


class Rows:
    """The rows of the profile alone: the named cases are played with these connectors elsewhere."""

    profile: ProviderProfile

    def cases(self) -> list[Any]:
        return [case for case in super().cases() if case.name not in CASES]  # type: ignore[misc]


def endpoints(profile: ProviderProfile) -> dict[str, Any]:
    """The addresses that an operator copies from the documentation."""
    server = profile.server
    typed_in = {
        "authorizationEndpoint": server.authorization_endpoint,
        "tokenEndpoint": server.token_endpoint,
        "userInfoEndpoint": server.userinfo_endpoint,
        "revocationEndpoint": server.revocation_endpoint,
    }
    return {name: url for name, url in typed_in.items() if url}


class TestDiscord(Rows, OAuth2Conformance):
    connector = OAuth2
    profile = profile("discord")
    config = {
        **endpoints(profile),
        "scope": "identify email",
        "profileMap": {"name": "global_name | username", "avatar": "", "emailVerified": "verified"},
    }
    expected = Profile(
        id="80351110224678912", name="Alice Example", email="alice@example.org", email_verified=True
    )


class TestX(Rows, OAuth2Conformance):
    connector = OAuth2
    profile = profile("x")
    config = {
        **endpoints(profile),
        "userInfoEndpoint": "https://api.x.com/2/users/me?user.fields=confirmed_email,profile_image_url",
        "tokenEndpointAuthMethod": "client_secret_basic",
        "invalidGrantAliases": ["invalid_request"],
        "scope": "tweet.read users.read users.email offline.access",
        "trustUnverifiedEmail": True,
        "profileMap": {
            "id": "data.id",
            "name": "data.name",
            "avatar": "data.profile_image_url",
            "email": "data.confirmed_email",
        },
    }
    outcomes = {"x.spent-code": "invalid_grant"}
    expected = Profile(
        id="2244994945",
        name="Alice Example",
        avatar="https://pbs.twimg.com/profile_images/alice.png",
        email="alice@example.org",
        email_verified=True,
    )


class TestNotion(Rows, OAuth2Conformance):
    connector = OAuth2
    profile = profile("notion")
    config = {
        **endpoints(profile),
        "tokenEndpointRequestType": "json",
        "tokenEndpointAuthMethod": "client_secret_basic",
        "encodeBasicCredentials": False,
        "customConfig": {"owner": "user"},
        "userInfoHeaders": {"Notion-Version": "2022-06-28"},
        "profileMap": {
            "id": "bot.owner.user.id",
            "name": "bot.owner.user.name",
            "avatar": "bot.owner.user.avatar_url",
            "email": "bot.owner.user.person.email",
        },
    }
    expected = Profile(
        id="5389a034-eb5c-47b5-8a9e-f79c99ef166c",
        name="Alice Example",
        avatar="https://s3.example/alice.png",
        email="alice@example.org",
    )


class TestLinkedIn(Rows, OIDCConformance):
    connector = OIDC
    profile = profile("linkedin")
    config = {
        "issuer": "https://www.linkedin.com/oauth",
        "tokenEndpointAuthMethod": "client_secret_post",
        "scope": "openid profile email",
        "grantedScopeSeparator": ",",
        "noncePolicy": "not-sent",
        "pkceOffBecause": "LinkedIn refuses code challenges of clients that have a secret",
        "accessDeniedAliases": ["user_cancelled_login", "user_cancelled_authorize"],
    }
    expected = Profile(
        id="782bbtaQ",
        name="Alice Example",
        avatar="https://media.licdn-ei.com/dms/image/alice",
        email="alice@example.org",
        email_verified=True,
    )


class TestSlack(Rows, OIDCConformance):
    connector = OIDC
    profile = profile("slack")
    config = {"issuer": "https://slack.com", "scope": "openid profile email"}
    id_keys = ("sub",)
    expected = Profile(
        id="U0R7JM",
        name="Alice Example",
        avatar="https://secure.gravatar.com/alice.png",
        email="alice@example.org",
        email_verified=True,
    )


class SlackApp(OAuth2):
    """What an author writes for an application's user token: its scopes have a parameter of their own."""

    id = "slack-app"
    metadata = ConnectorMetadata(name={"en": "Slack"})

    def request_parameters(self, transaction: Any, server: Any) -> dict[str, str]:
        parameters = super().request_parameters(transaction, server)
        return {("user_scope" if name == "scope" else name): value for name, value in parameters.items()}


class TestSlackApp(Rows, OAuth2Conformance):
    connector = SlackApp
    profile = profile("slack-app")
    config = {
        **endpoints(profile),
        "scope": "users:read",
        "scopeSeparator": ",",
        "tokenResponseMember": "authed_user",
        "bearerAliases": ["user"],
        "invalidGrantAliases": ["invalid_refresh_token"],
        "profileMap": {"id": "user_id", "name": "user"},
    }
    expected = Profile(id="U0R7JM", name="Alice Example")


@pytest.mark.parametrize("kind", [TestDiscord, TestX, TestNotion, TestLinkedIn, TestSlack, TestSlackApp])
def test_every_quirk_of_the_profile_is_played(kind: Any) -> None:
    played = {case.name for case in kind().cases()}
    known = {case.name for case in (*kind.profile.quirks, *kind.profile.sometimes)}
    assert known <= played
