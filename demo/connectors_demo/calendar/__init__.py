"""The application: a smart calendar assistant."""

from .assistant import Assistant, Settings, create_app

__all__ = ["Assistant", "Settings", "create_app"]
