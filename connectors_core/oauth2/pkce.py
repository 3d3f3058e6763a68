"""Proof Key for Code Exchange. RFC 7636."""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64encode
from hashlib import sha256


def create_code_verifier() -> str:
    """Return a fresh verifier: 43 characters, 256 bits.

    "It is RECOMMENDED that the output of a suitable random number generator be used to create a
    32-octet sequence. The octet sequence is then base64url-encoded to produce a 43-octet URL safe
    string to use as the code verifier." RFC 7636 §4.1
    """
    return secrets.token_urlsafe(32)


def s256_code_challenge(verifier: str) -> str:
    """Return the challenge that belongs to ``verifier``.

    "code_challenge = BASE64URL-ENCODE(SHA256(ASCII(code_verifier)))" RFC 7636 §4.2. Raises
    ValueError for a verifier that is not ASCII; the message does not hold it.
    """
    if not verifier.isascii():
        raise ValueError("a code verifier is ASCII")
    return urlsafe_b64encode(sha256(verifier.encode("ascii")).digest()).rstrip(b"=").decode("ascii")
