"""Errors as answers: a page for a browser, ``application/problem+json`` for a program."""

from __future__ import annotations

import logging
import traceback
from contextlib import suppress
from typing import cast
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connectors_core.errors import ConnectorError, NotFound, Step
from connectors_core.return_to import ReturnToRefused

from .errors import PROBLEM, Failure, HostError, failure
from .host import Host
from .pages import Pages, language_of, name_in
from .texts import PAGES, error_texts

log = logging.getLogger("connectors_host")

_HTTP_CODES = {404: "not_found", 405: "method_not_allowed", 413: "content_too_large"}

_AT_ACCOUNT = (
    *("identity_already_linked", "identity_not_found", "last_identity"),
    *("token_storage_disabled", "verification_mismatch"),
)
"""Errors that people meet at ``/account``."""


def wants_page(request: Request) -> bool:
    """Tell whether a browser asks for a document: those name ``text/html`` in Accept, programs do not."""
    return "text/html" in request.headers.get("accept", "").lower()


def answer(request: Request, failed: Failure) -> Response:
    """The answer that says what went wrong, and how to start again."""
    headers = {"Vary": "Accept, Accept-Language", **failed.headers}
    if not wants_page(request):
        return JSONResponse(failed.problem(), failed.status, headers, media_type=PROBLEM)
    language = language_of(request)
    provider = _provider(request, failed.connector) or PAGES[language]["the_provider"]
    heading, explanation = (part.format(name=provider) for part in error_texts(language, failed.code))
    pages = cast("Pages", request.app.state.pages)
    return pages.render(
        request,
        "error.html",
        status=failed.status,
        headers=headers,
        heading=heading[:1].upper() + heading[1:],
        explanation=explanation,
        provider=provider,
        failed=failed,
        **_onward(request, failed),
    )


async def on_refusal(request: Request, error: Exception) -> Response:
    """Answer a ConnectorError, HostError or ReturnToRefused."""
    if isinstance(error, ReturnToRefused):
        error = HostError("invalid_request", str(error))
    if not isinstance(error, ConnectorError | HostError):
        raise error
    failed = failure(error)
    if failed.status >= 500:
        log.warning("%s in %s, connector %s: %s", failed.code, failed.step, failed.connector, failed.detail)
    return answer(request, failed)


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Answer what the router has to say: 404, 405, and OPTIONS by its list of methods."""
    if not isinstance(error, HTTPException):
        raise error
    headers = dict(error.headers or {})
    if allow := headers.get("Allow"):
        headers["Allow"] = ", ".join(sorted({*allow.split(", "), "OPTIONS"}))
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"Allow": headers["Allow"]})
    code = _HTTP_CODES.get(
        error.status_code, "server_error" if error.status_code >= 500 else "invalid_request"
    )
    return answer(request, failure(HostError(code, headers=headers)))


async def misdirected(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request for another host (421)."""
    response = answer(Request(scope), failure(HostError("misdirected_request")))
    await response(scope, receive, send)


async def unavailable(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer that the database is out of reach (503)."""
    response = answer(Request(scope), failure(HostError("temporarily_unavailable", step=Step.STORAGE)))
    await response(scope, receive, send)


class Faults:
    """Answers what nobody foresaw with ``server_error``, and logs where it happened, without its message.

    The message of a foreign exception may hold anything, a code or a token among it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except ClientDisconnect:
            return
        except Exception as error:
            places = "".join(traceback.format_tb(error.__traceback__))
            log.error("unforeseen %s at\n%s", type(error).__name__, places)
            if not begun:
                response = answer(Request(scope), failure(HostError("server_error")))
                await response(scope, receive, send)


def _provider(request: Request, connector_id: str | None) -> str | None:
    host = getattr(request.app.state, "host", None)
    connector_id = connector_id or request.scope.get("path_params", {}).get("connector_id")
    if not isinstance(host, Host) or not connector_id:
        return None
    try:
        entry = host.hub.connector(connector_id)
    except NotFound:
        return None
    return name_in(request, entry.name, entry.id)


def _onward(request: Request, failed: Failure) -> dict[str, str]:
    """Where the page of an error leads, and what its button says."""
    if failed.code == "reauthentication_required":
        return {"again": "/account/confirm", "again_text": "confirm_you"}
    if failed.code in _AT_ACCOUNT or failed.return_to == "/account":
        return {"again": "/account", "again_text": "back_to_account"}
    text = "continue" if failed.code == "transaction_consumed" else "start_again"
    return {"again": "/sign-in" + _carried(request, failed.return_to), "again_text": text}


def _carried(request: Request, return_to: str | None) -> str:
    """The query that keeps a good ``return_to`` for the next try: the sign-in's own, else the request's."""
    host = getattr(request.app.state, "host", None)
    if return_to is None and isinstance(host, Host):
        with suppress(ReturnToRefused):
            return_to = host.return_to(request)
    return "?" + urlencode({"return_to": return_to}) if return_to and return_to != "/" else ""
