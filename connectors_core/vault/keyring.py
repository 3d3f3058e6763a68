"""Keys that are held in memory, from an environment variable or a file."""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import stat
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ..errors import ConfigurationError, Problem, UnknownKey
from ..grants import KeyHealth
from . import record

ENVIRONMENT_VARIABLE = "CONNECTORS_KEYS"
PLACE = ("host", "vault_keys")
CURE = (
    "`connectors vault key new` makes a key where vault_keys says, env:NAME or file:PATH: a JWK Set of oct "
    "keys or kid:base64[,kid:base64...], 32 bytes each"
)
KID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/@+=:-]{0,255}")
MAX_FILE = 1 << 20


class Keyring:
    """Named keys of 32 bytes; the first is the one to wrap by where the database names no other.

    A key provider. Its repr shows names alone.
    """

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        """Raises ConfigurationError for no key at all, a name that is none, a key that is not 32 bytes."""
        problems = [problem for kid, key in keys.items() for problem in _faults(kid, key)]
        if not keys:
            problems = ["there is no key"]
        if problems:
            raise _refused(problems)
        self._keys = {kid: AESGCM(key) for kid, key in keys.items()}

    def __repr__(self) -> str:
        return f"<Keyring {', '.join(self._keys)}>"

    @classmethod
    def from_env(
        cls, name: str = ENVIRONMENT_VARIABLE, *, environ: Mapping[str, str] | None = None
    ) -> Keyring:
        """The keys in an environment variable. Raises ConfigurationError."""
        text = (os.environ if environ is None else environ).get(name, "")
        if not text.strip():
            raise _refused([f"the environment variable {name} is not set"])
        return cls.from_text(text)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Keyring:
        """The keys in a JWK Set that its owner alone can read. Raises ConfigurationError."""
        return cls.from_text(read_key_file(path))

    @classmethod
    def from_reference(
        cls, reference: str, *, environ: Mapping[str, str] | None = None, folder: Path | None = None
    ) -> Keyring:
        """The keys that ``env:NAME`` or ``file:PATH`` names; ``folder`` is where relative paths begin.

        Raises ConfigurationError.
        """
        scheme, _, rest = reference.partition(":")
        if scheme == "env" and rest:
            return cls.from_env(rest, environ=environ)
        if scheme == "file" and rest:
            return cls.from_file((folder or Path()) / rest)
        raise _refused([f"{scheme or 'nothing'}: is not a place of keys that is known"])

    @classmethod
    def from_text(cls, text: str) -> Keyring:
        """A JWK Set, or ``kid:base64[,kid:base64...]``. Raises ConfigurationError, never with a key in it."""
        return cls(read_keys(text))

    @classmethod
    def create_file(cls, path: str | os.PathLike[str], *, kid: str) -> Keyring:
        """Write a file of mode 0600 with one new key. Raises ConfigurationError where there is a file."""
        key = os.urandom(record.KEY_BYTES)
        encoded = base64.urlsafe_b64encode(key).rstrip(b"=").decode()
        document = {"keys": [{"kty": "oct", "kid": kid, "alg": "A256GCMKW", "use": "enc", "k": encoded}]}
        keyring = cls({kid: key})
        try:
            with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
                json.dump(document, file, indent=2)
                file.write("\n")
        except OSError as error:
            raise _refused([f"the key file {path} cannot be written: {error.strerror}"]) from None
        return keyring

    def kids(self) -> Sequence[str]:
        return tuple(self._keys)

    async def wrap(self, dek: bytes, *, kid: str, context: bytes) -> bytes:
        return record.wrap(dek, self._key(kid), kid=kid, context=context)

    async def unwrap(self, wrapped: bytes, *, kid: str, context: bytes) -> bytes:
        return record.unwrap(wrapped, self._key(kid), kid=kid, context=context)

    async def rewrap(self, wrapped: bytes, *, kid: str, to: str, context: bytes) -> bytes:
        return record.rewrap(
            wrapped, key=self._key(kid), kid=kid, to_key=self._key(to), to=to, context=context
        )

    async def health(self) -> Sequence[KeyHealth]:
        return [KeyHealth(kid=kid, usable=True) for kid in self._keys]

    def _key(self, kid: str) -> AESGCM:
        try:
            return self._keys[kid]
        except KeyError:
            raise UnknownKey(f"there is no key {kid} here") from None


def read_keys(text: str) -> dict[str, bytes]:
    """The keys that ``Keyring.from_text`` holds, by name. Raises ConfigurationError."""
    text = text.strip()
    return _read_jwk_set(text) if text.startswith("{") else _read_pairs(text.split(","))


def read_key_file(path: str | os.PathLike[str]) -> str:
    """The text of a file that its owner alone can read. Raises ConfigurationError."""
    try:
        with open(path, "rb") as file:
            about = os.fstat(file.fileno())
            if os.name == "posix" and stat.S_IMODE(about.st_mode) & 0o077:
                mode = stat.S_IMODE(about.st_mode)
                raise _refused(
                    [f"the key file {path} is open to group or others (mode {mode:04o})"],
                    cure=f"chmod 600 {path}",
                )
            return file.read(MAX_FILE).decode()
    except FileNotFoundError:
        cure = "bring it back; where there never was one, connectors vault key new writes it"
        raise _refused([f"the key file {path} is not there"], cure=cure) from None
    except OSError as error:
        cure = "let the user that runs the host read it, and nobody else"
        raise _refused([f"the key file {path} cannot be read: {error.strerror}"], cure=cure) from None
    except UnicodeError:
        raise _refused([f"the key file {path} is not text"]) from None


def _read_jwk_set(text: str) -> dict[str, bytes]:
    try:
        keys = json.loads(text)["keys"]
        pairs = [(_text(key, "kid"), _decoded(_text(key, "k"))) for key in keys if _text(key, "kty") == "oct"]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise _refused(["the keys are not a JWK Set of oct keys with kid and k"]) from None
    return _unique(pairs)


def _read_pairs(pairs: Iterable[str]) -> dict[str, bytes]:
    try:
        # base64 has no colon: the last one ends the name, which may have some (an ARN).
        split = [pair.strip().rpartition(":") for pair in pairs]
        return _unique([(kid, _decoded(key)) for kid, _, key in split])
    except ValueError:
        raise _refused(["the keys are not written as kid:base64[,kid:base64...]"]) from None


def _unique(pairs: list[tuple[str, bytes]]) -> dict[str, bytes]:
    keys = dict(pairs)
    if len(keys) != len(pairs):
        raise _refused(["two keys have one name"])
    return keys


def _text(members: Any, name: str) -> str:
    value = members[name]
    if not isinstance(value, str):
        raise TypeError
    return value


def _decoded(text: str) -> bytes:
    """Base64, with either alphabet and with or without padding. Raises ValueError."""
    plain = text.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None


def _faults(kid: str, key: bytes) -> Iterable[str]:
    if not KID.fullmatch(kid):
        yield "a key has no name, or one with characters other than letters, digits and ._/@+=:-"
    elif len(key) != record.KEY_BYTES:
        yield f"the key {kid} has {len(key)} bytes, expected {record.KEY_BYTES}"


def _refused(problems: Iterable[str], *, cure: str = CURE) -> ConfigurationError:
    return ConfigurationError([Problem(PLACE, problem, cure) for problem in problems])
