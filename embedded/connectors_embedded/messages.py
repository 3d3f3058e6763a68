"""Requests and answers without a framework."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
"""What an adapter lets through to every route: which of them it takes, the route says itself."""
MAX_BODY = 32 * 1024
"""Bytes of the longest body that is taken; an adapter reads one more, by which a longer one is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What an adapter tells of a request. ``header`` has lower-case names, ``path`` is decoded, ``query``
    is as it was sent, and ``body`` its first bytes, ``MAX_BODY`` and one more.
    """

    method: str
    path: str
    query: str = field(default="", repr=False)
    header: Mapping[str, str] = field(repr=False)
    cookies: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)

    @property
    def wants_page(self) -> bool:
        """Whether a browser asks for a document: those name ``text/html`` in Accept, programs do not."""
        return "text/html" in self.header.get("accept", "").lower()

    @property
    def is_own_visit(self) -> bool:
        """Typed, bookmarked or followed on this site; no picture of a page, nor fetched ahead."""
        return (
            self.header.get("sec-fetch-site") in ("same-origin", "none")
            and self.header.get("sec-fetch-mode", "navigate") == "navigate"
            and "prefetch" not in self.header.get("sec-purpose", "")
        )

    def is_from(self, base_url: str) -> bool:
        """Whether a page of ``base_url`` asks, by what only a browser can say."""
        site = self.header.get("sec-fetch-site")
        if site is not None:
            return site == "same-origin"
        parts = urlsplit(base_url)
        return self.header.get("origin") == f"{parts.scheme}://{parts.netloc}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cookie:
    """One cookie to set: for the whole application, HttpOnly and SameSite=Lax. No value takes it back."""

    name: str
    value: str = field(default="", repr=False)
    max_age: int = 0
    secure: bool = True

    def parameters(self) -> dict[str, Any]:
        """Those of ``set_cookie``, which are the same in every framework."""
        return {
            "key": self.name,
            "value": self.value,
            "max_age": self.max_age,
            "path": "/",
            "secure": self.secure,
            "httponly": True,
            "samesite": "Lax",
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int = 200
    body: str = field(default="", repr=False)
    media_type: str = "text/html; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    cookies: tuple[Cookie, ...] = ()
