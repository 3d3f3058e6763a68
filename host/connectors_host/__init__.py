"""An identity host on ``connectors_core``: sign-in pages, sessions and HTTP routes."""

from .app import create_app

__all__ = ["create_app"]
