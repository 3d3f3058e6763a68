"""Signing out at the provider, too."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from connectors_core import ConnectorEntry, ConnectorError, EndsSession

from .waiting import settle

if TYPE_CHECKING:
    from connectors_core.flow import Completed

log = logging.getLogger("connectors_embedded")

HINT = "embedded-hint"
"""The kind of handle that keeps an ID token for the provider's sign-out."""


async def kept_hint(hub: Any, entry: ConnectorEntry, completed: Completed, *, lifetime: float) -> str:
    """Keep the ID token with the hub for the sign-out; returns its handle, empty where none is wanted."""
    if not completed.tokens.id_token or not isinstance(entry.connector, EndsSession):
        return ""
    data = {"id_token": completed.tokens.id_token}
    return str(await settle(hub.put_handle(HINT, data, lifetime=lifetime)))


async def provider_sign_out(
    hub: Any, entry: ConnectorEntry, hint: str, *, post_logout_redirect_uri: str | None
) -> str | None:
    """Where the provider ends its own session; None where it does not, or cannot say: an outage must not
    keep anyone signed in."""
    if not isinstance(entry.connector, EndsSession):
        return None
    try:
        kept = await settle(hub.take_handle(HINT, hint)) if hint else None
        uri: str | None = await settle(
            hub.end_session_uri(
                entry.id,
                id_token_hint=kept["id_token"] if kept else None,
                post_logout_redirect_uri=post_logout_redirect_uri,
            )
        )
    except ConnectorError as error:
        log.warning("connector %s cannot end its session: %s", entry.id, error.code)
        return None
    return uri
