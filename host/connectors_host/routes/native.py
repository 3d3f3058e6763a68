"""Signing in with an ID token that an SDK on the device obtained. OpenID Connect Core §3.1.3.7."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from connectors_core.connector import VerifiesCredential
from connectors_core.errors import NotFound, Step
from connectors_core.flow import Completed
from connectors_core.hub import ConnectorEntry

from ..api.bodies import read_json, text
from ..api.times import written
from ..errors import HostError
from ..host import Host
from ..origins import is_foreign
from ..sealing import kind_for
from .arrival import arrive

NONCE = "native"
"""The kind of handle that a nonce is."""
NONCE_LIFETIME = 600.0
MAX_CREDENTIAL = 16 * 1024
"""Characters of the longest ID token that is read."""


async def issue_nonce(request: Request) -> Response:
    """``GET /native/{connector_id}``: the nonce that the SDK is to put into the ID token, good once."""
    host = Host.of(request)
    entry = _verifier(request, host)
    nonce = await host.hub.put_handle(kind_for(NONCE, entry.id), {}, lifetime=NONCE_LIFETIME)
    return JSONResponse({"nonce": nonce, "expiresAt": written(host.clock() + NONCE_LIFETIME)})


async def sign_in(request: Request) -> Response:
    """``POST /native/{connector_id}`` ``{credential, nonce}``: a session, and 303 to ``/user``.

    The nonce is used up whatever becomes of it, so no ID token comes in twice. Somebody who is signed
    in comes in as nobody else.
    """
    host = Host.of(request)
    entry = _verifier(request, host)
    _require_program(request, host)
    body = await read_json(request)
    credential, nonce = text(body, "credential", most=MAX_CREDENTIAL), text(body, "nonce")
    if await host.hub.take_handle(kind_for(NONCE, entry.id), nonce) is None:
        raise HostError("transaction_expired", "the nonce is unknown, used or expired")
    completed = await host.hub.verify_credential(
        entry.id, credential, nonce=nonce, data={"return_to": "/user"}
    )
    return await come_in(request, host, completed)


async def come_in(request: Request, host: Host, completed: Completed) -> Response:
    """``arrive`` with a credential: 303. Somebody who is signed in comes in as nobody else."""
    session, identity = await host.session(request), await host.hub.find_identity(completed)
    if session is not None and (identity is None or identity.owner != session.owner):
        raise HostError("owner_mismatch", "somebody else is signed in here", step=Step.LINKING)
    response = await arrive(request, host, completed, instead_of=session)
    if response.status_code == 302:
        response.status_code = 303
    return response


def _verifier(request: Request, host: Host) -> ConnectorEntry:
    entry = host.sign_in_connector(request.path_params["connector_id"])
    if not isinstance(entry.connector, VerifiesCredential):
        raise NotFound("there is no connector of that id")
    return entry


def _require_program(request: Request, host: Host) -> None:
    """Raise HostError where another site's page could be asking, to sign a person in as somebody else.

    No page sends JSON elsewhere without asking first, and this route answers no such question.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" or is_foreign(request, host.settings.base_url):
        raise HostError("csrf_failed", "this is for JSON of programs and of pages of this host")
