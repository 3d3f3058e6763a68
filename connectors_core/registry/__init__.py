"""What is installed: connector types and plugins, found by entry point, imported under guard."""

from .connector_types import CAPABILITIES, IDENTIFIER, Registry, TypeEntry, capabilities
from .installed import PLUGINS_GROUP, TYPES_GROUP, Status, installed_names, normalise

__all__ = [
    "CAPABILITIES",
    "IDENTIFIER",
    "PLUGINS_GROUP",
    "TYPES_GROUP",
    "Registry",
    "Status",
    "TypeEntry",
    "capabilities",
    "installed_names",
    "normalise",
]
