"""Facebook Login, by its documentation of 2025."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any

from ...metadata import ServerMetadata
from ..provider import Person, Provider, Request, Response, Scenario
from ..provider.cases.case import having
from ..provider.grants import AccessToken, Refused
from .profile import ProviderProfile, quirk

DOCS = "developers.facebook.com/docs"
FLOW = f"{DOCS}/facebook-login/guides/advanced/manual-flow"
ERRORS = f"{DOCS}/graph-api/guides/error-handling"
GRAPH = "https://graph.facebook.com/v23.0"
LONG_LIVED = 5183944


def failed(message: str, code: int, *, status: int = 400, **headers: str) -> Response:
    """An error as the Graph API tells it."""
    error = {"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "AbCdEfGh"}
    return Response.json({"error": error}, status=status, **headers)


def _checked(provider: Provider, request: Request, access: AccessToken) -> dict[str, str]:
    """The parameters of a call whose ``appsecret_proof``, where there is one, is right."""
    asked = dict(request.query_pairs())
    secret = provider.clients[access.grant.client_id].secret.encode()
    token = request.headers["authorization"].partition(" ")[2]
    proof = hmac.digest(secret, token.encode(), "sha256").hex()
    if asked.get("appsecret_proof", proof) != proof:
        raise Refused("invalid_request", "Invalid appsecret_proof provided in the API argument")
    return asked


def _me(provider: Provider, request: Request, access: AccessToken) -> Any:
    """``GET /me``: id and name, and else what ``fields`` names; the address for its permission alone."""
    asked = _checked(provider, request, access).get("fields", "id,name")
    names = {name.partition(".")[0].strip() for name in asked.split(",")} | {"id"}
    if "email" not in access.scopes:
        names.discard("email")
    return {name: value for name, value in access.grant.person.claims.items() if name in names}


def _permissions_gone(provider: Provider, request: Request, access: AccessToken) -> Any:
    """``DELETE /me/permissions`` ends every token of that person for the app."""
    _checked(provider, request, access)
    for each in (access.grant, *provider.ledger.grants_like(access.grant)):
        each.revoked = "revocation"
    return {"success": True}


def _long_lived(provider: Provider, form: Mapping[str, str]) -> dict[str, Any]:
    value = form.get("fb_exchange_token", "")
    access = provider.ledger.live_access_token(value, now=provider.clock())
    expires_at = provider.clock() + LONG_LIVED
    token = provider.ledger.add_access_token(access.grant, access.scopes, expires_at=expires_at)
    return {"access_token": token, "token_type": "bearer", "expires_in": LONG_LIVED}


def _nested(error: dict[str, Any], provider: Provider) -> dict[str, Any]:
    code = {"invalid_client": 101, "invalid_token": 190}.get(error["error"], 100)
    told = {"message": error["error_description"], "type": "OAuthException", "code": code}
    return {"error": {**told, "fbtrace_id": "AbCdEfGh"}}


def _why_denied(pairs: list[tuple[str, str]], provider: Provider) -> list[tuple[str, str]]:
    if ("error", "access_denied") not in pairs:
        return pairs
    return [*pairs, ("error_reason", "user_denied"), ("error_description", "Permissions error")]


FACEBOOK = ProviderProfile(
    name="facebook",
    server=ServerMetadata(
        authorization_endpoint="https://www.facebook.com/v23.0/dialog/oauth",
        token_endpoint=f"{GRAPH}/oauth/access_token",
    ),
    more_scope="user_birthday",
    person=Person(
        sub="10158",
        claims={
            "id": "10158",
            "name": "Alice Example",
            "email": "alice@example.org",
            "picture": {
                "data": {"url": "https://platform-lookaside.fbsbx.com/1.jpg", "is_silhouette": False}
            },
        },
    ),
    resources={f"{GRAPH}/me": _me, f"DELETE {GRAPH}/me/permissions": _permissions_gone},
    quirks=(
        quirk(
            "facebook.scopes-with-commas",
            f"{FLOW}#login",
            "permissions are asked for with commas; the answer does not tell which were granted",
            settings={
                "scope_separator": ",",
                "states_scope": False,
                "scopes_supported": ("public_profile", "email", "user_birthday", "pages_show_list"),
                "pkce": "ignored",
            },
        ),
        quirk(
            "facebook.no-refresh",
            f"{DOCS}/facebook-login/guides/access-tokens/get-long-lived",
            "there are no refresh tokens: a token of an hour or two is exchanged for one of about 60 days",
            settings={
                "refresh_tokens": "never",
                "access_token_lifetime": 5400,
                "grant_types": {"fb_exchange_token": _long_lived},
            },
            token=having(token_type="bearer"),
        ),
        quirk(
            "facebook.nested-errors",
            ERRORS,
            "error is an object with message, type and a number",
            "provider_error",
            scenario=Scenario.SPENT_CODE,
            error=_nested,
        ),
        quirk(
            "facebook.why-denied",
            f"{FLOW}#cancel",
            "the callback of somebody who cancels carries error_reason too",
            "access_denied",
            scenario=Scenario.DENIED,
            authorization=_why_denied,
        ),
    ),
    sometimes=(
        quirk(
            "facebook.no-address",
            f"{DOCS}/permissions/reference/email",
            "the person unticks the address, and nothing but its absence says so",
            settings={"refused_scopes": frozenset({"email"})},
        ),
        quirk(
            "facebook.no-lifetime",
            f"{DOCS}/facebook-login/guides/access-tokens",
            "a token that does not expire tells no lifetime",
            token=lambda payload, provider: {
                name: value for name, value in payload.items() if name != "expires_in"
            },
        ),
    ),
    unauthorized=failed("Error validating access token: Session has expired.", 190),
    forbidden=failed("(#200) Requires permission", 200, status=403),
    throttled=failed("(#4) Application request limit reached", 4, x_app_usage='{"call_count": 100}'),
)
