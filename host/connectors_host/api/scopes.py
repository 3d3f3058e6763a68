"""Scopes as they are written in requests. RFC 6749 §3.3."""

from __future__ import annotations

import re

from ..errors import HostError

_TOKEN = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+")


def scope_list(scope: str | None) -> list[str] | None:
    """The scopes of a space-separated list, None for none. Raises HostError (invalid_scope)."""
    asked = list(dict.fromkeys((scope or "").split()))
    if not all(_TOKEN.fullmatch(each) for each in asked):
        raise HostError("invalid_scope", "a scope has a character that no scope has")
    return asked or None
