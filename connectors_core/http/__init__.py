"""The one way out: guarded, capped, shared.

Everything that leaves for a provider goes through one ``HttpSender``. Importing this package does
not import aiohttp; the first send does.
"""

from .addresses import is_public
from .sender import HttpSender

__all__ = ["HttpSender", "is_public"]
