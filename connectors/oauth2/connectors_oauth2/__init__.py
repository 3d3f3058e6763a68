"""A connector type for any OAuth 2.0 server, configured at run time."""

from .config import OAuth2ProviderConfig
from .connector import OAuth2

__all__ = ["OAuth2", "OAuth2ProviderConfig"]
