"""What a token or revocation endpoint says when it says no. RFC 6749 §5.2."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from ..errors import (
    UNAVAILABLE,
    InvalidGrant,
    ProviderUnavailable,
    Step,
    TokenEndpointError,
    provider_text,
)

ERROR_CODES = frozenset(
    {
        "invalid_client",
        "invalid_grant",
        "invalid_request",
        "invalid_scope",
        "unauthorized_client",
        "unsupported_grant_type",
        "unsupported_token_type",
    }
)
"""RFC 6749 §5.2, RFC 7009 §2.2.1."""

MAX_ERROR_CODE = 64
MAX_RETRY_AFTER = 900.0
"""Seconds; what a provider may make us wait at most."""


def raise_for_error(
    response: httpx.Response,
    body: Mapping[str, Any],
    *,
    now: float,
    secrets: Iterable[str | None],
    step: Step,
    invalid_grant_aliases: Iterable[str] = (),
) -> None:
    """Raise TokenEndpointError when ``body`` is an error or the status is 400 or above.

    Error codes are cut to 64 printable characters; an error without a code is ``unspecified``.
    """
    error: object = body.get("error")
    if error in (None, "", False):
        if response.status_code < 400:
            return
        error = None
    details = error if isinstance(error, Mapping) else body
    said = next((details[k] for k in ("error_description", "message") if details.get(k)), "")
    dead = {"invalid_grant", *invalid_grant_aliases}
    code = "unspecified"
    if isinstance(error, str):
        # A known name is kept whole: a short code or token may happen to be part of it.
        known = error in dead or error in ERROR_CODES
        code = error if known else provider_text(error, secrets=secrets)[:MAX_ERROR_CODE]
    raise (InvalidGrant if code in dead else TokenEndpointError)(
        code,
        status=response.status_code,
        error_description=provider_text(said, secrets=secrets) if isinstance(said, str) else "",
        retry_after=read_retry_after(response.headers.get("Retry-After"), now=now),
        step=step,
    )


def raise_if_unavailable(response: httpx.Response, what: str, *, now: float, step: Step) -> None:
    """Raise ProviderUnavailable where the status says that ``what`` cannot be had now."""
    if response.status_code in UNAVAILABLE:
        raise ProviderUnavailable(
            f"{what} answered with status {response.status_code}",
            status=response.status_code,
            retry_after=read_retry_after(response.headers.get("Retry-After"), now=now),
            step=step,
        )


def read_retry_after(value: str | None, *, now: float) -> float | None:
    """Return the seconds to wait that a ``Retry-After`` header asks for, at most 900. RFC 9110 §10.2.3.

    None when there is no such header or it cannot be read.
    """
    if not value:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), MAX_RETRY_AFTER)
    try:
        date = parsedate_to_datetime(text)
        seconds = date.replace(tzinfo=date.tzinfo or UTC).timestamp() - now
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)
