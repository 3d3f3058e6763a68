"""What a browser keeps for the application and can neither read nor make: sealed by a configured secret."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MIN_SECRET = 32
"""Bytes of the shortest secret that is accepted."""
FORMAT = b"\x01"
NONCE = 12
"""Bytes of an AES-GCM nonce, random for every sealing."""


class Sealer:
    """Seals JSON by the first of ``secrets`` and opens what any of them sealed. AES-256-GCM, HKDF (RFC 5869).

    ``audience`` keeps applications that share a secret apart, ``use`` the values of one application.
    """

    def __init__(self, secrets: Sequence[str], *, audience: str) -> None:
        self._ciphers = [AESGCM(_key(secret)) for secret in secrets]
        self._audience = audience

    def __repr__(self) -> str:
        return f"<Sealer of {self._audience}>"

    def seal(self, use: str, content: Mapping[str, Any]) -> str:
        """``content`` as text of the URL-safe Base64 alphabet."""
        nonce = os.urandom(NONCE)
        plain = json.dumps(dict(content), ensure_ascii=False, separators=(",", ":")).encode()
        sealed = FORMAT + nonce + self._ciphers[0].encrypt(nonce, plain, self._context(use))
        return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()

    def unseal(self, use: str, text: str) -> dict[str, Any] | None:
        """What was sealed for that use; None for anything else, whatever it is."""
        try:
            sealed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except ValueError:
            return None
        if sealed[:1] != FORMAT:
            return None
        nonce, ciphertext = sealed[1 : 1 + NONCE], sealed[1 + NONCE :]
        for cipher in self._ciphers:
            try:
                opened: dict[str, Any] = json.loads(cipher.decrypt(nonce, ciphertext, self._context(use)))
            except (InvalidTag, ValueError):
                continue
            return opened
        return None

    def _context(self, use: str) -> bytes:
        return json.dumps(["connectors-embedded", use, self._audience]).encode()


def _key(secret: str) -> bytes:
    kdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"connectors-embedded v1")
    return kdf.derive(secret.encode())
