"""Telling an authorization server to forget a token. RFC 7009."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import httpx

from ..errors import Step
from .client_auth import ClientAuthentication
from .error_response import raise_for_error
from .json_body import read_json
from .token_endpoint import form_request


def build_revocation_request(
    endpoint: str,
    *,
    token: str,
    token_type_hint: Literal["access_token", "refresh_token"],
    authentication: ClientAuthentication,
    now: float,
) -> httpx.Request:
    """Build the request that revokes ``token``. Raises ConnectorMisconfigured. RFC 7009 §2.1."""
    form = {"token": token, "token_type_hint": token_type_hint}
    return form_request(endpoint, form, authentication, now=now, step=Step.REVOCATION)


def read_revocation_response(
    response: httpx.Response, *, now: float, secrets: Iterable[str | None] = ()
) -> None:
    """Return if the token is no longer good, or raise TokenEndpointError with what the server said.

    A token that the server never knew is revoked too: it answers 200 and the body of that is
    ignored. ``retry_after`` tells when to try again. RFC 7009 §2.2.
    """
    if 200 <= response.status_code < 300:
        return
    try:
        body = read_json(response.content)
    except ValueError:
        body = {}
    body = body if isinstance(body, dict) else {}
    if response.status_code < 400:
        body = {"error": "unspecified"}
    raise_for_error(response, body, now=now, secrets=secrets, step=Step.REVOCATION)
