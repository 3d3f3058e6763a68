"""What of a refresh's answer can be stored: the rest is left out, rather than the pair be lost with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from math import isfinite
from typing import Any

from ..tokens import TokenSet


def storable(tokens: TokenSet) -> tuple[TokenSet, tuple[str, ...]]:
    """``tokens`` without what no store can write, and the names of what was left out.

    That is what is not JSON in ``extra`` and among the claims, a time that is no number, and
    characters of the token type that are not printable. A connector may bring such things.
    """
    left_out: list[str] = []
    kept = replace(
        tokens,
        token_type="".join(filter(str.isprintable, tokens.token_type)),
        expires_at=_finite(tokens.expires_at),
        refresh_expires_at=_finite(tokens.refresh_expires_at),
        extra=_json(tokens.extra, left_out),
        claims=None if tokens.claims is None else _json(tokens.claims, left_out),
    )
    for name in ("token_type", "expires_at", "refresh_expires_at"):
        if getattr(kept, name) != getattr(tokens, name):
            left_out.append(name)
    return (kept, tuple(left_out)) if left_out else (tokens, ())


def _finite(seconds: float | None) -> float | None:
    return seconds if seconds is not None and isfinite(seconds) else None


def _json(members: Mapping[str, Any], left_out: list[str]) -> Mapping[str, Any]:
    kept: dict[str, Any] = {}
    for name, value in members.items():
        try:
            json.dumps({name: value}, allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            left_out.append(str(name)[:64])
        else:
            kept[name] = value
    return kept
