"""The host's cookies: names and attributes."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

SESSION = "connectors-session"
TRANSACTION = "connectors-transaction"
PENDING = "connectors-pending"
"""Names an identity that waits to be linked."""


@dataclass(frozen=True, slots=True)
class Cookies:
    """Sets and reads the host's cookies: HttpOnly, SameSite=Lax, for the whole host and no other.

    ``secure`` gives them the ``__Host-`` prefix and Secure; without it they have plain names, which
    is for http on loopback alone. RFC 6265bis §4.1.3.
    """

    secure: bool

    def name(self, cookie: str) -> str:
        return f"__Host-{cookie}" if self.secure else cookie

    def get(self, request: Request, cookie: str) -> str | None:
        """The value that the browser sent, or None; never an empty one."""
        return request.cookies.get(self.name(cookie)) or None

    def set(self, response: Response, cookie: str, value: str, *, lifetime: float) -> None:
        """``lifetime`` in seconds."""
        response.set_cookie(
            self.name(cookie),
            value,
            max_age=max(0, int(lifetime)),
            path="/",
            secure=self.secure,
            httponly=True,
            samesite="lax",
        )

    def clear(self, response: Response, cookie: str) -> None:
        self.set(response, cookie, "", lifetime=0)
