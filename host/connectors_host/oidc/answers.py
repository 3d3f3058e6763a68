"""How endpoints answer applications: JSON of RFC 6749 §5.2, or a redirect with ``iss`` (RFC 9207)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl, urlencode

from authlib.oauth2.rfc6749.errors import (  # type: ignore[import-untyped]
    InvalidRequestError,
    OAuth2Error,
)
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from ..errors import HostError
from ..forms import MAX_FIELDS, read_body
from ..host import Host

ISSUER_PATH = "/oidc"

Endpoint = Callable[[Request], Awaitable[Response]]


def issuer_of(host: Host) -> str:
    """The provider's issuer identifier."""
    return host.settings.base_url + ISSUER_PATH


def redirect(uri: str, *, issuer: str, state: str | None, **answer: str) -> Response:
    """The authorization response: to ``uri``, which may have a query of its own."""
    parameters = answer | ({"state": state} if state is not None else {}) | {"iss": issuer}
    separator = "&" if "?" in uri else "?"
    return RedirectResponse(f"{uri}{separator}{urlencode(parameters)}", status_code=302)


def described(error: OAuth2Error) -> dict[str, str]:
    """``error`` and ``error_description``, which quotes nothing of the request."""
    return {
        "error": str(error.error),
        **({"error_description": error.description} if error.description else {}),
    }


def as_json(endpoint: Endpoint) -> Endpoint:
    """``endpoint``, its OAuth2Errors and refusals answered as RFC 6749 §5.2 has it."""

    async def answered(request: Request) -> Response:
        try:
            return await endpoint(request)
        except OAuth2Error as error:
            basic = error.status_code == 401
            headers = {"WWW-Authenticate": 'Basic realm="connectors"'} if basic else {}
            return JSONResponse(described(error), int(error.status_code), headers)
        except HostError as error:
            return JSONResponse({"error": "invalid_request", "error_description": str(error)}, 400)

    return answered


async def read_parameters(request: Request) -> dict[str, str]:
    """The fields of a form. Raises InvalidRequestError where one repeats (RFC 6749 §3.2), HostError."""
    try:
        body = (await read_body(request)).decode()
        pairs = parse_qsl(body, keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise InvalidRequestError("The body is not a form.") from None
    if len(dict(pairs)) != len(pairs):
        raise InvalidRequestError("A parameter is given twice.")
    # RFC 6749 §3.2: what is sent without a value is left out.
    return {name: value for name, value in pairs if value}
