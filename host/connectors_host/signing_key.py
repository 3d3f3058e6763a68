"""A key that signs what this host issues, and what it has signed. RFC 7517, RFC 7519."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet, RSAKey

from .sealing import new_value

ALGORITHM = "RS256"
"""What RFC 9068 §2.1 and OpenID Connect Core §15.1 ask everybody to know."""
BITS = 2048
LIFETIME = 3600
"""Seconds that ID tokens live; nothing else that is signed lives longer."""
LEAVES = 2.0 * LIFETIME
"""Seconds that a key stays published after it last signed: clocks differ."""
KNOWN = 90 * 86400.0
"""Seconds that what it signed is still known, as an ``id_token_hint``: no grant lives longer."""


class State(StrEnum):
    """``waiting`` is published and signs later; ``leaving`` is published and signs no more.

    ``past`` has no private half any more and is not published; ``gone`` is not known any more.
    """

    WAITING = "waiting"
    SIGNING = "signing"
    LEAVING = "leaving"
    PAST = "past"
    GONE = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A row of ``host_signing_keys``. It signs from ``signs_from`` until one of a higher number does.

    ``private_key`` is there where it lies in the clear; where ``sealed``, the hub has it.
    """

    number: int
    kid: str
    public_key: Mapping[str, Any]
    private_key: str | None = field(repr=False)
    sealed: bool
    created_at: float
    signs_from: float
    signs_until: float | None = None

    def state(self, now: float) -> State:
        if self.signs_until is None or self.signs_until > now:
            return State.SIGNING if self.signs_from <= now else State.WAITING
        if now < self.signs_until + LEAVES:
            return State.LEAVING
        return State.PAST if now < self.signs_until + KNOWN else State.GONE

    def until(self, now: float) -> float | None:
        """When the state ends, in seconds since the epoch; None where nothing has been decided."""
        match self.state(now):
            case State.WAITING:
                return self.signs_from
            case State.SIGNING:
                return self.signs_until
        assert self.signs_until is not None
        return self.signs_until + (LEAVES if self.state(now) is State.LEAVING else KNOWN)

    def published(self) -> dict[str, Any]:
        """What stands in the key set. RFC 7517 §4."""
        return {**self.public_key, "use": "sig", "alg": ALGORITHM}


def new_signing_key() -> RSAKey:
    """A fresh key. Blocking: making one takes a while."""
    return RSAKey.generate_key(BITS, parameters={"kid": new_value()[:16]}, private=True)


def read_private(text: str) -> RSAKey:
    return RSAKey.import_key(json.loads(text))


class UnknownSigner(Exception):
    """The token names a key that is not among those given."""


def verified(token: str, keys: KeySet, *, type: str) -> dict[str, Any] | None:
    """The claims of a token that one of ``keys`` signed; ``type`` is its header's ``typ``.

    Times are not checked. Raises UnknownSigner.
    """
    try:
        decoded = jwt.decode(token, keys, algorithms=[ALGORITHM])
    except InvalidKeyIdError:
        raise UnknownSigner from None
    except (JoseError, ValueError, TypeError, KeyError, RecursionError):
        return None
    header, claims = decoded.header, decoded.claims
    if header.get("typ") != type or "crit" in header or not isinstance(claims, dict):
        return None
    return claims
