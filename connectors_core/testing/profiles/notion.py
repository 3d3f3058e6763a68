"""Notion, by its documentation of 2025."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ...metadata import ServerMetadata
from ..provider import Person, Provider, Request, Response, Scenario
from ..provider.grants import AccessToken, Grant, Refused
from .profile import ProviderProfile, grant_of, quirk

DOCS = "developers.notion.com"
GUIDE = f"{DOCS}/guides/get-started/authorization"
API = "https://api.notion.com/v1"
BOT = "16d84278-ab0e-484c-9bdd-b35da3bd8905"


def _me(provider: Provider, request: Request, access: AccessToken) -> Any:
    """``GET /v1/users/me``, developers.notion.com/reference/get-self: the bot, and who owns it."""
    if "notion-version" not in request.headers:
        told = "Notion-Version header failed validation: it should be defined."
        return Response.json(
            {"object": "error", "status": 400, "code": "missing_version", "message": told}, status=400
        )
    bot = {"owner": {"type": "user", "user": dict(access.grant.person.claims)}}
    return {"object": "user", "id": BOT, "name": "A connection", "type": "bot", "bot": bot}


def _for_a_user(request: dict[str, str], provider: Provider) -> dict[str, str]:
    if request.get("owner") != "user":
        raise Refused("invalid_request", "owner must be user")
    return request


def _basic_alone(form: dict[str, str], provider: Provider) -> dict[str, str]:
    if "client_secret" in form:
        raise Refused("invalid_client", "the client authenticates by HTTP Basic", status=401)
    return form


def _telling_the_workspace(payload: dict[str, Any], provider: Provider) -> dict[str, Any]:
    person = dict(grant_of(payload, provider).person.claims)
    kept = {name: value for name, value in payload.items() if name != "expires_in"}
    return {
        **kept,
        "token_type": "bearer",
        "bot_id": BOT,
        "workspace_name": "Alice's Notion",
        "workspace_icon": None,
        "workspace_id": "f6a4bd17-c9c4-4f2f-aee9-e7ee2a3a9e7d",
        "owner": {"type": "user", "user": person},
        "duplicated_template_id": None,
        "request_id": "b6a23d1b-5a5c-4f4c-9f7c-0a2f8f6d4c11",
    }


def _no_scopes(grant: Grant, provider: Provider) -> Grant:
    return replace(grant, scopes=())


NOTION = ProviderProfile(
    name="notion",
    server=ServerMetadata(
        authorization_endpoint=f"{API}/oauth/authorize",
        token_endpoint=f"{API}/oauth/token",
        userinfo_endpoint=f"{API}/users/me",
        revocation_endpoint=f"{API}/oauth/revoke",
    ),
    person=Person(
        sub="5389a034-eb5c-47b5-8a9e-f79c99ef166c",
        claims={
            "object": "user",
            "id": "5389a034-eb5c-47b5-8a9e-f79c99ef166c",
            "name": "Alice Example",
            "avatar_url": "https://s3.example/alice.png",
            "type": "person",
            "person": {"email": "alice@example.org"},
        },
    ),
    resources={f"{API}/users/me": _me},
    quirks=(
        quirk(
            "notion.json-requests",
            f"{DOCS}/reference/create-a-token",
            "the token request is JSON",
            settings={"token_request": "json", "pkce": "ignored"},
        ),
        quirk(
            "notion.basic",
            f"{DOCS}/reference/create-a-token",
            "the client authenticates by HTTP Basic, as it is and not form-encoded first",
            settings={"basic_encoded": False, "auth_methods": ("client_secret_basic",)},
            form=_basic_alone,
        ),
        quirk(
            "notion.owner",
            f"{GUIDE}#public-connection-auth-flow-set-up",
            "the authorization request says owner=user, and names no scope",
            request=_for_a_user,
            grant=_no_scopes,
        ),
        quirk(
            "notion.no-lifetime-no-scope",
            f"{DOCS}/reference/create-a-token",
            "the answer tells neither lifetime nor scope, and holds workspace and owner",
            scenario=Scenario.REFRESH,
            settings={"states_scope": False, "access_token_lifetime": 365 * 86400},
            token=_telling_the_workspace,
            refresh=_telling_the_workspace,
        ),
        quirk(
            "notion.rotation",
            f"{DOCS}/reference/refresh-a-token",
            "a refresh gives another refresh token; the use of an old one ends all of them",
            scenario=Scenario.REFRESH,
            settings={"refresh_tokens": "always", "rotation": "strict"},
        ),
        quirk(
            "notion.errors",
            f"{DOCS}/reference/status-codes#error-codes",
            "errors carry a request_id",
            "invalid_grant",
            scenario=Scenario.SPENT_CODE,
            error=lambda error, provider: {**error, "request_id": "b6a23d1b-5a5c-4f4c-9f7c-0a2f8f6d4c12"},
        ),
    ),
    unauthorized=Response.json(
        {"object": "error", "status": 401, "code": "unauthorized", "message": "API token is invalid."},
        status=401,
    ),
    forbidden=Response.json(
        {"object": "error", "status": 403, "code": "restricted_resource", "message": "No access."}, status=403
    ),
    throttled=Response.json(
        {"object": "error", "status": 429, "code": "rate_limited", "message": "You have been rate limited."},
        status=429,
        retry_after="30",
    ),
)
