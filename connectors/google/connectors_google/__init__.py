"""A connector type for Google: sign-in, One Tap, and access to Google's APIs."""

from .config import GoogleConfig, OneTapConfig
from .connector import Google

__all__ = ["Google", "GoogleConfig", "OneTapConfig"]
