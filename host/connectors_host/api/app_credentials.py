"""Applications that call without a person's session. RFC 6749 §2.3.1."""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode
from urllib.parse import unquote_plus

from starlette.requests import Request

from connectors_core.config import AppSettings

from ..errors import HostError
from ..host import Host


def authenticated_app(request: Request) -> tuple[str, AppSettings]:
    """The application whose id and secret ``Authorization: Basic`` holds.

    Raises HostError (unauthenticated).
    """
    for name, secret in credentials(request):
        app = Host.of(request).configuration.apps.get(name)
        known = app.secret.get_secret_value() if app is not None and app.secret is not None else ""
        # An unknown application takes as long as a wrong secret.
        matches = hmac.compare_digest(known.encode(), secret.encode())
        if app is not None and known and matches:
            return name, app
    raise HostError(
        "unauthenticated",
        "the application's credentials are not good",
        headers={"WWW-Authenticate": 'Basic realm="connectors"'},
    )


def credentials(request: Request) -> list[tuple[str, str]]:
    """Id and secret of ``Authorization: Basic``, as they stand there and as RFC 6749 has them encoded:
    half of all clients do not."""
    values = request.headers.getlist("authorization")
    scheme, _, encoded = (values or [""])[0].partition(" ")
    if len(values) != 1 or scheme.lower() != "basic":
        return []
    try:
        name, colon, secret = b64decode(encoded.strip(" "), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return []
    plain, decoded = (name, secret), (unquote_plus(name), unquote_plus(secret))
    return list(dict.fromkeys((plain, decoded))) if colon else []
