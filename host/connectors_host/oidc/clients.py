"""Applications as OAuth clients, and how they prove who they are at the token endpoint. RFC 6749 §2.3."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field

from authlib.oauth2.rfc6749 import ClientMixin  # type: ignore[import-untyped]
from authlib.oauth2.rfc6749.errors import (  # type: ignore[import-untyped]
    InvalidClientError,
    InvalidRequestError,
)
from starlette.requests import Request

from connectors_core.config import AppSettings

from ..api.app_credentials import credentials
from ..host import Host
from . import scopes

SECRET_METHODS = ("client_secret_basic", "client_secret_post")


@dataclass(frozen=True, slots=True, kw_only=True)
class Client(ClientMixin):  # type: ignore[misc]
    """One ``[apps.*]``. Without a secret it is public: it proves itself by PKCE alone."""

    client_id: str
    settings: AppSettings = field(repr=False)

    def get_client_id(self) -> str:
        return self.client_id

    def get_default_redirect_uri(self) -> None:
        """None: OpenID Connect Core §3.1.2.1 wants ``redirect_uri`` in every request."""

    def get_allowed_scope(self, scope: str | None) -> str | None:
        return " ".join(scopes.understood(scope or "")) or None

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """The exact string. RFC 9700 §2.1."""
        return redirect_uri in self.settings.redirect_uris

    def check_client_secret(self, client_secret: str) -> bool:
        known = self.settings.secret.get_secret_value() if self.settings.secret else ""
        return bool(known) and hmac.compare_digest(known.encode(), client_secret.encode())

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return (method == "none") is (self.settings.secret is None)

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in ("authorization_code", "refresh_token")


def client_of(host: Host, client_id: str) -> Client | None:
    """The application of that id."""
    settings = host.configuration.apps.get(client_id)
    return Client(client_id=client_id, settings=settings) if settings is not None else None


def authenticated(request: Request, form: Mapping[str, str]) -> tuple[Client, str]:
    """The application that asks, and by which method it proved it.

    Raises InvalidClientError (401), InvalidRequestError where two methods are used at once.
    """
    host, named = Host.of(request), form.get("client_id")
    if "authorization" in request.headers:
        if "client_secret" in form:
            raise InvalidRequestError("The client authenticates by two methods at once.")
        tried, method = credentials(request), "client_secret_basic"
    else:
        method = "client_secret_post" if "client_secret" in form else "none"
        tried = [(named or "", form.get("client_secret", ""))]
    for name, secret in tried:
        client = client_of(host, name)
        proven = client is not None and client.check_endpoint_auth_method(method, "token")
        if client is None or not proven or (named is not None and named != name):
            continue
        if method == "none" or client.check_client_secret(secret):
            return client, method
    raise InvalidClientError("The client's credentials are not good.", status_code=401)
