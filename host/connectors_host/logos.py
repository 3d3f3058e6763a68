"""The connectors' logos, read once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

from connectors_core.hub import ConnectorEntry, Logo

from .origins import origin_of


@dataclass(frozen=True, slots=True)
class Pair:
    """One connector's logo for light pages and, where it differs, for dark ones."""

    light: Logo | str | None
    dark: Logo | str | None


NONE = Pair(None, None)


class Logos:
    """Every connector's pair, by connector id."""

    def __init__(self, entries: Iterable[ConnectorEntry]) -> None:
        self._pairs = {entry.id: _pair(entry) for entry in entries}

    def picture(self, connector_id: str, *, dark: bool) -> Logo | None:
        """The picture to serve for a connector, None where there is none or it lies elsewhere."""
        pair = self._pairs.get(connector_id, NONE)
        found = (pair.dark if dark else None) or pair.light
        return found if isinstance(found, Logo) else None

    def address(self, connector_id: str, *, dark: bool) -> str | None:
        """What a page's ``src`` names, None where there is no such logo."""
        pair = self._pairs.get(connector_id, NONE)
        found = pair.dark if dark else pair.light
        if isinstance(found, Logo):
            return f"/logo/{quote(connector_id, safe='')}" + ("?dark" if dark else "")
        return found

    def origins(self) -> frozenset[str]:
        """Where logos lie that are not served from here."""
        found = [logo for pair in self._pairs.values() for logo in (pair.light, pair.dark)]
        return frozenset(origin_of(logo) for logo in found if isinstance(logo, str))


def _pair(entry: ConnectorEntry) -> Pair:
    light, dark = entry.logo(), entry.logo(dark=True)
    return Pair(light, None if dark == light else dark)
