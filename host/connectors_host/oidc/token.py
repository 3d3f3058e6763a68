"""``POST /oidc/token`` and ``/oidc/token/revocation``. RFC 6749 §4.1.3, §6, RFC 7009."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from authlib.oauth2.rfc6749.errors import (  # type: ignore[import-untyped]
    InvalidGrantError,
    InvalidRequestError,
    OAuth2Error,
)
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..api.bearer import LIFETIME
from ..host import Host
from . import id_tokens, protocol, scopes
from .answers import as_json, issuer_of, read_parameters
from .clients import Client, authenticated
from .grant import Grant, Refresh


@as_json
async def token(request: Request) -> Response:
    """A code, or a refresh token, for tokens."""
    parameters = await read_parameters(request)
    client, method = authenticated(request, parameters)
    match parameters.get("grant_type"):
        case "authorization_code":
            return await _redeem(request, client, method, parameters)
        case "refresh_token":
            return await _refresh(request, client, parameters)
        case None:
            raise InvalidRequestError("Missing 'grant_type' in request.")
    raise OAuth2Error("authorization_code and refresh_token are supported.", error="unsupported_grant_type")


@as_json
async def revoke(request: Request) -> Response:
    """A refresh token takes its whole grant along, an access token goes alone. RFC 7009 §2.1."""
    parameters = await read_parameters(request)
    client, _ = authenticated(request, parameters)
    host, presented = Host.of(request), parameters.get("token")
    if presented is None:
        raise InvalidRequestError("Missing 'token' in request.")
    refresh = await host.grants.with_refresh_token(presented)
    access = None if refresh else await host.app_tokens.open(presented)
    grant = refresh[0] if refresh else access.grant if access else None
    if grant is not None and grant.client_id != client.client_id:
        raise InvalidGrantError("The token was given to another application.")
    if refresh:
        await _take_back(host, refresh[0], reason="revoked")
    elif access:
        await host.app_tokens.revoke(presented)
    return JSONResponse({})


async def _redeem(request: Request, client: Client, method: str, parameters: Mapping[str, str]) -> Response:
    host = Host.of(request)
    code = await host.grants.with_code(parameters.get("code", ""))
    protocol.check_redemption(client, method, parameters, code=code, uri=host.settings.base_url)
    _check_resource(host, parameters)
    assert code is not None  # check_redemption has refused a code that is not found
    redeemed = await host.grants.redeem(code, lifetime=LIFETIME)
    session = await host.sessions.find(code.session_id)
    if redeemed is None or session is None:
        # A second use: what the first one got is taken back. RFC 6749 §4.1.2.
        await _take_back(host, code.grant, reason="code_reused" if redeemed is None else "session_ended")
        raise InvalidGrantError("The code was used before, or the session has ended.")
    grant, refresh_token = redeemed
    host.tell("application.granted", owner=grant.owner, app=grant.client_id)
    depends_on = None if grant.offline else session.id
    return await _answer(
        host, grant, grant.scope, session_id=depends_on, nonce=code.nonce, refresh_token=refresh_token
    )


async def _refresh(request: Request, client: Client, parameters: Mapping[str, str]) -> Response:
    host, presented = Host.of(request), parameters.get("refresh_token", "")
    found = await host.grants.with_refresh_token(presented)
    protocol.check_refresh(client, parameters, grant=found[0] if found else None, uri=host.settings.base_url)
    _check_resource(host, parameters)
    assert found is not None  # check_refresh has refused a token that is not found
    grant, kind = found
    successor = None if kind is Refresh.SPENT else await host.grants.rotate(grant, presented)
    if successor is None:
        # Two hold tokens of one grant, and one of them is a thief. RFC 9700 §4.14.2.
        await _take_back(host, grant, reason="refresh_token_reused")
        raise InvalidGrantError("The refresh token was used before, or its grant has ended.")
    asked = parameters.get("scope")
    granted = scopes.understood(asked) if asked else grant.scope
    renewed = await host.grants.find(grant.id)
    if renewed is None:
        raise InvalidGrantError("The grant has ended.")
    return await _answer(host, renewed, granted, session_id=None, nonce=None, refresh_token=successor)


async def _answer(
    host: Host,
    grant: Grant,
    granted: tuple[str, ...],
    *,
    session_id: str | None,
    nonce: str | None,
    refresh_token: str | None,
) -> Response:
    account = await host.accounts.find(grant.owner)
    if account is None:
        await _take_back(host, grant, reason="account_gone")
        raise InvalidGrantError("The account is gone.")
    access_token, expires_in = await host.app_tokens.issue(grant, granted, session_id=session_id)
    content: dict[str, Any] = {
        "access_token": access_token,
        "token_type": "Bearer",
        "expires_in": expires_in,
        "scope": " ".join(granted),
    }
    if refresh_token is not None:
        content["refresh_token"] = refresh_token
    if scopes.OPENID in granted:
        content["id_token"] = id_tokens.signed(
            grant,
            scopes.claims_for(granted, account.claims()),
            key=await host.signing_keys.current(),
            issuer=issuer_of(host),
            now=host.clock(),
            access_token=access_token,
            nonce=nonce,
        )
    return JSONResponse(content, headers={"Pragma": "no-cache"})


async def _take_back(host: Host, grant: Grant, *, reason: str) -> None:
    """End ``grant``, if nothing has meanwhile: a person's own sign-out is no alarm."""
    if await host.grants.end(grant.id):
        host.tell("application.ended", owner=grant.owner, app=grant.client_id, reason=reason)


def _check_resource(host: Host, parameters: Mapping[str, str]) -> None:
    """RFC 8707: every access token is for this host; there are no organizations (Logto's) here."""
    if parameters.get("resource", host.settings.base_url) != host.settings.base_url:
        raise protocol.InvalidTargetError
    if "organization_id" in parameters:
        raise protocol.InvalidTargetError
