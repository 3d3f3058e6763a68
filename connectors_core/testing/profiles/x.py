"""X (formerly Twitter), by its documentation of 2025."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ...metadata import ServerMetadata
from ..provider import Person, Provider, Request, Response, Scenario
from ..provider.cases.case import having
from ..provider.grants import AccessToken, Grant, Refused
from .profile import ProviderProfile, open_to, quirk

DOCS = "docs.x.com/fundamentals/authentication/oauth-2-0"
CODE_FLOW = f"{DOCS}/authorization-code"
ME = "https://api.x.com/2/users/me"


def _me(provider: Provider, request: Request, access: AccessToken) -> Any:
    """``GET /2/users/me``: three members, and what ``user.fields`` names; docs.x.com/x-api/users/get-me."""
    open_to(access, "users.read")
    asked = dict(request.query_pairs()).get("user.fields", "").split(",")
    names = {"id", "name", "username", *asked}
    if "users.email" not in access.scopes:
        names.discard("confirmed_email")
    return {"data": {name: value for name, value in access.grant.person.claims.items() if name in names}}


def _offline(grant: Grant, provider: Provider) -> Grant:
    return replace(grant, offline="offline.access" in grant.scopes)


def _basic_alone(form: dict[str, str], provider: Provider) -> dict[str, str]:
    if "client_secret" in form:
        raise Refused("unauthorized_client", "Missing valid authorization header", status=401)
    return form


def _bad_code(error: dict[str, Any], provider: Provider) -> dict[str, Any]:
    return _invalid(error, "authorization code") if "code" in error["error_description"] else error


def _bad_token(error: dict[str, Any], provider: Provider) -> dict[str, Any]:
    return _invalid(error, "token") if "refresh token" in error["error_description"] else error


def _invalid(error: dict[str, Any], what: str) -> dict[str, Any]:
    told = f"Value passed for the {what} was invalid."
    return {**error, "error": "invalid_request", "error_description": told}


X = ProviderProfile(
    name="x",
    server=ServerMetadata(
        authorization_endpoint="https://x.com/i/oauth2/authorize",
        token_endpoint="https://api.x.com/2/oauth2/token",
        userinfo_endpoint=ME,
        revocation_endpoint="https://api.x.com/2/oauth2/revoke",
    ),
    more_scope="tweet.write",
    person=Person(
        sub="2244994945",
        claims={
            "id": "2244994945",
            "name": "Alice Example",
            "username": "alice",
            "profile_image_url": "https://pbs.twimg.com/profile_images/alice.png",
            "confirmed_email": "alice@example.org",
        },
    ),
    resources={ME: _me},
    quirks=(
        quirk(
            "x.pkce-always",
            f"{CODE_FLOW}#parameters",
            "every client sends a code challenge, one with a secret too",
            settings={
                "pkce": "required",
                "scopes_supported": (
                    *("tweet.read", "tweet.write", "users.read", "users.email"),
                    *("like.read", "offline.access"),
                ),
            },
        ),
        quirk(
            "x.basic",
            f"{CODE_FLOW}#confidential-clients; better-auth/better-auth issue 2095",
            "a client with a secret authenticates by HTTP Basic, at each refresh too",
            settings={"auth_methods": ("client_secret_basic",)},
            form=_basic_alone,
        ),
        quirk(
            "x.offline-access",
            f"{DOCS}/authorization-code#refresh-tokens",
            "offline.access gives a refresh token, which serves once; tokens live for two hours",
            scenario=Scenario.REFRESH,
            settings={"refresh_tokens": "never", "rotation": "single", "access_token_lifetime": 7200},
            grant=_offline,
        ),
        quirk(
            "x.bearer-in-lower-case",
            f"{CODE_FLOW}#step-3",
            "token_type is bearer",
            token=having(token_type="bearer"),
            refresh=having(token_type="bearer"),
        ),
        quirk(
            "x.spent-code",
            "plhery/node-twitter-api-v2 issue 496",
            "a code that is not good is invalid_request",
            "provider_error",
            scenario=Scenario.SPENT_CODE,
            error=_bad_code,
        ),
        quirk(
            "x.dead-refresh-token",
            'devcommunity.x.com, "Value passed for the token was invalid"',
            "a refresh token that is not good is invalid_request",
            "invalid_grant",
            scenario=Scenario.DEAD_GRANT,
            error=_bad_token,
        ),
    ),
    sometimes=(
        quirk(
            "x.no-confirmed-address",
            "docs.x.com/x-api/users/get-me",
            "confirmed_email is missing without users.email, or where nothing was confirmed",
            settings={
                "scopes_supported": ("tweet.read", "users.read", "users.email", "offline.access"),
                "refused_scopes": frozenset({"users.email"}),
            },
        ),
    ),
    unauthorized=Response.json(
        {"title": "Unauthorized", "type": "about:blank", "status": 401, "detail": "Unauthorized"}, status=401
    ),
    forbidden=Response.json(
        {"title": "Forbidden", "type": "about:blank", "status": 403, "detail": "Forbidden"}, status=403
    ),
    throttled=Response.json(
        {"title": "Too Many Requests", "type": "about:blank", "status": 429, "detail": "Too Many Requests"},
        status=429,
        x_rate_limit_limit="75",
        x_rate_limit_remaining="0",
        x_rate_limit_reset="1800000060",
    ),
)
