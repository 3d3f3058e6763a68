"""``/my-account`` and its sessions: where a person is signed in, what is kept, and the way out."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..cookies import SESSION
from ..errors import HostError
from ..host import Host
from ..personal_data import delete_account, export_account
from ..sessions import SessionInfo
from .caller import Caller, calling
from .proof import recent
from .times import written

SCOPE = "identities"


async def export(request: Request) -> Response:
    """``GET /my-account/export``: everything that is kept about the person; no token is in it."""
    caller = await calling(request, SCOPE)
    return JSONResponse(await export_account(Host.of(request), caller.owner))


async def delete(request: Request) -> Response:
    """``DELETE /my-account``: the person is forgotten; tokens are revoked, or queued to be."""
    caller = await calling(request, SCOPE)
    async with recent(request, caller.session):
        await delete_account(Host.of(request), caller.owner)
    return _out(request)


async def sessions(request: Request) -> Response:
    """``GET /my-account/sessions``."""
    caller = await calling(request, SCOPE)
    theirs = await Host.of(request).sessions.of_owner(caller.owner)
    return JSONResponse({"sessions": [_described(each, caller) for each in theirs]})


async def session(request: Request) -> Response:
    """``GET /my-account/sessions/{id}``."""
    caller = await calling(request, SCOPE)
    for each in await Host.of(request).sessions.of_owner(caller.owner):
        if each.handle == request.path_params["id"]:
            return JSONResponse(_described(each, caller))
    raise _not_there()


async def end_sessions(request: Request) -> Response:
    """``DELETE /my-account/sessions``: sign out everywhere, here too."""
    caller = await calling(request, SCOPE)
    await Host.of(request).sessions.end_all(caller.owner)
    Host.of(request).tell("sessions.ended", owner=caller.owner)
    return _out(request)


async def end_session(request: Request) -> Response:
    """``DELETE /my-account/sessions/{id}``."""
    caller = await calling(request, SCOPE)
    handle = request.path_params["id"]
    if not await Host.of(request).sessions.end_one(caller.owner, handle):
        raise _not_there()
    Host.of(request).tell("session.ended", owner=caller.owner)
    return _out(request) if handle == caller.session.handle else Response(status_code=204)


def _described(info: SessionInfo, caller: Caller) -> dict[str, Any]:
    return {
        "id": info.handle,
        "connectorId": info.connector,
        "createdAt": written(info.created_at),
        "lastSeenAt": written(info.last_seen_at),
        "expiresAt": written(info.expires_at),
        "current": info.handle == caller.session.handle,
    }


def _out(request: Request) -> Response:
    """The answer to who has no session any more; a bearer token leaves the cookie alone."""
    response = Response(status_code=204)
    if "authorization" not in request.headers:
        Host.of(request).cookies.clear(response, SESSION)
    return response


def _not_there() -> HostError:
    return HostError("not_found", "there is no such session")
