"""Paths of the provider and who answers there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from .authorize import SESSION_COOKIE, authorize
from .grants import Refused
from .messages import Request, Response
from .statements import key_set, metadata
from .token import api, bearer, encoded, revoke, token, user, userinfo

if TYPE_CHECKING:
    from .provider import Provider
    from .records import Recorded

_PATHS = {
    "/.well-known/openid-configuration": "discovery",
    "/jwks": "jwks",
    "/authorize": "authorize",
    "/token": "token",
    "/userinfo": "userinfo",
    "/user": "user",
    "/revoke": "revoke",
    "/logout": "end_session",
}
_URLS = {endpoint: path for path, endpoint in _PATHS.items()}


def endpoint_url(issuer: str, endpoint: str) -> str:
    return issuer.rstrip("/") + _URLS[endpoint]


def endpoint_at(issuer: str, path: str) -> str:
    """The endpoint behind a path, empty for none."""
    base = urlsplit(issuer).path.rstrip("/")
    if path == f"/.well-known/oauth-authorization-server{base}":
        return "discovery"
    if not path.startswith(base):
        return ""
    rest = path.removeprefix(base)
    return "api" if rest.startswith("/api/") else _PATHS.get(rest, "")


def answer(provider: Provider, request: Request, recorded: Recorded) -> Response:
    """The answer to one request, before anything goes wrong on purpose but the deviations in force."""
    endpoint = recorded.endpoint
    handler = _HANDLERS.get(endpoint)
    if handler is None:
        return Response(status=404)
    try:
        response = handler(provider, request, recorded)
    except Refused as refused:
        response = _refusal(provider, request, refused)
    refreshing = endpoint == "token" and recorded.parameters.get("grant_type") == "refresh_token"
    edited: Response = provider.edited(f"answer_{'refresh' if refreshing else endpoint}", response)
    return edited


def _refusal(provider: Provider, request: Request, refused: Refused) -> Response:
    if refused.error in ("invalid_token", "insufficient_scope") and refused.status in (401, 403):
        if refused.error in provider.api_refusals:
            return provider.api_refusals[refused.error]
        challenge = f'Bearer error="{refused.error}"'
        return Response(status=refused.status, headers={"www-authenticate": challenge})
    body = provider.edited("error", {"error": refused.error, "error_description": refused.description})
    status = 200 if provider.errors_with_200 else refused.status
    return encoded(provider, request, body, status=status)


def _resource(provider: Provider, request: Request, recorded: Recorded) -> Response:
    found = provider.resource_at(request)
    if found is None:
        return Response(status=405)
    said = found(provider, request, bearer(provider, request))
    return said if isinstance(said, Response) else Response.json(said)


def _discovery(provider: Provider, request: Request, recorded: Recorded) -> Response:
    if not provider.openid and request.path.endswith("openid-configuration"):
        return Response(status=404)
    return Response.json(metadata(provider), cache_control="max-age=3600")


def _jwks(provider: Provider, request: Request, recorded: Recorded) -> Response:
    return Response.json(key_set(provider), cache_control="max-age=3600")


def _end_session(provider: Provider, request: Request, recorded: Recorded) -> Response:
    """OpenID Connect RP-Initiated Logout §2, §3."""
    asked = recorded.parameters
    named = provider.clients.get(asked.get("client_id", ""))
    clients = [named] if named else list(provider.clients.values())
    cleared = {"set-cookie": f"{SESSION_COOKIE}=; Max-Age=0; Path=/"}
    uri = asked.get("post_logout_redirect_uri")
    if uri is None:
        return Response(headers=cleared, body=b"signed out")
    if not any(uri in client.post_logout_redirect_uris for client in clients):
        return Response(status=400, body=b"post_logout_redirect_uri is not registered")
    query = f"?{urlencode({'state': asked['state']})}" if "state" in asked else ""
    return Response(status=302, headers={"location": uri + query, **cleared})


_HANDLERS: dict[str, Callable[[Provider, Request, Recorded], Response]] = {
    "discovery": _discovery,
    "jwks": _jwks,
    "authorize": authorize,
    "token": token,
    "userinfo": userinfo,
    "user": user,
    "revoke": revoke,
    "api": api,
    "resource": _resource,
    "end_session": _end_session,
}
