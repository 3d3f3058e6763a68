"""The authorization request as a URI, and which parameters nobody else may set. RFC 6749 §4.1.1."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl, quote

from ..endpoints import split_endpoint
from ..errors import ConfigurationError, ConnectorMisconfigured, Problem, Step

_CLIENT = frozenset({"client_id", "client_secret", "client_assertion", "client_assertion_type"})

AUTHORIZATION_RESERVED = _CLIENT | {
    "code_challenge",
    "code_challenge_method",
    "code_verifier",
    "nonce",
    "redirect_uri",
    "request",
    "request_uri",
    "response_mode",
    "response_type",
    "scope",
    "state",
}
TOKEN_RESERVED = _CLIENT | {"code", "code_verifier", "grant_type", "redirect_uri", "refresh_token"}
REFRESH_RESERVED = TOKEN_RESERVED | {"scope"}
USERINFO_RESERVED = frozenset({"access_token", "client_secret"})


def check_extra_parameters(
    extra: Mapping[str, str], reserved: frozenset[str], *, path: tuple[str, ...] = ()
) -> None:
    """Raise ConfigurationError naming every key of ``extra`` that may not be set from outside.

    Those are the ``reserved`` names, and names or values that are not text a URI can carry.
    ``path`` says where ``extra`` stands in a configuration. No message holds a value.
    """
    problems = []
    for name, value in extra.items():
        if not _carriable(name) or not name:
            problems.append(Problem((*path, ascii(name)), "is not a parameter name"))
        elif name in reserved:
            problems.append(Problem((*path, name), "is set by the connector itself", "remove it"))
        elif not _carriable(value):
            problems.append(Problem((*path, name), "must be text"))
    if problems:
        raise ConfigurationError(problems)


def _carriable(text: object) -> bool:
    """Tell text from anything else; lone surrogates have no UTF-8 form."""
    return isinstance(text, str) and not any("\ud800" <= c <= "\udfff" for c in text)


def append_query(url: str, parameters: Mapping[str, str]) -> str:
    """Return ``url`` with ``parameters`` after its own query, which is kept byte for byte.

    Names and values are percent-encoded, a space as ``%20``: right for readers that decode ``+``
    and for those that do not. Nothing is dropped. Raises ValueError, without values, for a URL that
    may not be an endpoint, a parameter that the URL's own query carries already, or text that is not
    Unicode. RFC 3986 §2.1, RFC 6749 §3.1: "parameters MUST NOT be included more than once".
    """
    parts = split_endpoint(url)
    own = {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    if twice := sorted(own & parameters.keys()):
        raise ValueError(f"its own query carries {', '.join(twice)} already")
    if not all(_carriable(name) and _carriable(value) for name, value in parameters.items()):
        raise ValueError("a parameter is not text")
    added = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in parameters.items())
    if not added:
        return url
    place, _, query = url.partition("?")
    if not query or query.endswith("&"):
        return f"{place}?{query}{added}"
    return f"{url}&{added}"


def build_authorization_uri(endpoint: str, parameters: Mapping[str, str]) -> str:
    """Return the URI to send the browser to: ``parameters`` in their order behind ``endpoint``.

    Raises ConnectorMisconfigured where :func:`append_query` refuses.
    """
    try:
        return append_query(endpoint, parameters)
    except ValueError as error:
        raise ConnectorMisconfigured(
            f"the authorization endpoint: {error}", step=Step.AUTHORIZATION_REQUEST
        ) from None
