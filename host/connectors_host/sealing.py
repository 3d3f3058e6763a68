"""Values that only their holder knows: hashed to be found, and data sealed under them."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE = 12
"""Bytes of an AES-GCM nonce, random for every sealing."""


def new_value() -> str:
    """A value nobody guesses: 256 random bits."""
    return secrets.token_urlsafe(32)


def hashed(kind: str, value: str) -> bytes:
    """What a table holds instead of ``value``; another ``kind`` of value never has the same."""
    return hashlib.sha256(f"connectors-host {kind}\0".encode() + _encoded(value)).digest()


def kind_for(kind: str, holder: str) -> str:
    """The kind of a one-time handle that ``holder`` alone can take: anybody else's try leaves it there."""
    return f"{kind} {hashed('holder', holder).hex()[:32]}"


def seal(kind: str, content: Mapping[str, Any], *, under: str, bound: Sequence[str]) -> bytes:
    """``content`` (JSON), to be opened by whoever holds the value ``under``.

    ``bound`` says where it lies and whose it is; it opens nowhere else and for nobody else.
    """
    nonce = secrets.token_bytes(NONCE)
    return nonce + _cipher(kind, under).encrypt(nonce, json.dumps(content).encode(), _place(bound))


def unseal(kind: str, sealed: bytes, *, under: str, bound: Sequence[str]) -> dict[str, Any] | None:
    """What was sealed, or None where it was changed, moved or emptied."""
    try:
        opened = json.loads(_cipher(kind, under).decrypt(sealed[:NONCE], sealed[NONCE:], _place(bound)))
    except (InvalidTag, ValueError):
        return None
    return opened if isinstance(opened, dict) else None


def _cipher(kind: str, under: str) -> AESGCM:
    return AESGCM(hmac.digest(_encoded(under), f"connectors-host seal {kind}".encode(), "sha256"))


def _place(bound: Sequence[str]) -> bytes:
    """Injective: each part is preceded by its length (4 bytes, big endian)."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in map(_encoded, bound))


def _encoded(value: str) -> bytes:
    """Lone surrogates, which JSON can carry, have an encoding of their own."""
    return value.encode("utf-8", "surrogatepass")
