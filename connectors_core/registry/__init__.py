"""What is installed: connector types and plugins, found by entry point, imported under guard."""

from .connector_types import CAPABILITIES, IDENTIFIER, Registry, TypeEntry, capabilities
from .installed import (
    PLUGINS_GROUP,
    TYPES_GROUP,
    Installed,
    LoadFailure,
    Status,
    failure,
    installed,
    installed_names,
    is_blocked,
    load,
    normalise,
)

__all__ = [
    "CAPABILITIES",
    "IDENTIFIER",
    "PLUGINS_GROUP",
    "TYPES_GROUP",
    "Installed",
    "LoadFailure",
    "Registry",
    "Status",
    "TypeEntry",
    "capabilities",
    "failure",
    "installed",
    "installed_names",
    "is_blocked",
    "load",
    "normalise",
]
