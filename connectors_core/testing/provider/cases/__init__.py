"""The named deviations, by area. Each module holds one table; adding a case is adding a line."""

from __future__ import annotations

from . import callback, client, discovery, id_token, keys, logout, refresh, token_endpoint, userinfo
from .case import STAGES, Case, Edit, Scenario, case

__all__ = ["CASES", "STAGES", "Case", "Edit", "Scenario", "case"]

_TABLES = (discovery, keys, id_token, callback, token_endpoint, userinfo, refresh, client, logout)

CASES: dict[str, Case] = {entry.name: entry for module in _TABLES for entry in module.TABLE}
"""Every case by its name, ``area.what-is-wrong``."""
