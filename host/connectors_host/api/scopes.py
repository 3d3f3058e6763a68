"""Scopes as they are written in requests. RFC 6749 §3.3."""

from __future__ import annotations

import re

from ..errors import HostError

PATTERN = r"^[ !#-\[\]-~]*$"
"""What a list of scopes is made of, as JSON Schema writes it."""


def scope_list(scope: str | None) -> list[str] | None:
    """The scopes of a space-separated list, None for none. Raises HostError (invalid_scope)."""
    if scope is None:
        return None
    if not re.fullmatch(PATTERN, scope):
        raise HostError("invalid_scope", "a scope has a character that no scope has")
    return [each for each in dict.fromkeys(scope.split(" ")) if each] or None
