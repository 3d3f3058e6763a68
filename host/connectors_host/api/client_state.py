"""A ``state`` of the client's own, in place of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from ..errors import HostError
from .bodies import optional_text

SHORTEST, LONGEST = 16, 512
"""Characters."""


def check_state(body: Mapping[str, Any], *, travels: bool) -> str | None:
    """The client's own state, None where it leaves that to us. Raises HostError. RFC 6749 Appendix A.5.

    One that does not travel, for the host's own callback hands nothing back, is refused and not dropped.
    """
    state = optional_text(body, "state", most=LONGEST)
    if state is None:
        return None
    if not travels:
        raise HostError("invalid_request", "state comes back at an application's redirectUri alone")
    if len(state) < SHORTEST or not all(" " <= c <= "~" for c in state):
        raise HostError("invalid_request", f"state must have {SHORTEST} to {LONGEST} ASCII characters")
    return state


def with_state(uri: str, state: str | None) -> tuple[str, str]:
    """The authorization URI with the client's own ``state``, and the state it had.

    Ours stays the one that the transaction is known by; the client's is only what travels. Raises
    HostError where the URI does not show a state that could be replaced.
    """
    parts = urlsplit(uri)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    ours = [value for name, value in pairs if name == "state"]
    if len(ours) != 1:
        raise HostError("connector_misconfigured", "the authorization URI shows no state")
    if state is None:
        return uri, ours[0]
    replaced = [(name, state if name == "state" else value) for name, value in pairs]
    return urlunsplit(parts._replace(query=urlencode(replaced, quote_via=quote))), ours[0]
