"""Requests that change something come from pages of this host."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request

from .errors import HostError
from .host import Host
from .origins import is_foreign, is_same_origin
from .sessions import Session


def require_own_page(request: Request, host: Host) -> None:
    """Raise HostError (csrf_failed) unless the browser says that a page of this host asks."""
    if not is_same_origin(request, host.settings.base_url):
        raise HostError("csrf_failed", "Sec-Fetch-Site or Origin does not name this host")


def require_own_form(request: Request, host: Host, session: Session, fields: Mapping[str, str]) -> None:
    """Raise HostError (csrf_failed) unless the form holds the token that only pages of this session know."""
    if is_foreign(request, host.settings.base_url):
        raise HostError("csrf_failed", "Sec-Fetch-Site or Origin names another site")
    if not session.owns_csrf_token(fields.get("csrf_token", "")):
        raise HostError("csrf_failed", "the form belongs to another session")
