"""Times as answers write them."""

from __future__ import annotations

from datetime import UTC, datetime


def written(at: float) -> str:
    """Seconds since the epoch as RFC 3339 writes them, in UTC, to the second."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
