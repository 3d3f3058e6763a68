"""Where a person may be sent after signing in."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection
from urllib.parse import quote, unquote, urlsplit

MAX_LENGTH = 2048

_ENCODED = re.compile(r"%(?:2f|5c|[01][0-9a-f]|7f)", re.IGNORECASE)


class ReturnToRefused(ValueError):
    """A ``return_to`` that could lead elsewhere, or do something. Its message does not hold the value."""


def check_return_to(value: str, *, origins: Collection[str] = (), actions: Collection[str] = ()) -> str:
    """Return ``value``, percent-encoded for a Location header, or raise ReturnToRefused.

    It begins with exactly one ``/``, has no backslash, control character or white space (also not
    percent-encoded) and no encoded slash, and is at or below none of the paths ``actions`` (of one
    that ends in a slash: below it); or it is a URL whose origin is one of ``origins``, without a user name.
    """
    if len(value) > MAX_LENGTH:
        raise ReturnToRefused("return_to is too long")
    if "\\" in value or any(not c.isprintable() or c.isspace() for c in value) or _ENCODED.search(value):
        raise ReturnToRefused("return_to has a character that is not allowed")
    if value.startswith("/"):
        _check_path(value, actions)
    elif not _is_on(value, origins):
        raise ReturnToRefused("return_to must begin with one / or be on a listed origin")
    return quote(value, safe="/:?#[]@!$&'()*+,;=%~")


def _check_path(value: str, actions: Collection[str]) -> None:
    # A browser resolves "." and "..", also percent-encoded, before it asks for the path (URL standard).
    path = unquote(re.split(r"[?#]", value, maxsplit=1)[0])
    resolved = posixpath.normpath(path)
    if path.endswith("/") and resolved != "/":
        resolved += "/"
    if value.startswith("//") or resolved.startswith("//") or path.startswith(("/./", "/../")):
        raise ReturnToRefused("return_to must begin with one /")
    if any(resolved == action or resolved.startswith(f"{action.rstrip('/')}/") for action in actions):
        raise ReturnToRefused("return_to must not be a route that does something")


def _is_on(value: str, origins: Collection[str]) -> bool:
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    if parts.scheme not in ("https", "http") or "@" in parts.netloc:
        return False
    origin = f"{parts.scheme}://{parts.netloc}"
    rest = value[len(origin) :]
    return value.startswith(origin) and rest[:1] in ("", "/", "?", "#") and origin in origins
