"""Record v1: how a secret is sealed. ``docs/vault-format.md`` describes it and has fixed vectors.

AES-256-GCM alone, from ``cryptography``. Nothing is negotiated: a record of another version is
refused. Everything that says whose a secret is goes into both layers, so a row, a wrapped key or a
key id that was moved, swapped or edited opens nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ..errors import SealBroken
from ..grants import GrantRef

VERSION = b"\x01"
KEY_BYTES = 32
IV_BYTES = 12
TAG_BYTES = 16
WRAPPED_BYTES = IV_BYTES + KEY_BYTES + TAG_BYTES
OVERHEAD = WRAPPED_BYTES + len(VERSION) + IV_BYTES + TAG_BYTES
"""Bytes that a record has besides what is sealed in it: 89; the key's id comes on top."""

Random = Callable[[int], bytes]


class Sealed(NamedTuple):
    """A record: the data key under a named key, and what the data key encrypts."""

    wrapped_dek: bytes
    payload: bytes


def context_of(ref: GrantRef, *, secret_id: str, kind: str) -> bytes:
    """What both layers of a record are bound to.

    Injective: each part is preceded by its length (4 bytes, big endian), in this order.
    """
    texts = (ref.tenant, ref.owner, ref.identity, ref.connector, ref.target, ref.issuer)
    parts = [text.encode("utf-8", "surrogatepass") for text in texts]
    parts += [ref.urls, secret_id.encode(), kind.encode()]
    return b"".join([len(part).to_bytes(4, "big") + part for part in parts])


def new_dek(random: Random = os.urandom) -> bytes:
    """A data key: one for a secret, for its life."""
    return random(KEY_BYTES)


def wrap_context(kid: str, context: bytes) -> bytes:
    """What the wrapped data key is bound to besides the key: its name and the record's context."""
    return b"wrap\0" + kid.encode() + b"\0" + context


def wrap(dek: bytes, key: AESGCM, *, kid: str, context: bytes, random: Random = os.urandom) -> bytes:
    """Encrypt a data key under the key named ``kid``."""
    iv = random(IV_BYTES)
    return iv + key.encrypt(iv, dek, wrap_context(kid, context))


def unwrap(wrapped: bytes, key: AESGCM, *, kid: str, context: bytes) -> bytes:
    """The data key. Raises SealBroken."""
    if len(wrapped) != WRAPPED_BYTES:
        raise SealBroken("a wrapped key has not the length it must have")
    try:
        return key.decrypt(wrapped[:IV_BYTES], wrapped[IV_BYTES:], wrap_context(kid, context))
    except InvalidTag:
        raise SealBroken(f"a wrapped key does not open under key {kid}: it was changed or moved") from None


def encrypt(plain: bytes, dek: bytes, *, context: bytes, random: Random = os.urandom) -> bytes:
    """The payload: ``plain`` under its data key, with an IV of its own each time."""
    iv = random(IV_BYTES)
    return VERSION + iv + AESGCM(dek).encrypt(iv, plain, b"payload\0" + context)


def decrypt(payload: bytes, dek: bytes, *, context: bytes) -> bytes:
    """What was sealed. Raises SealBroken."""
    if payload[:1] != VERSION:
        raise SealBroken("a payload is not of a version that is known")
    if len(payload) < len(VERSION) + IV_BYTES + TAG_BYTES:
        raise SealBroken("a payload was cut off")
    try:
        return AESGCM(dek).decrypt(payload[1:13], payload[13:], b"payload\0" + context)
    except InvalidTag:
        raise SealBroken("a payload does not open: it was changed or moved") from None


def seal(plain: bytes, key: AESGCM, *, kid: str, context: bytes, random: Random = os.urandom) -> Sealed:
    """Seal ``plain`` under a new data key. ``random`` is asked once: data key, wrap IV, payload IV."""
    drawn = random(KEY_BYTES + IV_BYTES + IV_BYTES)
    dek, iv, payload_iv = drawn[:32], drawn[32:44], drawn[44:]
    wrapped = iv + key.encrypt(iv, dek, wrap_context(kid, context))
    payload = AESGCM(dek).encrypt(payload_iv, plain, b"payload\0" + context)
    return Sealed(wrapped, VERSION + payload_iv + payload)


def unseal(sealed: Sealed, key: AESGCM, *, kid: str, context: bytes) -> bytes:
    """What was sealed. Raises SealBroken."""
    return decrypt(sealed.payload, unwrap(sealed.wrapped_dek, key, kid=kid, context=context), context=context)


def rewrap(
    wrapped: bytes,
    *,
    key: AESGCM,
    kid: str,
    to_key: AESGCM,
    to: str,
    context: bytes,
    random: Random = os.urandom,
) -> bytes:
    """The same data key under another key; the payload stays as it is. Raises SealBroken."""
    dek = unwrap(wrapped, key, kid=kid, context=context)
    return wrap(dek, to_key, kid=to, context=context, random=random)
