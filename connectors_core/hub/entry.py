"""A configured connector as the hub knows it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from ..connector import Connector
from ..metadata import ConnectorMetadata

if TYPE_CHECKING:
    from ..config import ConnectorSettings

MEDIA_TYPES: Mapping[str, str] = {
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webp": "image/webp",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
}
MAX_LOGO = 256 * 1024
"""Bytes of the largest logo that is served."""


@dataclass(frozen=True, slots=True)
class Logo:
    """A picture to serve: its bytes and their media type."""

    content: bytes
    media_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorEntry:
    """One connector: what it is called, how it is presented, and the object that speaks for it.

    ``group`` is what identities of this connector are unique within: its identity group, or its id.
    """

    id: str
    type: str
    target: str
    settings: ConnectorSettings
    connector: Connector

    @property
    def metadata(self) -> ConnectorMetadata:
        return self.connector.metadata

    @property
    def name(self) -> Mapping[str, str]:
        """The name by language tag: the operator's where there is one, else the type's."""
        return self.settings.name or self.metadata.name

    @property
    def description(self) -> Mapping[str, str]:
        return self.settings.description or self.metadata.description

    @property
    def group(self) -> str:
        return self.settings.identity_group or self.id

    def logo(self, *, dark: bool = False) -> Logo | str | None:
        """The logo to show: a picture, an https URL, or None where there is none or it cannot be read."""
        if override := (self.settings.logo_dark if dark else None) or self.settings.logo:
            return override if override.startswith("https://") else _picture(Path(override))
        name = (self.metadata.logo_dark if dark else None) or self.metadata.logo
        package = sys.modules[type(self.connector).__module__].__spec__
        if name is None or package is None:
            return None
        anchor = package.name if package.submodule_search_locations is not None else package.parent
        return _picture(files(anchor) / name) if anchor else None


def _picture(file: object) -> Logo | None:
    media_type = MEDIA_TYPES.get(Path(str(file)).suffix.lower())
    try:
        content = file.read_bytes()  # type: ignore[attr-defined]  # Path or Traversable
    except OSError:
        return None
    return Logo(content, media_type) if media_type and len(content) <= MAX_LOGO else None
