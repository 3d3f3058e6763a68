"""Back from the provider."""

from __future__ import annotations

from typing import cast
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from connectors_core.flow import Completed
from connectors_core.hub import ConnectorEntry
from connectors_core.transaction import Purpose

from ..api.proof import conclude
from ..cookies import TRANSACTION
from ..errors import HostError
from ..forms import read_body
from ..host import Host, signs_in
from ..pages import Pages, name_in
from ..pending import put_pending
from ..sealing import kind_for
from ..sessions import Session
from ..unkept import kept_or_abandoned
from .arrival import arrive
from .returned import ACCOUNT, returned

POSTED = "callback"
"""The kind of handle that keeps posted parameters."""
POSTED_LIFETIME = 60.0
"""Seconds between the POST and the GET that follows it."""


async def callback(request: Request) -> Response:
    """``GET`` and ``POST /callback/{connector_id}``."""
    if request.method == "POST":
        return await _keep(request)
    host = Host.of(request)
    entry = host.connector(request.path_params["connector_id"])
    connector_id = entry.id
    session = await host.session(request)
    if session is None:
        host.sign_in_connector(connector_id)
    received = await _received(request, host, connector_id)
    completed = await host.hub.complete(
        received,
        connector=connector_id,
        binding=host.cookies.get(request, TRANSACTION),
        owner=session.owner if session else None,
        purposes=[each for each in Purpose if each is not Purpose.SIGN_IN or signs_in(entry)],
    )
    if session is not None and ACCOUNT in completed.data:
        return await returned(host, completed, session)
    if completed.purpose is not Purpose.SIGN_IN:
        return await _verified(request, host, entry, completed)
    identity = await host.hub.find_identity(completed)
    if session and (identity is None or identity.owner != session.owner):
        return await _ask(request, host, session, completed)
    return await arrive(request, host, completed, instead_of=session)


async def _verified(request: Request, host: Host, entry: ConnectorEntry, completed: Completed) -> Response:
    """What a signed-in person began through the API: ``complete`` has held the session to its owner."""
    record_id = completed.data.get("verification")
    async with kept_or_abandoned(host, completed):
        if completed.owner is None or not isinstance(record_id, str):
            raise HostError("invalid_request", "this authorization is not a sign-in")
        record = await host.records.find(record_id, owner=completed.owner)
        await conclude(host, record, completed)
    pages = cast("Pages", request.app.state.pages)
    return pages.render(request, "verified.html", provider=name_in(request, entry.name, entry.id))


async def _keep(request: Request) -> Response:
    """Keep a posted answer for the GET that carries the browser's cookies.

    A cross-site POST comes without SameSite=Lax cookies, so nothing is consumed here.
    """
    host = Host.of(request)
    connector_id = host.connector(request.path_params["connector_id"]).id
    body = await read_body(request)
    data = {"body": body.decode("latin-1")}
    handle = await host.hub.put_handle(kind_for(POSTED, connector_id), data, lifetime=POSTED_LIFETIME)
    location = f"/callback/{quote(connector_id, safe='')}?{urlencode({'h': handle})}"
    return RedirectResponse(location, status_code=303)


async def _received(request: Request, host: Host, connector_id: str) -> bytes:
    """The answer as the provider sent it, from the query or from the POST before."""
    if [*request.query_params.keys()] != ["h"] or len(request.query_params.multi_items()) != 1:
        return cast("bytes", request.scope["query_string"])
    kept = await host.hub.take_handle(kind_for(POSTED, connector_id), request.query_params["h"])
    if kept is None:
        raise HostError("transaction_expired", "the posted answer is no longer kept")
    return cast("str", kept["body"]).encode("latin-1")


async def _ask(request: Request, host: Host, session: Session, completed: Completed) -> Response:
    """Nothing is linked, created or switched unasked: keep the result and ask."""
    pages = cast("Pages", request.app.state.pages)
    entry = host.hub.connector(completed.connector)
    account = await host.accounts.find(session.owner)
    handle = await put_pending(host, completed, owner=session.owner)
    profile = completed.profile
    return pages.render(
        request,
        "switch.html",
        current=account.label if account else session.owner,
        current_email=account.email if account else None,
        other=profile.name or profile.email or profile.id,
        other_email=profile.email,
        provider=name_in(request, entry.name, entry.id),
        handle=handle,
        csrf_token=session.csrf_token,
    )
