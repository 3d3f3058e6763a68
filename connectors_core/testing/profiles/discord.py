"""Discord, by its documentation of 2025."""

from __future__ import annotations

from typing import Any

from ...metadata import ServerMetadata
from ..provider import Person, Provider, Request, Response, Scenario
from ..provider.cases.case import having
from ..provider.grants import AccessToken
from .profile import ProviderProfile, open_to, quirk

DOCS = "discord.com/developers/docs"
OAUTH2 = f"{DOCS}/topics/oauth2"
ME = "https://discord.com/api/users/@me"


def _me(provider: Provider, request: Request, access: AccessToken) -> Any:
    """``GET /users/@me``: the address with the scope email alone."""
    open_to(access, "identify")
    hidden = () if "email" in access.scopes else ("email", "verified")
    return {name: value for name, value in access.grant.person.claims.items() if name not in hidden}


DISCORD = ProviderProfile(
    name="discord",
    server=ServerMetadata(
        authorization_endpoint="https://discord.com/oauth2/authorize",
        token_endpoint="https://discord.com/api/oauth2/token",
        userinfo_endpoint=ME,
        revocation_endpoint="https://discord.com/api/oauth2/token/revoke",
    ),
    more_scope="guilds",
    person=Person(
        sub="80351110224678912",
        claims={
            "id": "80351110224678912",
            "username": "alice",
            "discriminator": "0",
            "global_name": "Alice Example",
            "avatar": "8342729096ea3675442027381ff50dfe",
            "verified": True,
            "email": "alice@example.org",
            "locale": "en-US",
        },
    ),
    resources={ME: _me},
    quirks=(
        quirk(
            "discord.rotation",
            f"{OAUTH2}#authorization-code-grant-refresh-token-exchange-example",
            "every code gives a refresh token, every refresh another",
            scenario=Scenario.REFRESH,
            settings={
                "refresh_tokens": "always",
                "rotation": "single",
                "access_token_lifetime": 604800,
                "scopes_supported": ("identify", "email", "guilds", "connections"),
                "pkce": "optional",
            },
        ),
        quirk(
            "discord.revocation-takes-all-along",
            f"{OAUTH2}#oauth2-urls-token-revocation-url",
            "revoking either token ends the other",
            scenario=Scenario.REVOKE,
            settings={"revocation": "grant"},
        ),
        quirk(
            "discord.errors",
            f"{OAUTH2}#authorization-code-grant",
            "a spent code is invalid_grant with a sentence of its own",
            "invalid_grant",
            scenario=Scenario.SPENT_CODE,
            error=having(error_description='Invalid "code" in request.'),
        ),
    ),
    unauthorized=Response.json({"message": "401: Unauthorized", "code": 0}, status=401),
    forbidden=Response.json({"message": "Missing Access", "code": 50001}, status=403),
    throttled=Response.json(
        {"message": "You are being rate limited.", "retry_after": 64.57, "global": False},
        status=429,
        retry_after="65",
        x_ratelimit_remaining="0",
    ),
)
