"""What Google's One Tap prompt on the sign-in page posts."""

from __future__ import annotations

import hmac
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response

from connectors_core.errors import NotFound

from ..errors import HostError
from ..forms import read_form
from ..host import Host
from ..one_tap import nonce_of, one_tap_at, take_prompt
from ..origins import is_foreign
from .native import MAX_CREDENTIAL, come_in

CSRF = "g_csrf_token"
"""The cookie that Google's script sets on this origin, and the field that repeats it."""


async def sign_in(request: Request) -> Response:
    """``POST /one-tap/{connector_id}``: ``credential`` and ``g_csrf_token``; 303 onward.

    What comes of it is what comes of a callback. A credential whose prompt was used, is over, or was shown
    in another browser counts for nothing, so none comes in twice.
    """
    host = Host.of(request)
    entry = host.sign_in_connector(request.path_params["connector_id"])
    if one_tap_at(host, entry, nonce="") is None:
        raise NotFound("there is no One Tap at this connector")
    fields = await read_form(request)
    _require_own_prompt(request, host, fields.get(CSRF, ""))
    credential = fields.get("credential", "")
    if not 0 < len(credential) <= MAX_CREDENTIAL:
        raise HostError("invalid_request", "credential is missing, or too long")
    nonce = nonce_of(credential)
    completed = await host.hub.verify_credential(entry.id, credential, nonce=nonce)
    kept = await take_prompt(request, host, entry, nonce)
    if kept is None:
        raise HostError("transaction_expired", "the prompt is used, over, or was shown in another browser")
    return await come_in(request, host, replace(completed, data={"return_to": kept["return_to"]}))


def _require_own_prompt(request: Request, host: Host, posted: str) -> None:
    """Raise HostError (csrf_failed) unless the form comes from a page of this host: the script's cookie and
    the field agree, and the browser names no other site."""
    cookie = request.cookies.get(CSRF, "")
    same = bool(cookie) and hmac.compare_digest(cookie.encode(), posted.encode())
    if not same or is_foreign(request, host.settings.base_url):
        raise HostError("csrf_failed", "the form and the cookie of the prompt do not belong together")
