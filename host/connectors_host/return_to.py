"""Where a person may be sent after signing in."""

from __future__ import annotations

import re
from collections.abc import Collection

from connectors_core.return_to import check_return_to as allowed

ACTION_ROUTES = (
    "/sign-in/",
    "/sign-out",
    "/signed-out",
    "/switch",
    "/linking",
    "/account/",
    "/callback/",
    "/continue/",
    "/one-tap/",
    "/native/",
    "/token",
    "/backchannel-logout/",
    "/oidc/",
)
"""Routes that do something when visited; nobody is sent to one of them."""

RESUMED = re.compile(r"/oidc/auth\?h=[A-Za-z0-9_-]{20,64}")
"""The request of an application, kept under a one-time name: what a sign-in for it leads to."""


def check_return_to(value: str, *, origins: Collection[str] = ()) -> str:
    """``connectors_core.return_to.check_return_to`` with the host's action routes. Raises ReturnToRefused."""
    return value if RESUMED.fullmatch(value) else allowed(value, origins=origins, actions=ACTION_ROUTES)
