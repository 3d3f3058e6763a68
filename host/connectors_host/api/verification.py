"""``/api/verification/social``: authorizations that a signed-in person begins for more scopes, or to link."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from connectors_core.errors import NotFound, Step
from connectors_core.flow import contained
from connectors_core.hub import ConnectorEntry
from connectors_core.stores import Identity
from connectors_core.transaction import Purpose

from ..cookies import TRANSACTION
from ..errors import HostError
from ..host import Host
from ..linking import linkable
from ..sealing import kind_for, new_value
from ..unkept import kept_or_abandoned
from .bodies import optional_text, read_json, text
from .caller import calling
from .client_state import check_state, with_state
from .proof import conclude
from .records import Record, StateTaken, Status, UriTaken, new_record_id
from .scopes import scope_list
from .times import written

CONTINUE = "continue"
"""The kind of handle that leads a browser into a verification."""
CONTINUE_LIFETIME = 600.0
PURPOSES = {purpose.value: purpose for purpose in (Purpose.TOKENS, Purpose.LINK, Purpose.REAUTHENTICATE)}


async def create(request: Request) -> Response:
    """``POST /api/verification/social``."""
    caller = await calling(request, "verification")
    host, body = Host.of(request), await read_json(request)
    entry = host.connector(text(body, "connectorId"))
    redirect_uri = text(body, "redirectUri")
    is_here = redirect_uri == host.redirect_uri(entry.id)
    state = check_state(body, travels=not is_here)
    purpose, scopes = _purpose(body), scope_list(optional_text(body, "scope"))
    identities = [each for each in await host.hub.identities(caller.owner) if each.group == entry.group]
    if purpose is Purpose.LINK or (purpose is None and not identities):
        linkable(host, entry.id)
    if purpose in (Purpose.TOKENS, Purpose.REAUTHENTICATE) and not identities:
        raise HostError("identity_not_found", "there is no linked identity of this connector")
    wanted = {"scopes": scopes, "parameters": _hints(purpose, identities)}
    if is_here:
        record, uri = await _begin_here(host, caller.owner, entry, purpose, wanted)
    else:
        _require_registered(host, redirect_uri, app=caller.app)
        record, uri = await _begin_there(host, caller.owner, entry, purpose, wanted, redirect_uri, state)
    return JSONResponse(
        {
            "verificationRecordId": record.id,
            "authorizationUri": uri,
            "expiresAt": written(record.expires_at),
        },
        status_code=201,
    )


async def verify(request: Request) -> Response:
    """``POST /api/verification/social/verify``. Asking again after a success is no harm."""
    caller = await calling(request, "verification")
    host, body = Host.of(request), await read_json(request)
    record_id = text(body, "verificationRecordId", "verificationId")
    data = body.get("connectorData", {})
    if not isinstance(data, dict):
        raise HostError("invalid_request", "connectorData is not an object")
    record = await host.records.find(record_id, owner=caller.owner)
    received = _received(record, data)
    if record.status is Status.PENDING:
        if received is None:
            raise HostError("verification_pending", "the browser has not come back yet", step=Step.CALLBACK)
        completed = await host.hub.complete(
            received,
            connector=record.connector,
            binding=record.content["binding"],
            owner=caller.owner,
        )
        async with kept_or_abandoned(host, completed):
            await conclude(host, record, completed)
    return JSONResponse({"verificationRecordId": record.id})


async def go_on(request: Request) -> Response:
    """``GET /continue/{handle}``: off to the provider, for the person who asked and nobody else."""
    host = Host.of(request)
    session = await host.session(request)
    if session is None:
        raise HostError("unauthenticated", headers={"WWW-Authenticate": "Session"})
    kept = await host.hub.take_handle(kind_for(CONTINUE, session.owner), request.path_params["handle"])
    if kept is None:
        raise HostError("not_found")
    entry = host.connector(kept["connector"])
    started = await host.hub.begin(
        entry.id,
        redirect_uri=host.redirect_uri(entry.id),
        purpose=Purpose(kept["purpose"]),
        owner=session.owner,
        scopes=kept["scopes"],
        parameters=kept["parameters"],
        binding=host.cookies.get(request, TRANSACTION),
        refresh_token_stored=_refresh_token_stored(entry, Purpose(kept["purpose"])),
        data={"verification": kept["record"]},
    )
    response = RedirectResponse(started.uri, status_code=302)
    host.cookies.set(response, TRANSACTION, started.binding, lifetime=started.expires_at - host.clock())
    return response


async def _begin_here(
    host: Host, owner: str, entry: ConnectorEntry, purpose: Purpose | None, wanted: Mapping[str, Any]
) -> tuple[Record, str]:
    """With the host's own callback: the browser comes by first, so that it can be held to its session."""
    record = await host.records.create(
        record_id=new_record_id(),
        owner=owner,
        connector=entry.id,
        redirect_uri=host.redirect_uri(entry.id),
        purpose=purpose,
        content={},
    )
    data = {
        **wanted,
        "connector": entry.id,
        "purpose": (purpose or Purpose.TOKENS).value,
        "record": record.id,
    }
    handle = await host.hub.put_handle(kind_for(CONTINUE, owner), data, lifetime=CONTINUE_LIFETIME)
    return record, f"{host.settings.base_url}/continue/{handle}"


async def _begin_there(
    host: Host,
    owner: str,
    entry: ConnectorEntry,
    purpose: Purpose | None,
    wanted: Mapping[str, Any],
    redirect_uri: str,
    state: str | None,
) -> tuple[Record, str]:
    """With an application's URI: it brings the answer, and the record stands for the browser."""
    binding = new_value()
    started = await host.hub.begin(
        entry.id,
        redirect_uri=redirect_uri,
        purpose=purpose or Purpose.TOKENS,
        owner=owner,
        scopes=wanted["scopes"],
        parameters=wanted["parameters"],
        binding=binding,
        refresh_token_stored=_refresh_token_stored(entry, purpose or Purpose.TOKENS),
    )
    uri, ours = with_state(started.uri, state)
    names_itself = await _names_itself(entry)
    try:
        record = await host.records.create(
            record_id=new_record_id(),
            owner=owner,
            connector=entry.id,
            redirect_uri=redirect_uri,
            purpose=purpose,
            content={"binding": binding, "state": state or ours, "ours": ours},
            state=state,
            names_itself=names_itself,
            beside=await _beside(host, entry, redirect_uri, names_itself=names_itself),
        )
    except UriTaken as taken:
        raise HostError(
            "invalid_configuration",
            f"the connectors {entry.id} and {taken.connector} cannot share a redirect URI: only providers"
            " that have a known issuer and send iss (RFC 9207) can be told apart there",
        ) from None
    except StateTaken:
        raise HostError("invalid_request", "another verification is pending under this state") from None
    return record, uri


def _require_registered(host: Host, redirect_uri: str, *, app: str | None) -> None:
    """Raise HostError unless the redirect URI is an application's, to the letter; of ``app`` if it asks."""
    apps = host.configuration.apps
    if not any(redirect_uri in apps[name].redirect_uris for name in ([app] if app else apps)):
        raise HostError("invalid_request", "redirectUri is not one of an application's")


async def _names_itself(entry: ConnectorEntry) -> bool:
    with contained(entry.connector, Step.AUTHORIZATION_REQUEST):
        expected = await entry.connector.callback_issuer()
    return expected.issuer is not None and expected.required


async def _beside(host: Host, entry: ConnectorEntry, redirect_uri: str, *, names_itself: bool) -> str:
    """The holder of the redirect URI, if ``entry`` may share it; one that is off or gone loses it."""
    holder = await host.records.holder(redirect_uri)
    if holder is None or holder == entry.id:
        return ""
    try:
        other = host.connector(holder)
    except NotFound:
        await host.records.release(redirect_uri, holder=holder)
        return ""
    return holder if names_itself and await _names_itself(other) else ""


def _received(record: Record, data: Mapping[str, Any]) -> dict[str, Any] | None:
    """The callback as the hub knows it; None where the host's own callback gets it. Raises HostError."""
    if data.get("redirectUri", record.redirect_uri) != record.redirect_uri:
        raise HostError("invalid_request", "redirectUri is not the one of the verification record")
    if "ours" not in record.content:
        return None
    if data.get("state") != record.content["state"]:
        raise HostError(
            "state_mismatch", "the state is not the one of the verification record", step=Step.CALLBACK
        )
    received = {name: value for name, value in data.items() if name != "redirectUri"}
    return {**received, "state": record.content["ours"]}


def _purpose(body: Mapping[str, Any]) -> Purpose | None:
    purpose = optional_text(body, "purpose")
    if purpose is not None and purpose not in PURPOSES:
        raise HostError("invalid_request", f"the purposes are {', '.join(PURPOSES)}")
    return PURPOSES.get(purpose or "")


def _hints(purpose: Purpose | None, identities: list[Identity]) -> dict[str, str]:
    """Whom to ask for, as the stored identity says: never as the caller does."""
    if purpose is Purpose.LINK or len(identities) != 1:
        return {}
    known = identities[0].profile
    hints = {"login_hint": known.get("email"), "hd": known.get("hd")}
    return {name: value for name, value in hints.items() if isinstance(value, str) and value}


def _refresh_token_stored(entry: ConnectorEntry, purpose: Purpose) -> bool | None:
    """What to tell the connector of the grant: that a new refresh token is wanted, or that none is."""
    if purpose is Purpose.REAUTHENTICATE:
        return True
    return False if entry.settings.token_storage else None
