"""Out again, here and at the provider."""

from __future__ import annotations

import logging
from typing import cast
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from connectors_core.errors import ConnectorError

from ..answers import wants_page
from ..cookies import SESSION
from ..csrf import require_own_page
from ..errors import HostError
from ..forms import read_form
from ..host import Host
from ..pages import Pages, name_in
from ..sessions import Session

log = logging.getLogger("connectors_host")

LEAVING = "end_session"
"""The kind of handle that keeps the provider's logout address, which holds an ID token."""
LEAVING_LIFETIME = 60.0
AFTERWARDS = "signed_out"
"""The kind of handle that keeps where the person wants to go after the provider."""
AFTERWARDS_LIFETIME = 600.0


async def sign_out(request: Request) -> Response:
    """``POST`` and ``GET /sign-out``; a GET that another site may have caused only asks."""
    host = Host.of(request)
    if request.method == "GET":
        after = _after(host, request.query_params.get("post_logout_redirect_uri"))
        if not _is_own_visit(request):
            return await _question(request, host, after)
    else:
        require_own_page(request, host)
        has_form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
        fields = await read_form(request) if has_form else {}
        after = _after(host, fields.get("post_logout_redirect_uri"))
    return await leave_host(request, host, await host.session(request), after)


async def leave_host(request: Request, host: Host, session: Session | None, after: str | None) -> Response:
    """End ``session``, at the provider too where it can, and go on to ``after``, which was checked."""
    leaving = None
    if session is not None:
        await host.sessions.end(session.id)
        host.tell("session.ended", owner=session.owner)
        leaving = await _provider_logout(host, session, after)
    response = _gone(request, host, session, leaving, after or "/signed-out")
    host.cookies.clear(response, SESSION)
    return response


async def leave(request: Request) -> Response:
    """``GET /sign-out/provider?h=…``: on to the provider's own logout."""
    kept = await Host.of(request).hub.take_handle(LEAVING, request.query_params.get("h", ""))
    return RedirectResponse(kept["uri"] if kept else "/signed-out", status_code=302)


async def signed_out(request: Request) -> Response:
    """``GET /signed-out``: what is registered at providers as ``post_logout_redirect_uri``."""
    state = request.query_params.get("state")
    kept = await Host.of(request).hub.take_handle(AFTERWARDS, state) if state else None
    if kept is not None:
        return RedirectResponse(kept["uri"], status_code=302)
    return cast("Pages", request.app.state.pages).render(request, "signed_out.html")


def _after(host: Host, uri: str | None) -> str | None:
    """Where to go afterwards: an application's own list decides. Raises HostError."""
    if uri is None:
        return None
    apps = host.configuration.apps.values()
    if not any(uri in app.post_logout_redirect_uris for app in apps):
        raise HostError("invalid_request", "post_logout_redirect_uri is not one of an application's")
    return uri


def _is_own_visit(request: Request) -> bool:
    """Typed, bookmarked or followed on this host, and not fetched ahead of the person."""
    site = request.headers.get("sec-fetch-site")
    return site in ("same-origin", "none") and "prefetch" not in request.headers.get("sec-purpose", "")


async def _question(request: Request, host: Host, after: str | None) -> Response:
    signed_in = await host.signed_in(request)
    if signed_in is None:
        return RedirectResponse(after or "/signed-out", status_code=302)
    return cast("Pages", request.app.state.pages).render(
        request, "sign_out.html", account=signed_in[1], post_logout_redirect_uri=after
    )


async def _provider_logout(host: Host, session: Session, after: str | None) -> str | None:
    """A one-time path to the provider's logout, None where it has none or cannot say."""
    state = None
    if after:
        state = await host.hub.put_handle(AFTERWARDS, {"uri": after}, lifetime=AFTERWARDS_LIFETIME)
    try:
        uri = await host.hub.end_session_uri(
            session.connector,
            id_token_hint=session.id_token_hint,
            post_logout_redirect_uri=f"{host.settings.base_url}/signed-out",
            state=state,
        )
    except ConnectorError as error:  # a plugin's fault, or an outage, must not keep anyone signed in
        log.warning("connector %s cannot end its session: %s", session.connector, error.code)
        return None
    if uri is None:
        return None
    handle = await host.hub.put_handle(LEAVING, {"uri": uri}, lifetime=LEAVING_LIFETIME)
    return "/sign-out/provider?" + urlencode({"h": handle})


def _gone(request: Request, host: Host, session: Session | None, leaving: str | None, after: str) -> Response:
    """A browser holds the redirects of a form against ``form-action``, and providers are not on that
    list: to reach one, a page in between leads on."""
    if not wants_page(request):
        return JSONResponse({"isAuthenticated": False, "continue": leaving})
    if leaving is None or session is None:
        return RedirectResponse(after, status_code=303)
    entry = host.hub.connector(session.connector)
    return cast("Pages", request.app.state.pages).render(
        request, "signing_out.html", provider=name_in(request, entry.name, entry.id), leaving=leaving
    )
