"""A connector type for Facebook Login."""

from .connector import Facebook, FacebookConfig

__all__ = ["Facebook", "FacebookConfig"]
