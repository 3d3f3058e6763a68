"""What a request of an application must be: the rules of Authlib's grants, and those that they leave open.

The grants are synchronous, and here they only judge: what a request names is loaded before, and what comes
of it is stored after, by single statements of ``Grants``. Their own issuing is left out: it looks a code up
first and deletes it later, so that two requests at once both get tokens, and it logs tokens at DEBUG.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from authlib.oauth2.rfc6749 import (  # type: ignore[import-untyped]
    AuthorizationServer,
    OAuth2Request,
)
from authlib.oauth2.rfc6749.errors import (  # type: ignore[import-untyped]
    InvalidRequestError,
    OAuth2Error,
    UnsupportedResponseTypeError,
)
from authlib.oauth2.rfc6749.grants import (  # type: ignore[import-untyped]
    AuthorizationCodeGrant,
    RefreshTokenGrant,
)
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload  # type: ignore[import-untyped]
from authlib.oauth2.rfc7636 import CodeChallenge  # type: ignore[import-untyped]

from .clients import Client
from .grant import Code, Grant

CHALLENGE_LENGTH = 43
"""Characters of a SHA-256 digest. RFC 7636 §4.2."""


class InvalidTargetError(OAuth2Error):  # type: ignore[misc]
    """RFC 8707 §2."""

    error = "invalid_target"
    description = "The resource is not known here."


def check_authorization(client: Client, parameters: Mapping[str, str], *, uri: str) -> str:
    """The scope that a request for a code is given. Raises OAuth2Error, to be sent to its redirect URI."""
    if "response_type" not in parameters:
        raise InvalidRequestError("Missing 'response_type' in request.")
    if parameters["response_type"] != "code":
        raise UnsupportedResponseTypeError("other", "Only response_type=code is supported.")
    request = _request("GET", uri, parameters)
    grant = _CodeGrant(request, _Server(client))
    _S256()(grant)
    grant.validate_authorization_request()
    return str(request.scope)


def check_redemption(
    client: Client, method: str, parameters: Mapping[str, str], *, code: Code | None, uri: str
) -> None:
    """Hold a token request with a code against what the code was given for. Raises OAuth2Error."""
    request = _request("POST", uri, parameters)
    request.auth_method, request.code = method, code
    grant = _CodeGrant(request, _Server(client))
    _S256()(grant)
    grant.validate_token_request()


def check_refresh(client: Client, parameters: Mapping[str, str], *, grant: Grant | None, uri: str) -> None:
    """Hold a token request with a refresh token against its grant. Raises OAuth2Error."""
    request = _request("POST", uri, parameters)
    request.grant = grant
    _RefreshGrant(request, _Server(client)).validate_token_request()


class _Server(AuthorizationServer):  # type: ignore[misc]
    """One application, which has proven who it is or need not yet."""

    def __init__(self, client: Client) -> None:
        super().__init__()
        self._client = client

    def query_client(self, client_id: str) -> Client:
        return self._client

    def authenticate_client(self, request: Any, methods: Any, endpoint: str = "token") -> Client:
        return self._client

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Nobody listens."""


class _Request(OAuth2Request):  # type: ignore[misc]
    @property
    def form(self) -> Any:
        return self.payload.data


def _request(method: str, uri: str, parameters: Mapping[str, str]) -> _Request:
    request = _Request(method, uri)
    request.payload = BasicOAuth2Payload(dict(parameters))
    return request


class _Loaded:
    """A code in the words that Authlib asks for it."""

    def __init__(self, code: Code) -> None:
        self.code_challenge = code.code_challenge
        self.code_challenge_method = "S256"
        self.get_redirect_uri = lambda: code.redirect_uri


class _CodeGrant(AuthorizationCodeGrant):  # type: ignore[misc]
    def query_authorization_code(self, code: str, client: Client) -> _Loaded | None:
        found: Code | None = self.request.code
        return _Loaded(found) if found and found.grant.client_id == client.client_id else None


class _RefreshGrant(RefreshTokenGrant):  # type: ignore[misc]
    def authenticate_refresh_token(self, refresh_token: str) -> _Refreshable | None:
        grant: Grant | None = self.request.grant
        return _Refreshable(grant) if grant else None


class _Refreshable:
    def __init__(self, grant: Grant) -> None:
        self.check_client = lambda client: client.client_id == grant.client_id
        self.get_scope = lambda: " ".join(grant.scope)


class _S256(CodeChallenge):  # type: ignore[misc]
    """PKCE by S256, of every application. RFC 9700 §2.1.1; Authlib's takes ``plain`` and none as well."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ["S256"]

    def validate_code_challenge(self, grant: Any, redirect_uri: str) -> None:
        asked = grant.request.payload.data
        if len(asked.get("code_challenge", "")) != CHALLENGE_LENGTH:
            raise InvalidRequestError("PKCE is required: a code_challenge of 43 characters.")
        if asked.get("code_challenge_method") != "S256":
            raise InvalidRequestError("PKCE is required: code_challenge_method=S256.")
        super().validate_code_challenge(grant, redirect_uri)
