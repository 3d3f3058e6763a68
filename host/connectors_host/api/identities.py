"""``/my-account/identities``: the accounts elsewhere that a person signs in with."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from connectors_core.errors import ConnectorError, IdentityAmbiguous
from connectors_core.hub import ConnectorEntry, TokenStatus
from connectors_core.stores import Identity
from connectors_core.transaction import Purpose

from ..errors import HostError
from ..host import Host
from ..linking import link_to
from ..linking import unlink as unlink_identity
from ..permissions import missing
from .bodies import read_json, text
from .caller import calling
from .proof import completed_of, proven, recent, use
from .times import written


async def listed(request: Request) -> Response:
    """``GET``: every linked identity, with what is known of its tokens."""
    caller = await calling(request, "identities")
    host = Host.of(request)
    states = await host.hub.token_states(caller.owner)
    return JSONResponse({"identities": [described(host, status) for status in states]})


async def link(request: Request) -> Response:
    """``POST {newIdentifierVerificationRecordId}``: link what the record proves, and keep its tokens."""
    caller = await calling(request, "identities")
    host, body = Host.of(request), await read_json(request)
    record_id = text(body, "newIdentifierVerificationRecordId")
    record = await proven(host, record_id, owner=caller.owner, purposes=(Purpose.LINK,))
    async with recent(request, caller.session):
        await use(host, record)
        completed = completed_of(record)
        try:
            await link_to(host, completed, caller.owner)
        except (ConnectorError, HostError):
            await host.records.restore(record)
            raise
    return Response(status_code=204)


async def unlink(request: Request) -> Response:
    """``DELETE /my-account/identities/{target}``: tokens go with it, and the provider is told."""
    caller = await calling(request, "identities")
    identity = await identity_at(request, caller.owner)
    async with recent(request, caller.session):
        await unlink_identity(Host.of(request), identity, but=caller.session)
    return Response(status_code=204)


async def identity_at(request: Request, owner: str) -> Identity:
    """The identity of ``owner`` that the path's target names, or ``?identity=`` among several.

    Raises HostError (identity_not_found), IdentityAmbiguous.
    """
    if not owner.isprintable():  # no owner is, and PostgreSQL refuses to look for a NUL
        raise _not_there()
    host, target = Host.of(request), request.path_params["target"]
    entry, chosen = entry_of(host, target), request.query_params.get("identity")
    theirs = [
        each
        for each in await host.hub.identities(owner)
        if (each.target == target or (entry is not None and each.group == entry.group))
        and chosen in (None, each.id)
    ]
    if not theirs:
        raise _not_there()
    if len(theirs) > 1:
        raise IdentityAmbiguous(each.id for each in theirs)
    return theirs[0]


def entry_of(host: Host, target: str) -> ConnectorEntry | None:
    """The connector of that target, enabled or not."""
    return next((entry for entry in host.hub.connectors() if entry.target == target), None)


def _not_there() -> HostError:
    return HostError("identity_not_found", "there is no such identity")


def described(host: Host, status: TokenStatus) -> dict[str, Any]:
    """An identity as its owner sees it. Scopes say whether the provider stated them, or was only asked.

    Those that were asked for are as they were written then; what of them is missing says the connector.
    """
    identity, state = status.identity, status.state
    tokens: dict[str, Any] = {"status": status.status.value}
    if status.reason is not None:
        tokens["reason"] = status.reason.value
    if state is not None:
        tokens |= {
            "scope": " ".join(sorted(state.scopes)),
            "scopeSource": "granted" if state.scopes_stated else "requested",
            "requestedScope": " ".join(sorted(state.requested)),
            "missingScope": " ".join(missing(host, state)),
            "refreshable": state.has_refresh_token,
            "createdAt": written(state.created_at),
            "updatedAt": written(state.updated_at),
        }
        for name, at in (("expiresAt", state.expires_at), ("lastUsedAt", state.used_at)):
            if at is not None:
                tokens[name] = written(at)
    return {
        "id": identity.id,
        "target": identity.target,
        "connectorId": identity.connector,
        "profile": dict(identity.profile),
        "createdAt": written(identity.created_at),
        "updatedAt": written(identity.updated_at),
        "tokens": tokens,
    }
