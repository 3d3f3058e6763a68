"""``…/identities/{target}/access-token``: stored access tokens, for those who call providers' APIs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from connectors_core.config import AppSettings
from connectors_core.errors import ConnectorError, NotLinked
from connectors_core.events import Event
from connectors_core.transaction import Purpose

from ..errors import HostError
from ..host import Host
from .app_credentials import authenticated_app
from .bodies import read_json, text
from .caller import calling, refuse_documents
from .identities import entry_of, identity_at
from .proof import completed_of, mismatch, proven, use
from .scopes import scope_list

MAX_TTL = 86400.0
"""Seconds; no access token lives longer than a day."""


async def read(request: Request) -> Response:
    """``GET /my-account/identities/{target}/access-token``, also for browsers' pages."""
    refuse_documents(request)
    caller = await calling(request, "tokens", guarded=True, reads=request.path_params["target"])
    with _told(request, caller.owner, caller.app):
        if caller.app is not None and "tokens" not in caller.scopes:
            await _require_listed(request, caller.owner, Host.of(request).configuration.apps[caller.app])
        return await _answer(request, caller.owner, scopes=_scopes(request), min_ttl=_min_ttl(request))


async def update(request: Request) -> Response:
    """``PATCH``: merge what a record brought into what is stored; without scope, what there is now."""
    refuse_documents(request)
    caller = await calling(request, "tokens")
    host, body = Host.of(request), await read_json(request)
    record_id = text(body, "socialVerificationId", "verificationRecordId", "verificationId")
    identity = await identity_at(request, caller.owner)
    record = await proven(host, record_id, owner=caller.owner, purposes=(Purpose.TOKENS,))
    completed = completed_of(record)
    found = await host.hub.find_identity(completed)
    if found is None or found.id != identity.id:
        raise mismatch()
    if not host.hub.connector(completed.connector).settings.token_storage:
        raise _not_stored()
    await use(host, record)
    try:
        if await host.hub.save_tokens(completed, identity) is None:
            raise _not_stored()
    except (ConnectorError, HostError):
        await host.records.restore(record)
        raise
    with _told(request, caller.owner, caller.app):
        return await _answer(request, caller.owner)


async def read_for_app(request: Request) -> Response:
    """``GET /api/users/{owner}/identities/{target}/access-token``, with an application's credentials."""
    refuse_documents(request)
    name, app = authenticated_app(request)
    target, owner = request.path_params["target"], request.path_params["owner"]
    if target not in app.may_read_tokens:
        raise _not_listed()
    with _told(request, owner, name):
        await _require_listed(request, owner, app)
        return await _answer(request, owner, scopes=_scopes(request), min_ttl=_min_ttl(request))


async def _require_listed(request: Request, owner: str, app: AppSettings) -> None:
    """Connectors that share identities share the grant, and it may be one that is not listed."""
    host, identity = Host.of(request), await identity_at(request, owner)
    for status in await host.hub.token_states(owner):
        if status.identity.id != identity.id or status.state is None:
            continue
        if _target_of(host, status.state.ref.connector) not in app.may_read_tokens:
            raise _not_listed()


@contextmanager
def _told(request: Request, owner: str, app: str | None) -> Iterator[None]:
    """Tell observers that a token is read, by an application or by the person's own, and what comes of it."""
    host, outcome = Host.of(request), "server_error"
    try:
        yield
        outcome = "served"
    except (ConnectorError, HostError) as error:
        outcome = error.code
        raise
    finally:
        event = Event(
            name="tokens.read",
            at=host.clock(),
            tenant=host.hub.name,
            target=request.path_params["target"],
            owner=owner,
            detail={"outcome": outcome} | ({"app": app} if app else {}),
        )
        host.configuration.registry.plugins.observe(event)


async def _answer(
    request: Request, owner: str, *, scopes: list[str] | None = None, min_ttl: float = 0.0
) -> Response:
    host, target = Host.of(request), request.path_params["target"]
    identity = await identity_at(request, owner)
    try:
        token = await host.hub.access_token(
            target, owner=owner, scopes=scopes, min_ttl=min_ttl, identity=identity.id
        )
    except NotLinked:
        entry = entry_of(host, target)
        if entry is None or not entry.settings.token_storage:
            raise _not_stored() from None
        raise
    body: dict[str, Any] = {
        "access_token": token.access_token,
        "accessToken": token.access_token,
        "token_type": token.token_type,
        "scope": " ".join(sorted(token.scopes)),
    }
    if token.expires_at is not None:
        body["expires_in"] = max(0, math.floor(token.expires_at - host.clock()))
        body["expires_at"] = math.floor(token.expires_at)
    return JSONResponse(body)


def _target_of(host: Host, connector_id: str) -> str | None:
    return next((entry.target for entry in host.hub.connectors() if entry.id == connector_id), None)


def _not_listed() -> HostError:
    return HostError(
        "insufficient_scope",
        "the application's may_read_tokens does not list this target",
        headers={"WWW-Authenticate": 'Basic realm="connectors"'},
    )


def _not_stored() -> HostError:
    return HostError("token_storage_disabled", "this connector's tokens are not stored")


def _scopes(request: Request) -> list[str] | None:
    values = request.query_params.getlist("scope")
    if len(values) > 1 or any(len(value) > 2048 for value in values):
        raise HostError("invalid_request", "scope is given twice, or too long")
    return scope_list(values[0] if values else None)


def _min_ttl(request: Request) -> float:
    values = request.query_params.getlist("min_ttl") or ["0"]
    try:
        seconds = float(values[0]) if len(values) == 1 else math.nan
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= MAX_TTL:
        raise HostError("invalid_request", f"min_ttl must be a number of seconds, at most {MAX_TTL:.0f}")
    return seconds
