"""GitHub, by its documentation of 2025: an OAuth App, and a GitHub App."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ...metadata import ServerMetadata
from ..provider import Person, Provider, Request, Response, Scenario
from ..provider.cases.case import having, without
from ..provider.grants import AccessToken, Grant
from .profile import ProviderProfile, quirk

DOCS = "docs.github.com/en/apps"
AUTHORIZING = f"{DOCS}/oauth-apps/building-oauth-apps/authorizing-oauth-apps"
ERRORS = f"{DOCS}/oauth-apps/maintaining-oauth-apps/troubleshooting-oauth-app-access-token-request-errors"
REFRESHING = f"{DOCS}/creating-github-apps/authenticating-with-a-github-app/refreshing-user-access-tokens"
OWN = {
    "invalid_grant": "bad_verification_code",
    "invalid_client": "incorrect_client_credentials",
    "invalid_request": "redirect_uri_mismatch",
}
INCLUDED = {"user": {"read:user", "user:email", "user:follow"}, "repo": {"public_repo", "repo:status"}}


def _user(provider: Provider, request: Request, access: AccessToken) -> Any:
    """``GET /user``; docs.github.com/en/rest/users/users. Requests without a User-Agent are refused."""
    if not request.headers.get("user-agent"):
        return Response.html("Request forbidden by administrative rules.", status=403)
    return dict(access.grant.person.claims)


def _emails(provider: Provider, request: Request, access: AccessToken) -> Any:
    """``GET /user/emails``; docs.github.com/en/rest/users/emails. Without the scope it is not there."""
    if access.scopes and not {"user", "user:email"} & {*access.scopes}:
        return Response.json({"message": "Not Found", "status": "404"}, status=404)
    return [
        {"email": "old@example.org", "primary": False, "verified": False, "visibility": None},
        {"email": "octocat@example.org", "primary": True, "verified": True, "visibility": "private"},
    ]


def _named_as_github_does(error: dict[str, Any], provider: Provider) -> dict[str, Any]:
    return {**error, "error": OWN.get(error["error"], error["error"]), "error_uri": f"https://{ERRORS}/"}


def _implied_left_out(grant: Grant, provider: Provider) -> Grant:
    implied = set().union(*(INCLUDED.get(scope, ()) for scope in grant.scopes))
    return replace(grant, scopes=tuple(scope for scope in grant.scopes if scope not in implied))


_ANSWERS = (
    quirk(
        "github.form-unless-json-is-asked-for",
        f"{AUTHORIZING}#2-users-are-redirected-back-to-your-site-by-github",
        "token responses are forms unless Accept asks for JSON",
        settings={"token_answer": "accept"},
    ),
    quirk(
        "github.errors-with-200",
        ERRORS,
        "errors come with status 200, under names of its own",
        "invalid_grant",
        scenario=Scenario.SPENT_CODE,
        settings={"errors_with_200": True},
        error=_named_as_github_does,
    ),
    quirk(
        "github.iss-unannounced",
        "github.com/login/oauth in the callback, met since 2025; RFC 9207 §2",
        "the callback carries iss, which no metadata announces",
        settings={"callback_iss": "unannounced", "pkce": "optional"},
    ),
    quirk(
        "github.no-revocation-endpoint",
        "docs.github.com/en/rest/apps/oauth-applications",
        "tokens are deleted by an API of their own, not as RFC 7009 has it",
        settings={"auth_methods": ("client_secret_post",)},
    ),
)
GITHUB = ProviderProfile(
    name="github",
    server=ServerMetadata(
        issuer="https://github.com/login/oauth",
        authorization_endpoint="https://github.com/login/oauth/authorize",
        token_endpoint="https://github.com/login/oauth/access_token",
        userinfo_endpoint="https://api.github.com/user",
    ),
    more_scope="user",
    person=Person(
        sub="583231",
        claims={
            "login": "octocat",
            "id": 583231,
            "node_id": "MDQ6VXNlcjU4MzIzMQ==",
            "avatar_url": "https://avatars.githubusercontent.com/u/583231?v=4",
            "type": "User",
            "name": None,
            "email": "public@example.org",
        },
    ),
    resources={"https://api.github.com/user": _user, "https://api.github.com/user/emails": _emails},
    quirks=(
        *_ANSWERS,
        quirk(
            "github.tokens-that-stay",
            "docs.github.com/en/authentication/keeping-your-account-and-data-secure/"
            "token-expiration-and-revocation",
            "tokens of an OAuth App have neither expiry nor refresh token",
            settings={"refresh_tokens": "never", "access_token_lifetime": 365 * 86400},
            token=without("expires_in"),
        ),
        quirk(
            "github.scopes-with-commas",
            f"{AUTHORIZING}#2-users-are-redirected-back-to-your-site-by-github",
            "granted scopes are separated by commas",
            settings={
                "granted_scope_separator": ",",
                "scopes_supported": (*INCLUDED, *INCLUDED["user"], *INCLUDED["repo"], "read:org", "gist"),
            },
        ),
        quirk(
            "github.implied-scopes-left-out",
            f"{DOCS}/oauth-apps/building-oauth-apps/scopes-for-oauth-apps#normalized-scopes",
            "a scope that another includes is left out of the answer",
            scenario=Scenario.MORE_SCOPE,
            grant=_implied_left_out,
        ),
    ),
    unauthorized=Response.json({"message": "Bad credentials", "status": "401"}, status=401),
    forbidden=Response.json(
        {"message": "Resource not accessible by integration", "status": "403"}, status=403
    ),
    throttled=Response.json(
        {"message": "API rate limit exceeded for user ID 583231.", "status": "403"},
        status=403,
        x_ratelimit_remaining="0",
        x_ratelimit_reset="1800000060",
    ),
)
GITHUB_APP = replace(
    GITHUB,
    name="github-app",
    more_scope="",
    quirks=(
        *_ANSWERS,
        quirk(
            "github-app.tokens-that-rotate",
            REFRESHING,
            "tokens live for eight hours; a refresh token serves once, for half a year",
            scenario=Scenario.REFRESH,
            settings={
                "refresh_tokens": "always",
                "rotation": "strict",
                "access_token_lifetime": 28800,
                "scopes_supported": tuple(INCLUDED["user"]),
            },
            token=having(refresh_token_expires_in=15897600),
            refresh=having(refresh_token_expires_in=15897600),
        ),
        quirk(
            "github-app.no-scopes",
            REFRESHING,
            "permissions belong to the app: scope is empty",
            grant=lambda grant, provider: replace(grant, scopes=()),
        ),
        quirk(
            "github-app.bad-refresh-token",
            ERRORS,
            "a dead refresh token is called bad_refresh_token",
            "invalid_grant",
            scenario=Scenario.DEAD_GRANT,
            error=lambda error, provider: (
                {**error, "error": "bad_refresh_token"} if "refresh" in error["error_description"] else error
            ),
        ),
    ),
)
