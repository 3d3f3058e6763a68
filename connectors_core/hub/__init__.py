"""The public face: connectors by id, authorizations begun and completed, identities linked."""

from .entry import ConnectorEntry, Logo
from .hub import Hub
from .tenant import Tenant
from .tokens import TokenStatus

__all__ = ["ConnectorEntry", "Hub", "Logo", "Tenant", "TokenStatus"]
