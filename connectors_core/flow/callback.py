"""The authorization response as it came, before any connector sees it. RFC 6749 §4.1.2."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from ..errors import (
    AccessDenied,
    AuthorizationError,
    AuthorizationUnavailable,
    ConsentRequired,
    InteractionRequired,
    InvalidCallback,
    InvalidScope,
    LoginRequired,
    provider_text,
)
from ..tokens import nothing

CallbackParameters = str | bytes | Mapping[str, object] | Iterable[tuple[str, str]]
"""A query string or form body as received, its pairs, or a mapping of names to a value or list of values."""

MAX_BYTES = 32 * 1024
"""The longest query string or form body that is read."""
MAX_PARAMETERS = 64
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackAnswer:
    """What a callback says: a state, and either a code or an error."""

    state: str = field(repr=False)
    code: str | None = field(default=None, repr=False)
    error: str | None = None
    error_description: str = field(default="", repr=False)
    iss: str | None = None
    parameters: Mapping[str, str] = field(default_factory=nothing, repr=False)


def parse_callback(received: CallbackParameters) -> CallbackAnswer:
    """Read an authorization response, or raise InvalidCallback.

    No parameter may stand twice (RFC 6749 §3.1); one without a value counts as absent. Nothing is
    decoded twice. A framework's own multi-mapping is read by ``multi_items`` or ``lists``, for its
    ``items`` hides repetitions. Total: any other input raises InvalidCallback and nothing else.
    """
    values: dict[str, str] = {}
    for name, value in _pairs(received):
        if name in values:
            raise InvalidCallback(f"the callback repeats the parameter {provider_text(name)[:40]}")
        values[name] = value
    values = {name: value for name, value in values.items() if value}
    state = values.pop("state", None)
    if state is None:
        raise InvalidCallback("the callback has no state")
    code, error = values.pop("code", None), values.pop("error", None)
    if (code is None) == (error is None):
        raise InvalidCallback("the callback must hold either a code or an error")
    return CallbackAnswer(
        state=state,
        code=code,
        error=error,
        error_description=values.pop("error_description", ""),
        iss=values.pop("iss", None),
        parameters=values,
    )


def _pairs(received: CallbackParameters) -> list[tuple[str, str]]:
    if isinstance(received, bytes | str):
        return _parse(received)
    flat: list[tuple[str, str]] = []
    try:
        for name, value in _items(received):
            values = value if isinstance(value, list | tuple) else (value,)
            flat.extend((name, each) for each in values)
    except (TypeError, ValueError):
        raise InvalidCallback("the callback's parameters are not name and value pairs") from None
    if any(not isinstance(part, str) or _SURROGATE.search(part) for pair in flat for part in pair):
        raise InvalidCallback("the callback's parameters are not text")
    if len(flat) > MAX_PARAMETERS or sum(len(name) + len(value) for name, value in flat) > MAX_BYTES:
        raise InvalidCallback("the callback is too large")
    return flat


def _items(received: Mapping[str, object] | Iterable[tuple[str, str]]) -> Iterable[tuple[str, object]]:
    """The pairs of a mapping, all of them: Starlette has ``multi_items``, Django and Werkzeug ``lists``."""
    for name in ("multi_items", "lists", "items"):
        if callable(every := getattr(received, name, None)):
            pairs: Iterable[tuple[str, object]] = every()
            return pairs
    return received  # type: ignore[return-value]  # a mapping has items; what is left are pairs


def _parse(text: bytes | str) -> list[tuple[str, str]]:
    try:
        decoded = text.decode("ascii") if isinstance(text, bytes) else text
        if len(decoded) > MAX_BYTES:
            raise InvalidCallback("the callback is too large")
        return parse_qsl(
            decoded.removeprefix("?"), keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS
        )
    except ValueError:
        raise InvalidCallback("the callback cannot be decoded") from None


_ERRORS: Mapping[str, type[AuthorizationError]] = {
    "access_denied": AccessDenied,
    "login_required": LoginRequired,
    "consent_required": ConsentRequired,
    "interaction_required": InteractionRequired,
    "account_selection_required": InteractionRequired,
    "invalid_scope": InvalidScope,
    "server_error": AuthorizationUnavailable,
    "temporarily_unavailable": AuthorizationUnavailable,
}


def authorization_error(
    answer: CallbackAnswer, *, secrets: Iterable[str | None] = (), denied: Iterable[str] = ()
) -> AuthorizationError:
    """The exception for an error answer under a valid state. RFC 6749 §4.1.2.1, OIDC Core §3.1.2.6.

    ``denied`` are the provider's own words for ``access_denied``.
    """
    secrets = tuple(secrets)
    error = provider_text(answer.error or "", secrets=secrets)[:64]
    description = provider_text(answer.error_description, secrets=secrets)
    kind = AccessDenied if error in denied else _ERRORS.get(error, AuthorizationError)
    return kind(error, error_description=description)
