"""A connector type for any OpenID Connect provider, configured at run time."""

from .config import OIDCProviderConfig
from .connector import OIDC

__all__ = ["OIDC", "OIDCProviderConfig"]
