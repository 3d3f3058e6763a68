"""Proof Key for Code Exchange. RFC 7636."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from hashlib import sha256


def s256_code_challenge(verifier: str) -> str:
    """Return the challenge that belongs to ``verifier``.

    "code_challenge = BASE64URL-ENCODE(SHA256(ASCII(code_verifier)))" RFC 7636 §4.2. Raises
    ValueError for a verifier that is not ASCII; the message does not hold it.
    """
    if not verifier.isascii():
        raise ValueError("a code verifier is ASCII")
    return urlsafe_b64encode(sha256(verifier.encode("ascii")).digest()).rstrip(b"=").decode("ascii")
