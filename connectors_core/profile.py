"""A person as a provider describes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .tokens import nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Normalised user info.

    ``id`` is the provider's stable identifier of the person, never an e-mail address or a name.
    ``email_verified`` and ``phone_verified`` know three things: True is verified, False is what
    the provider says is not, None is that nothing was said (or no address given). Only True may
    be trusted. ``raw`` is what the provider sent, for the host to read further claims from.
    """

    id: str
    name: str | None = None
    avatar: str | None = None
    email: str | None = None
    email_verified: bool | None = None
    phone: str | None = None
    phone_verified: bool | None = None
    raw: Mapping[str, Any] = field(default_factory=nothing, repr=False)


@dataclass(frozen=True, slots=True)
class IdentityKey:
    """What makes an external account unique: who says so, and whom they mean.

    ``issuer`` is the provider's issuer identifier, or ``urn:connectors:{connector id}`` for a
    server without one. Never built from an e-mail address or a target.
    """

    issuer: str
    subject: str
