"""One pending authorization, and the answer to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from .tokens import nothing

LIFETIME = 600.0
"""Seconds a transaction may take from request to callback."""


class Purpose(StrEnum):
    """What an authorization is for; a transaction of one purpose serves no other."""

    SIGN_IN = "sign_in"
    LINK = "link"
    TOKENS = "tokens"
    REAUTHENTICATE = "reauthenticate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """A pending authorization: single use, kept on the server, bound to one browser.

    ``issuer`` and ``iss_required`` are what the callback's ``iss`` will be held against (RFC 9207),
    fixed when the request was made. ``parameters`` are the caller's additions to the authorization
    request (``login_hint``, ``prompt``). ``refresh_token_stored`` is what the host knows of the
    owner's grant, None where it knows nothing. ``data`` is the host's own and comes back unchanged.
    Times are in seconds since the epoch.
    """

    tenant: str
    connector: str
    purpose: Purpose
    owner: str | None
    redirect_uri: str
    scopes: tuple[str, ...]
    state: str = field(repr=False)
    nonce: str = field(repr=False)
    code_verifier: str = field(repr=False)
    issuer: str | None = None
    iss_required: bool = False
    parameters: Mapping[str, str] = field(default_factory=nothing, repr=False)
    refresh_token_stored: bool | None = None
    data: Mapping[str, Any] = field(default_factory=nothing, repr=False)
    created_at: float = 0.0
    expires_at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """A successful authorization response, after the flow has checked state, ``iss`` and browser.

    ``parameters`` are all its other parameters (Apple's ``user``, Intuit's ``realmId``).
    """

    code: str = field(repr=False)
    iss: str | None = None
    parameters: Mapping[str, str] = field(default_factory=nothing, repr=False)
