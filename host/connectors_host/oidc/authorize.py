"""``/oidc/auth``: an application asks who is there. OpenID Connect Core §3.1.2, RFC 6749 §4.1.

A request is judged when it comes and kept on the server; through the sign-in goes a one-time name.
"""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qsl, quote, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ..errors import HostError
from ..forms import MAX_FIELDS, read_body
from ..host import Host, signs_in
from ..sessions import Session
from . import answers
from .clients import client_of
from .wanted import AuthorizationRefused, Wanted, read_request

KEPT = "authorization request"
"""The kind of handle that keeps a request."""
KEPT_LIFETIME = 1800.0
"""Seconds that a person may take at the sign-in page."""
LEEWAY = 60.0
"""Seconds that the clocks of two hosts may differ."""
PATH = "/oidc/auth"


async def authorize(request: Request) -> Response:
    """``GET``, ``POST /oidc/auth``, and ``GET /oidc/auth?h=…`` back from the sign-in page."""
    host = Host.of(request)
    if request.method == "GET" and [*request.query_params.keys()] == ["h"]:
        kept = await host.hub.take_handle(KEPT, request.query_params["h"])
        if kept is None:
            raise HostError("transaction_expired", "this request was answered, or is no longer kept")
        return await _decide(request, host, Wanted.read(kept))
    try:
        wanted = await read_request(host, await _pairs(request))
    except AuthorizationRefused as refused:
        return _refusal(host, refused.redirect_uri, refused.state, **answers.described(refused.error))
    if request.method == "POST":
        # Of another site's POST the browser keeps the cookies back; the GET that follows has them.
        return RedirectResponse(await _keep(host, wanted), status_code=303)
    return await _decide(request, host, wanted)


async def _decide(request: Request, host: Host, wanted: Wanted) -> Response:
    """Answer the application, or let the person sign in first."""
    client = client_of(host, wanted.client_id)
    if client is None or not client.check_redirect_uri(wanted.redirect_uri):
        # What was kept may be older than the configuration.
        raise HostError("invalid_request", "client_id and redirect_uri are no application's of this host")
    signed_in = await host.signed_in(request)
    session = signed_in[0] if signed_in else None
    if session is not None and _suffices(host, wanted, session):
        if wanted.subject in (None, session.owner):
            return await _granted(host, wanted, session)
        if wanted.asked is not None:
            return _refuse(host, wanted, "login_required", "Somebody else has signed in.")
    if "none" in wanted.prompt:
        return _refuse(host, wanted, "login_required", "Nobody is signed in, or not recently enough.")
    return await _sign_in_first(host, wanted, session)


def _suffices(host: Host, wanted: Wanted, session: Session) -> bool:
    """Tell whether ``session`` answers the request without a word from the person."""
    asked, since = wanted.asked, session.authenticated_at
    # A new session may go back to an older answer of a provider, which waited for a decision.
    if asked is not None and session.handle != wanted.before and since >= asked - LEEWAY:
        return True
    if "login" in wanted.prompt or wanted.max_age == 0:
        return False
    if wanted.max_age is not None and host.clock() - since > wanted.max_age:
        return False
    return asked is not None or not {"select_account", "create"} & {*wanted.prompt}


async def _granted(host: Host, wanted: Wanted, session: Session) -> Response:
    code = await host.grants.put(
        session,
        client_id=wanted.client_id,
        scope=wanted.scope,
        redirect_uri=wanted.redirect_uri,
        code_challenge=wanted.code_challenge,
        nonce=wanted.nonce,
    )
    return answers.redirect(
        wanted.redirect_uri, issuer=answers.issuer_of(host), state=wanted.state, code=code
    )


async def _sign_in_first(host: Host, wanted: Wanted, session: Session | None) -> Response:
    """To the page, or at the first time straight to the connector that the application names."""
    first = wanted.asked is None
    if first:
        wanted = replace(wanted, before=session.handle if session else "", asked=host.clock())
    query = {"return_to": await _keep(host, wanted)}
    direct = wanted.target if first else None
    for entry in host.hub.connectors():
        if direct is not None and entry.target == direct and signs_in(entry):
            return RedirectResponse(
                f"/sign-in/{quote(entry.id, safe='')}?{urlencode(query)}", status_code=302
            )
    if session is not None and not ("select_account" in wanted.prompt and _suffices(host, wanted, session)):
        # This session is not enough, so the page does not offer to go on with it.
        query["again"] = "1"
    page = "/sign-up" if wanted.sign_up and host.settings.sign_up else "/sign-in"
    return RedirectResponse(f"{page}?{urlencode(query)}", status_code=302)


async def _keep(host: Host, wanted: Wanted) -> str:
    handle = await host.hub.put_handle(KEPT, wanted.written(), lifetime=KEPT_LIFETIME)
    return f"{PATH}?{urlencode({'h': handle})}"


async def _pairs(request: Request) -> list[tuple[str, str]]:
    if request.method == "GET":
        pairs = request.query_params.multi_items()
        if len(pairs) > MAX_FIELDS:
            raise HostError("invalid_request", "the request has too many parameters")
        return pairs
    try:
        body = (await read_body(request)).decode()
        return parse_qsl(body, keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise HostError("invalid_request", "the body is not a form") from None


def _refuse(host: Host, wanted: Wanted, error: str, description: str) -> Response:
    return _refusal(host, wanted.redirect_uri, wanted.state, error=error, error_description=description)


def _refusal(host: Host, redirect_uri: str, state: str | None, **error: str) -> Response:
    return answers.redirect(redirect_uri, issuer=answers.issuer_of(host), state=state, **error)
