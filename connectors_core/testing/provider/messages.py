"""Requests and answers as the provider sees them, the same behind sockets and in process."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qsl, urlencode


class Fault(StrEnum):
    """How an answer goes wrong on the wire."""

    REFUSE = "refuse"
    """No connection comes about (in process only; a server is refused by stopping it)."""
    CLOSE = "close"
    """The connection is closed after the request, before any answer."""
    RESET = "reset"
    """The connection is reset after the request, before any answer."""
    CUT = "cut"
    """Half of the announced body, then the end."""
    TRICKLE = "trickle"
    """The body one byte at a time, ``interval`` seconds apart."""
    ENDLESS = "endless"
    """A body that never ends."""
    GARBAGE = "garbage"
    """Bytes that are no HTTP."""
    SILENCE = "silence"
    """The request is read and nothing ever comes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request. Header names are in lower case."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)

    def query_pairs(self) -> list[tuple[str, str]]:
        return parse_qsl(self.query, keep_blank_values=True)

    def form_pairs(self) -> list[tuple[str, str]]:
        """The form in the body; empty for any other media type."""
        if not self.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            return []
        return parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True)

    def json_pairs(self) -> list[tuple[str, str]]:
        """The texts of a JSON object in the body; empty for any other body."""
        if self.headers.get("content-type", "").partition(";")[0] != "application/json":
            return []
        try:
            document = json.loads(self.body)
        except ValueError:
            return []
        pairs = document.items() if isinstance(document, dict) else ()
        return [(name, value) for name, value in pairs if isinstance(value, str)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One answer, or how it fails to be one."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    fault: Fault | None = None
    interval: float = 0.01

    @classmethod
    def json(cls, document: Any, *, status: int = 200, **headers: str) -> Response:
        """``headers`` are spelled with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        media = {"content-type": "application/json", "cache-control": "no-store"}
        return cls(status=status, headers=media | named, body=json.dumps(document).encode())

    @classmethod
    def form(cls, parameters: Mapping[str, Any], *, status: int = 200) -> Response:
        media = {"content-type": "application/x-www-form-urlencoded", "cache-control": "no-store"}
        return cls(status=status, headers=media, body=urlencode(dict(parameters)).encode())

    @classmethod
    def html(cls, text: str, *, status: int = 200, **headers: str) -> Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        media = {"content-type": "text/html; charset=utf-8", "cache-control": "no-store"}
        return cls(status=status, headers=media | named, body=text.encode())

    @classmethod
    def redirect(cls, location: str, *, status: int = 302, **headers: str) -> Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return cls(status=status, headers={"location": location, "cache-control": "no-store"} | named)


def broken(fault: Fault, *, interval: float = 0.01) -> Response:
    """An answer that goes wrong in that way."""
    media = {"content-type": "application/json"}
    return Response(headers=media, body=b'{"cut": "here"}', fault=fault, interval=interval)
