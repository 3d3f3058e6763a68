"""JSON bodies and their members."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from starlette.requests import Request

from ..errors import HostError

MAX_BYTES = 64 * 1024
"""The longest body that is read."""


async def read_json(request: Request) -> dict[str, Any]:
    """The body as a JSON object, whatever its content type; an empty one is an empty object.

    Raises HostError: not JSON, not an object, a name that stands twice, or over ``MAX_BYTES``.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BYTES:
            raise HostError("content_too_large", f"the body is longer than {MAX_BYTES} bytes")
    if not body:
        return {}
    try:
        content = json.loads(body.decode("utf-8"), object_pairs_hook=_members, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise HostError("invalid_request", "the body is not JSON") from None
    if not isinstance(content, dict):
        raise HostError("invalid_request", "the body is not a JSON object")
    return content


def text(body: Mapping[str, Any], *names: str, most: int = 2048) -> str:
    """The member that goes by one of ``names``, spellings of one thing. Raises HostError."""
    found = optional_text(body, *names, most=most)
    if not found:
        raise HostError("invalid_request", f"{names[0]} is missing")
    return found


def optional_text(body: Mapping[str, Any], *names: str, most: int = 2048) -> str | None:
    """The same, or None where it is not there. Raises HostError where it is not text, or two differ."""
    values = [body[name] for name in names if body.get(name) is not None]
    if not values:
        return None
    value = values[0]
    if not isinstance(value, str) or len(value) > most:
        raise HostError("invalid_request", f"{names[0]} is not a string of at most {most} characters")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise HostError("invalid_request", f"{names[0]} is not Unicode text") from None
    if any(other != value for other in values):
        raise HostError("invalid_request", f"{names[0]} is given twice, with two values")
    return value


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name stands twice")
    return members


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
