"""A connector type for GitHub: sign-in and access to its API."""

from .connector import GitHub, GitHubConfig

__all__ = ["GitHub", "GitHubConfig"]
