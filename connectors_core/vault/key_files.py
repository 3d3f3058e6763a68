"""Key sets as text, for the commands that add to them and take from them."""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from ..errors import VaultError


def key_set(keys: Mapping[str, bytes]) -> str:
    """A JWK Set of ``oct`` keys (RFC 7517, RFC 7518 §6.4), the first one first."""
    return json.dumps({"keys": [_jwk(kid, key) for kid, key in keys.items()]}, indent=2) + "\n"


def key_pair(kid: str, key: bytes) -> str:
    """``kid:base64``, as an environment variable holds it."""
    return f"{kid}:{base64.b64encode(key).decode()}"


def write_privately(path: Path, text: str) -> None:
    """Put ``text`` in the place of the file at once, readable by its owner alone. Raises VaultError."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as error:
        with suppress(OSError):
            beside.unlink()
        raise VaultError(f"the key file {path} cannot be written: {error.strerror}") from None


def _jwk(kid: str, key: bytes) -> dict[str, str]:
    encoded = base64.urlsafe_b64encode(key).rstrip(b"=").decode()
    return {"kty": "oct", "kid": kid, "alg": "A256GCMKW", "use": "enc", "k": encoded}
