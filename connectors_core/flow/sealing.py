"""Data that only the holder of an unstored value can open.

Pending transactions and one-time handles live in the database between two requests of one browser.
Their key is derived from values that the browser alone brings back (state and binding cookie, or the
handle), of which the database holds hashes. So the verifier and nonce in a stolen database stay
closed, and no key has to be configured for signing in. AES-256-GCM; HKDF-SHA256 (RFC 5869).
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterable, Mapping
from typing import Any

FORMAT = b"\x01"
NONCE_BYTES = 12


class CannotOpen(Exception):
    """The sealed bytes were not made under these values, or were changed."""


def new_value() -> str:
    """A fresh unguessable value of 256 bits, safe in URLs and cookies."""
    return secrets.token_urlsafe(32)


def hashed(kind: str, *values: str) -> bytes:
    """The stored form of an unguessable value; ``kind`` keeps values of different uses apart.

    Further values narrow where it is good.
    """
    return hashlib.sha256(_joined((kind, *values))).digest()


def seal(data: Mapping[str, Any], *, under: Iterable[str], context: Iterable[str]) -> bytes:
    """Encrypt ``data`` (JSON) under the values ``under``, bound to ``context``."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(NONCE_BYTES)
    plain = json.dumps(dict(data), separators=(",", ":")).encode()
    return FORMAT + nonce + AESGCM(_key(under)).encrypt(nonce, plain, _joined(context))


def unseal(sealed: bytes, *, under: Iterable[str], context: Iterable[str]) -> dict[str, Any]:
    """Return what was sealed, or raise CannotOpen."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    if sealed[:1] != FORMAT:
        raise CannotOpen
    nonce, ciphertext = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
    try:
        plain = AESGCM(_key(under)).decrypt(nonce, ciphertext, _joined(context))
    except (InvalidTag, ValueError):
        raise CannotOpen from None
    opened: dict[str, Any] = json.loads(plain)
    return opened


def _key(values: Iterable[str]) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    kdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"connectors sealed value v1")
    return kdf.derive(_joined(values))


def _joined(parts: Iterable[str]) -> bytes:
    """An injective encoding: every part is preceded by its length.

    Lone surrogates, which JSON can carry, have an encoding of their own.
    """
    encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
    return b"".join(len(part).to_bytes(4, "big") + part for part in encoded)
