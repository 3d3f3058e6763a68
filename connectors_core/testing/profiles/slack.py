"""Slack, by its documentation of 2025: sign-in with Slack, and an application's user token."""

from __future__ import annotations

from typing import Any

from ...metadata import ServerMetadata
from ..provider import Person, Provider, Request, Response, Scenario
from ..provider.cases.case import having
from ..provider.grants import AccessToken, Refused
from .profile import ProviderProfile, grant_of, quirk

DOCS = "docs.slack.dev"
SIGN_IN = f"{DOCS}/authentication/sign-in-with-slack"
INSTALLING = f"{DOCS}/authentication/installing-with-oauth"
ROTATION = f"{DOCS}/authentication/using-token-rotation"
API = "https://slack.com/api"
USER, TEAM = "U0R7JM", "T0R7GR"
OWN = {"invalid_grant": "invalid_code", "invalid_client": "bad_client_secret"}


def _not_ok(error: dict[str, Any], provider: Provider) -> dict[str, Any]:
    name = "invalid_refresh_token" if "refresh" in error["error_description"] else error["error"]
    return {"ok": False, "error": OWN.get(name, name)}


def _auth_test(provider: Provider, request: Request, access: AccessToken) -> Any:
    """``auth.test``: whose token it is; docs.slack.dev/reference/methods/auth.test."""
    person = access.grant.person.claims
    told = {"url": "https://example.slack.com/", "team": "Example", "user": person["name"]}
    return {"ok": True, **told, "team_id": TEAM, "user_id": person["https://slack.com/user_id"]}


def _user_scope(request: dict[str, str], provider: Provider) -> dict[str, str]:
    """``user_scope`` asks for scopes of the person, ``scope`` for those of a bot: none is played here."""
    if "scope" in request:
        raise Refused("invalid_scope", "this application has no bot")
    return {**request, "scope": request.get("user_scope", "")}


def _nested(payload: dict[str, Any], provider: Provider) -> dict[str, Any]:
    grant = grant_of(payload, provider)
    user = {**payload, "id": grant.person.claims["https://slack.com/user_id"], "token_type": "user"}
    team = {"id": TEAM, "name": "Example"}
    return {"ok": True, "app_id": "A0R7", "authed_user": user, "team": team, "enterprise": None}


_ERRORS = quirk(
    "slack.not-ok",
    f"{DOCS}/apis/web-api/#evaluating-responses",
    "errors come with status 200 and ok: false",
    "provider_error",
    scenario=Scenario.SPENT_CODE,
    settings={"errors_with_200": True},
    error=_not_ok,
)
_PERSON = Person(
    sub=USER,
    claims={
        "https://slack.com/user_id": USER,
        "https://slack.com/team_id": TEAM,
        "name": "Alice Example",
        "given_name": "Alice",
        "family_name": "Example",
        "picture": "https://secure.gravatar.com/alice.png",
        "locale": "en-US",
        "email": "alice@example.org",
        "email_verified": True,
        "date_email_verified": 1622128723,
    },
)
_THROTTLED = Response.json({"ok": False, "error": "ratelimited"}, status=429, retry_after="30")
SLACK = ProviderProfile(
    name="slack",
    openid=True,
    server=ServerMetadata(
        issuer="https://slack.com",
        authorization_endpoint="https://slack.com/openid/connect/authorize",
        token_endpoint=f"{API}/openid.connect.token",
        userinfo_endpoint=f"{API}/openid.connect.userInfo",
        jwks_uri="https://slack.com/openid/connect/keys",
    ),
    person=_PERSON,
    quirks=(
        _ERRORS,
        quirk(
            "slack.ok",
            f"{SIGN_IN}#exchange",
            "answers say ok; tokens have neither lifetime nor scope nor refresh token",
            settings={
                "refresh_tokens": "never",
                "states_scope": False,
                "access_token_lifetime": 365 * 86400,
                "scopes_supported": ("openid", "profile", "email"),
                "auth_methods": ("client_secret_post", "client_secret_basic"),
                "pkce": "ignored",
            },
            token=lambda payload, provider: {
                "ok": True, **{name: value for name, value in payload.items() if name != "expires_in"}
            },
            userinfo=having(ok=True),
        ),
        quirk(
            "slack.claims",
            f"{SIGN_IN}#discuss",
            "claims under URLs tell person and workspace",
            settings={
                "claims_of": {
                    "openid": ("https://slack.com/user_id", "https://slack.com/team_id"),
                    "profile": ("name", "given_name", "family_name", "picture", "locale"),
                    "email": ("email", "email_verified", "date_email_verified"),
                },
            },
            claims=lambda claims, provider: {**claims, "https://slack.com/team_domain": "example"},
        ),
    ),
    unauthorized=Response.json({"ok": False, "error": "invalid_auth"}),
    forbidden=Response.json({"ok": False, "error": "missing_scope", "needed": "openid"}),
    throttled=_THROTTLED,
)  # fmt: skip
SLACK_APP = ProviderProfile(
    name="slack-app",
    server=ServerMetadata(
        authorization_endpoint="https://slack.com/oauth/v2/authorize",
        token_endpoint=f"{API}/oauth.v2.access",
        userinfo_endpoint=f"{API}/auth.test",
    ),
    more_scope="channels:read",
    person=_PERSON,
    resources={f"{API}/auth.test": _auth_test},
    quirks=(
        _ERRORS,
        quirk(
            "slack-app.user-scope",
            f"{INSTALLING}#asking",
            "scopes of a person are asked for by user_scope, with commas",
            settings={
                "scope_separator": ",",
                "scopes_supported": ("users:read", "users:read.email", "channels:read"),
                "pkce": "ignored",
            },
            request=_user_scope,
        ),
        quirk(
            "slack-app.authed-user",
            f"{DOCS}/reference/methods/oauth.v2.access#response",
            "the person's token stands in authed_user, of the type user, without a lifetime",
            settings={"refresh_tokens": "never", "access_token_lifetime": 43200},
            token=_nested,
        ),
    ),
    sometimes=(
        quirk(
            "slack-app.rotation",
            f"{ROTATION}#how-it-works",
            "with token rotation, tokens live for 12 hours and a refresh token serves once",
            scenario=Scenario.REFRESH,
            settings={"refresh_tokens": "always", "rotation": "single"},
            refresh=_nested,
        ),
        quirk(
            "slack-app.dead-refresh-token",
            f"{DOCS}/reference/methods/oauth.v2.access#errors",
            "a dead refresh token is called invalid_refresh_token",
            "invalid_grant",
            scenario=Scenario.DEAD_GRANT,
            settings={"refresh_tokens": "always", "rotation": "single"},
        ),
    ),
    unauthorized=Response.json({"ok": False, "error": "invalid_auth"}),
    forbidden=Response.json({"ok": False, "error": "missing_scope", "needed": "users:read"}),
    throttled=_THROTTLED,
)
