"""``/oidc/session/end``: out of the application, and of this host. OpenID Connect RP-Initiated Logout §2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ..csrf import require_own_form
from ..errors import HostError
from ..forms import read_form
from ..host import Host
from ..pages import Pages
from ..routes.sign_out import leave_host
from ..sealing import kind_for
from . import id_tokens
from .answers import issuer_of
from .clients import client_of
from .wanted import MAX_VALUE

POSTED = "posted logout"
QUESTION = "logout question"
KEPT_LIFETIME = 600.0
"""Seconds that a person may take to answer."""
PATH = "/oidc/session/end"


async def end_session(request: Request) -> Response:
    """``GET``, and ``POST`` by way of a GET that carries the cookies.

    Without an ID token of the very session that would end, anybody may have sent the person here: asks.
    """
    host = Host.of(request)
    if request.method == "POST":
        asked = await _judged(host, await read_form(request))
        handle = await host.hub.put_handle(POSTED, asked, lifetime=KEPT_LIFETIME)
        return RedirectResponse(f"{PATH}?{urlencode({'h': handle})}", status_code=303)
    pairs = request.query_params.multi_items()
    sent = dict(pairs)
    if len(pairs) != len(sent):
        raise HostError("invalid_request", "a parameter is given twice")
    if [*sent] == ["h"]:
        kept = await host.hub.take_handle(POSTED, sent["h"])
        if kept is None:
            raise HostError("transaction_expired", "the request is no longer kept")
        asked = kept
    else:
        asked = await _judged(host, sent)
    after = asked["after"]
    signed_in = await host.signed_in(request)
    if signed_in is None:
        return RedirectResponse(after or "/signed-out", status_code=302)
    session, account = signed_in
    if asked["sid"] == session.handle and "prefetch" not in request.headers.get("sec-purpose", ""):
        return await leave_host(request, host, session, after)
    kind = kind_for(QUESTION, session.id)
    return cast("Pages", request.app.state.pages).render(
        request,
        "end_session.html",
        account=account,
        stay=after or "/",
        csrf_token=session.csrf_token,
        handle=await host.hub.put_handle(kind, {"after": after}, lifetime=KEPT_LIFETIME),
    )


async def confirmed(request: Request) -> Response:
    """``POST /oidc/session/end/confirm``: the person has said yes."""
    host = Host.of(request)
    fields = await read_form(request)
    session = await host.session(request)
    if session is None:
        return RedirectResponse("/signed-out", status_code=303)
    require_own_form(request, host, session, fields)
    kept = await host.hub.take_handle(kind_for(QUESTION, session.id), fields.get("handle", ""))
    if kept is None:
        raise HostError("transaction_expired", "there is nothing left to decide")
    return await leave_host(request, host, session, kept["after"])


async def _judged(host: Host, sent: Mapping[str, str]) -> Mapping[str, Any]:
    """What is asked: ``sid`` is the session it knows of, ``after`` where to go. Raises HostError."""
    hint = await _hint(host, sent)
    return {"sid": hint.get("sid"), "after": _after(host, sent, hint)}


async def _hint(host: Host, sent: Mapping[str, str]) -> Mapping[str, object]:
    """The claims of ``id_token_hint``, empty without one. Raises HostError where it is none of ours."""
    token = sent.get("id_token_hint")
    if not token:
        return {}
    claims = await id_tokens.hinted(token, keys=host.signing_keys, issuer=issuer_of(host))
    if claims is None or sent.get("client_id", claims.get("aud")) != claims.get("aud"):
        raise HostError("invalid_request", "id_token_hint is no ID token of this application")
    return claims


def _after(host: Host, sent: Mapping[str, str], hint: Mapping[str, object]) -> str | None:
    """Where to go afterwards, with ``state``: a URI of the application's list. Raises HostError."""
    client_id, uri = sent.get("client_id") or hint.get("aud"), sent.get("post_logout_redirect_uri")
    client = client_of(host, str(client_id)) if client_id else None
    if client_id and client is None:
        raise HostError("invalid_request", "client_id names no application of this host")
    if not uri:
        return None
    if client is None or uri not in client.settings.post_logout_redirect_uris:
        raise HostError("invalid_request", "post_logout_redirect_uri is not one of the application's")
    state = sent.get("state", "")
    if len(state) > MAX_VALUE:
        raise HostError("invalid_request", f"state is longer than {MAX_VALUE} characters")
    return uri + ("&" if "?" in uri else "?") + urlencode({"state": state}) if state else uri
