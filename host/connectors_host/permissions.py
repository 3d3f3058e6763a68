"""What was asked for and is not granted, in the words of the connector that asked."""

from __future__ import annotations

from collections.abc import Iterable

from connectors_core.errors import NotFound
from connectors_core.grants import GrantState

from .host import Host


def missing(host: Host, state: GrantState, asked: Iterable[str] | None = None) -> list[str]:
    """Which of ``asked``, by default of what was requested, the grant lacks, in order of their names.

    A provider may answer with other names than it was asked by, so the connector compares. Where that is
    gone, names are all there is.
    """
    asked = state.requested if asked is None else asked
    try:
        compare = host.hub.connector(state.ref.connector).connector.missing_scopes
    except NotFound:
        return sorted({*asked} - state.scopes)
    return sorted(compare(asked, state.scopes))
