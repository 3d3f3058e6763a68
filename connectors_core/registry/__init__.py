"""What is installed: connector types and plugins, found by entry point, imported under guard."""

from .connector_types import CAPABILITIES, IDENTIFIER, TYPES_GROUP, Registry, TypeEntry, capabilities
from .installed import Status

__all__ = [
    "CAPABILITIES",
    "IDENTIFIER",
    "TYPES_GROUP",
    "Registry",
    "Status",
    "TypeEntry",
    "capabilities",
]
