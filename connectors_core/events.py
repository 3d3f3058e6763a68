"""What happened, for logs, audit and metrics: never a secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .tokens import nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One fact. ``name`` is a dotted word (``sign_in.completed``); ``at`` in seconds since the epoch.

    ``detail`` holds public facts only: codes, steps, counts.
    """

    name: str
    at: float
    tenant: str
    connector: str | None = None
    target: str | None = None
    owner: str | None = None
    detail: Mapping[str, str | int | float | bool | None] = field(default_factory=nothing)
