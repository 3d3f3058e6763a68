"""Ending the session at the provider. OpenID Connect RP-Initiated Logout 1.0 §2."""

from __future__ import annotations

from ..errors import ConnectorMisconfigured
from ..oauth2.authorization import append_query


def build_end_session_uri(
    endpoint: str,
    *,
    client_id: str,
    id_token_hint: str | None,
    post_logout_redirect_uri: str | None,
    state: str | None,
) -> str:
    """Return the URI to send the browser to. ``state`` goes only with a redirect URI to return it to.

    Raises ConnectorMisconfigured where ``endpoint`` may not be one or carries a parameter already.
    """
    parameters = {"client_id": client_id}
    if id_token_hint is not None:
        parameters["id_token_hint"] = id_token_hint
    if post_logout_redirect_uri is not None:
        parameters["post_logout_redirect_uri"] = post_logout_redirect_uri
        if state is not None:
            parameters["state"] = state
    try:
        return append_query(endpoint, parameters)
    except ValueError as error:
        raise ConnectorMisconfigured(f"the end session endpoint: {error}") from None
