"""The synchronised profile of an identity, as the JSON text that is stored."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from ..errors import StorageError


def dump_profile(profile: Mapping[str, Any]) -> str:
    """Write as ASCII JSON, which every database takes whatever the characters.

    Raises StorageError when a value is not JSON (NaN is not: RFC 8259 §6).
    """
    try:
        return json.dumps(dict(profile), allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        raise StorageError("the profile of an identity holds a value that is not JSON") from None


def load_profile(text: str) -> dict[str, Any]:
    """Read what ``dump_profile`` wrote; raises StorageError for anything else."""
    try:
        profile = json.loads(text)
    except (ValueError, RecursionError):
        raise StorageError("a stored profile is not JSON") from None
    if not isinstance(profile, dict):
        raise StorageError("a stored profile is not a JSON object")
    return cast("dict[str, Any]", profile)
