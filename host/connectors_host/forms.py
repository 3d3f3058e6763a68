"""Small form bodies."""

from __future__ import annotations

from urllib.parse import parse_qsl

from starlette.requests import Request

from .errors import HostError

MAX_BYTES = 32 * 1024
"""The longest form body that is read."""
MAX_FIELDS = 64


async def read_body(request: Request, *, most: int = MAX_BYTES) -> bytes:
    """The body of an urlencoded form as it came. Raises HostError: another type, or over ``most`` bytes."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise HostError("unsupported_media_type", "the body must be application/x-www-form-urlencoded")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise HostError("content_too_large", f"the body is longer than {most} bytes")
    return bytes(body)


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a form of this host, each at most once. Raises HostError."""
    body = await read_body(request)
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise HostError("invalid_request", "the body is not a form") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise HostError("invalid_request", "the form repeats a field")
    return fields
