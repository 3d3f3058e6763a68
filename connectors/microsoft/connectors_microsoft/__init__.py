"""A connector type for Microsoft Entra ID and personal Microsoft accounts."""

from .config import MicrosoftConfig
from .connector import Microsoft

__all__ = ["Microsoft", "MicrosoftConfig"]
