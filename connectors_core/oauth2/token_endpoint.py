"""Requests to the token endpoint and its answers, as pure functions. RFC 6749 §4.1.3, §5, §6."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Literal
from urllib.parse import parse_qsl, quote, quote_plus, unquote_plus, urlencode

import httpx

from ..endpoints import check_endpoint
from ..errors import ConnectorMisconfigured, InvalidTokenResponse, Step
from ..tokens import TokenSet
from .authorization import REFRESH_RESERVED, TOKEN_RESERVED, check_extra_parameters
from .client_auth import ClientAuthentication
from .error_response import raise_for_error
from .json_body import read_json

MAX_LIFETIME = 10 * 365 * 86400
"""Seconds; a longer ``expires_in`` is a mistake (milliseconds, or a date)."""

_FORM = "application/x-www-form-urlencoded"
_SECRET_NAMES = ("code", "code_verifier", "client_secret", "client_assertion", "refresh_token", "token")
_NUMBER = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")
_VSCHARS = re.compile(r"[\x20-\x7e]+")
_KNOWN = ("access_token", "token_type", "expires_in", "refresh_token", "id_token", "scope")


def build_code_request(
    endpoint: str,
    *,
    code: str,
    redirect_uri: str,
    code_verifier: str | None,
    authentication: ClientAuthentication,
    parameters: Mapping[str, str] = MappingProxyType({}),
    now: float,
) -> httpx.Request:
    """Build the request that redeems ``code``. RFC 6749 §4.1.3, RFC 7636 §4.5.

    ``parameters`` are further parameters of this endpoint. Raises ConfigurationError when one of
    them is reserved, ConnectorMisconfigured when ``endpoint`` may not be one.
    """
    check_extra_parameters(parameters, TOKEN_RESERVED)
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
    if code_verifier is not None:
        form["code_verifier"] = code_verifier
    return form_request(endpoint, {**form, **parameters}, authentication, now=now, step=Step.TOKEN_EXCHANGE)


def build_refresh_request(
    endpoint: str,
    *,
    refresh_token: str,
    scope: str | None,
    authentication: ClientAuthentication,
    parameters: Mapping[str, str] = MappingProxyType({}),
    now: float,
) -> httpx.Request:
    """Build the request that renews a grant. ``scope`` None asks for what was granted. RFC 6749 §6.

    Raises as :func:`build_code_request`.
    """
    check_extra_parameters(parameters, REFRESH_RESERVED)
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    if scope is not None:
        form["scope"] = scope
    return form_request(endpoint, {**form, **parameters}, authentication, now=now, step=Step.REFRESH)


def form_request(
    endpoint: str,
    form: Mapping[str, str],
    authentication: ClientAuthentication,
    *,
    now: float,
    step: Step,
) -> httpx.Request:
    """Build an authenticated form POST that asks for JSON. Raises ConnectorMisconfigured."""
    headers = {"Accept": "application/json", "Content-Type": _FORM}
    try:
        url = httpx.URL(check_endpoint(endpoint))
        body = urlencode(form)
    except (ValueError, httpx.InvalidURL) as error:
        reason = "a parameter is not text" if isinstance(error, UnicodeError) else "not a URL to use"
        raise ConnectorMisconfigured(f"the request to the endpoint: {reason}", step=step) from None
    headers, body = authentication.authenticate(endpoint, headers, body, now=now)
    return httpx.Request("POST", url, headers=headers, content=body.encode("ascii"))


def with_json_body(request: httpx.Request) -> httpx.Request:
    """The same request with its form as a JSON object, for servers that read no forms (Notion)."""
    form = dict(parse_qsl(request.content.decode("ascii"), keep_blank_values=True))
    headers = {**request.headers, "content-type": "application/json"}
    headers.pop("content-length", None)
    return httpx.Request(request.method, request.url, headers=headers, content=json.dumps(form).encode())


def request_secrets(request: httpx.Request) -> tuple[str, ...]:
    """The secret values that ``request`` carries, plain and encoded, to redact from its answer."""
    form = dict(parse_qsl(request.content.decode("ascii", "replace"), keep_blank_values=True))
    plain = [form[name] for name in _SECRET_NAMES if form.get(name)]
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    if scheme == "Basic":
        secret = b64decode(credentials).decode("latin-1").partition(":")[2]
        plain += [secret, unquote_plus(secret)]
    if credentials:
        plain.append(credentials)
    return tuple(dict.fromkeys(v for s in plain for v in (s, quote(s, safe=""), quote_plus(s))))


def read_token_response(
    response: httpx.Response,
    *,
    requested: Iterable[str],
    now: float,
    secrets: Iterable[str | None] = (),
    step: Step = Step.TOKEN_EXCHANGE,
    scope_separator: str = " ",
    encoding: Literal["json", "form"] | None = None,
    member: str = "",
    bearer_aliases: Iterable[str] = (),
    invalid_grant_aliases: Iterable[str] = (),
) -> TokenSet:
    """Read a successful token response, or raise what the server said.

    ``requested`` are the scopes asked for; a response without ``scope`` grants exactly those.
    ``now`` is in seconds since the epoch, taken *before* the request left; ``expires_in`` counts
    from there. No ``expires_in`` means that no lifetime is known; 0 means expired on arrival.
    ``secrets`` are redacted from what the server said. A JSON null counts as absent everywhere.

    JSON or form is told by content unless ``encoding`` says which; Accept is not always heard.
    ``scope_separator`` is one more separator of ``scope`` beside white space (GitHub: a comma).
    ``member`` names the object in the body that holds the token (Slack: authed_user).
    ``bearer_aliases`` are values of ``token_type`` that this server uses for bearer tokens,
    ``invalid_grant_aliases`` its own names of ``invalid_grant``.

    Raises InvalidGrant or TokenEndpointError when the body carries ``error``, whatever the status
    (GitHub answers 200), and when the status is 400 or above; InvalidTokenResponse when a success
    breaks RFC 6749 §5.1 or its token is of a type that cannot be used. RFC 6749 §5.1, §5.2.
    """
    secrets = tuple(secrets)
    try:
        body = _read_body(response, encoding)
    except ValueError as error:
        if response.status_code < 400:
            raise InvalidTokenResponse(f"the token response {error}", step=step) from None
        body = {}
    raise_for_error(
        response, body, now=now, secrets=secrets, step=step, invalid_grant_aliases=invalid_grant_aliases
    )
    if not 200 <= response.status_code < 300:
        raise InvalidTokenResponse(f"the token endpoint answered {response.status_code}", step=step)
    nested = body.get(member)
    if isinstance(nested, Mapping):
        body = {**{name: value for name, value in body.items() if name != member}, **nested}
    try:
        return _read_token_set(body, frozenset(requested), now, scope_separator, bearer_aliases)
    except ValueError as error:
        raise InvalidTokenResponse(f"the token response's {error}", step=step) from None


def _read_body(response: httpx.Response, encoding: str | None) -> Mapping[str, Any]:
    """Return the parameters of an answer. Raises ValueError with what is wrong with it."""
    content = response.content
    declared = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    opens = content.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{"
    if opens or encoding == "json" or (encoding is None and declared.endswith(("/json", "+json"))):
        body = read_json(content)
        if not isinstance(body, dict):
            raise ValueError("is not a JSON object")
        if encoding == "form" and "error" not in body:
            raise ValueError("is JSON, not form-encoded")
        return body
    try:
        text = content.decode("utf-8").strip()
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=True, max_num_fields=100)
    except ValueError:
        raise ValueError("is neither JSON nor form-encoded") from None
    form = dict(pairs)
    if len(form) != len(pairs):
        raise ValueError("gives a parameter twice")
    return form


def _read_token_set(
    body: Mapping[str, Any],
    requested: frozenset[str],
    now: float,
    scope_separator: str,
    bearer_aliases: Iterable[str],
) -> TokenSet:
    access_token = _text(body, "access_token")
    if access_token is None:
        raise ValueError("access_token is missing")
    stated = _scopes(body.get("scope"), scope_separator)
    lifetime = _lifetime(body.get("expires_in"))
    return TokenSet(
        access_token=access_token,
        token_type=_token_type(body.get("token_type"), bearer_aliases),
        expires_at=None if lifetime is None else now + lifetime,
        refresh_token=_text(body, "refresh_token"),
        id_token=_text(body, "id_token"),
        requested=requested,
        scopes=requested if stated is None else stated,
        scopes_stated=stated is not None,
        extra=MappingProxyType({name: value for name, value in body.items() if name not in _KNOWN}),
        refresh_expires_at=_refresh_expiry(body, now),
    )


def _text(body: Mapping[str, Any], name: str) -> str | None:
    """A token: visible ASCII, as RFC 6749 A.12 and A.17 define it; empty is absent."""
    value = body.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not _VSCHARS.fullmatch(value):
        raise ValueError(f"{name} is not a string of visible ASCII characters")
    return value


def _refresh_expiry(body: Mapping[str, Any], now: float) -> float | None:
    """No specification names it; Keycloak says ``refresh_expires_in``, GitHub and Google the other.

    A hint alone, so one that makes no sense is no mistake; 0 is Keycloak's "does not expire".
    """
    for name in ("refresh_token_expires_in", "refresh_expires_in"):
        try:
            lifetime = _lifetime(body.get(name))
        except ValueError:
            continue
        if lifetime:
            return now + lifetime
    return None


def _token_type(value: object, bearer_aliases: Iterable[str]) -> str:
    if value is None or value == "":
        return "Bearer"
    known = {"bearer", *(alias.lower() for alias in bearer_aliases)}
    if not isinstance(value, str) or value.lower() not in known:
        raise ValueError("token_type is not Bearer")
    return "Bearer"


def _lifetime(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("expires_in is not a number of seconds")
    if not 0 <= value <= MAX_LIFETIME:
        raise ValueError("expires_in is not between 0 and ten years of seconds")
    return float(value)


def _scopes(value: object, separator: str) -> frozenset[str] | None:
    """The scopes stated, None where none are; an empty string states that nothing was granted."""
    if value is None:
        return None
    if isinstance(value, str):
        value = (value.replace(separator, " ") if separator else value).split()
    if not isinstance(value, list) or not all(isinstance(s, str) and _VSCHARS.fullmatch(s) for s in value):
        raise ValueError("scope is neither a string nor a list of strings, of visible ASCII characters")
    return frozenset(value)
