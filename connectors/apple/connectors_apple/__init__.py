"""A connector type for Sign in with Apple."""

from .config import AppleConfig
from .connector import Apple

__all__ = ["Apple", "AppleConfig"]
