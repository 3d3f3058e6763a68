"""Keys and signatures of the provider, on the primitives of ``cryptography`` alone.

The library under test verifies with other code; a mistake shared by both sides would go unseen.
RFC 7515, RFC 7517, RFC 7518, RFC 8037.
"""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

_HASHES: dict[str, Callable[[], hashes.HashAlgorithm]] = {
    "256": hashes.SHA256,
    "384": hashes.SHA384,
    "512": hashes.SHA512,
}
_CURVES: dict[str, tuple[str, ec.EllipticCurve, int]] = {
    "256": ("P-256", ec.SECP256R1(), 32),
    "384": ("P-384", ec.SECP384R1(), 48),
    "512": ("P-521", ec.SECP521R1(), 66),
}
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def b64(data: bytes) -> str:
    """Base64url without padding. RFC 7515 §2."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _number(value: int) -> str:
    return b64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


@cache
def private_key(algorithm: str, number: int = 0, bits: int = 2048) -> PrivateKey:
    """The private key of that number: made once a process, for RSA keys are slow to make."""
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    if algorithm.startswith("ES"):
        return ec.generate_private_key(_CURVES[algorithm[2:]][1])
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def digest(algorithm: str, data: bytes) -> bytes:
    """The hash that goes with a signature algorithm, for ``at_hash``. OpenID Connect Core §3.1.3.6."""
    size = "512" if algorithm == "EdDSA" else algorithm[2:]
    state = hashes.Hash(_HASHES[size]() if size in _HASHES else hashes.SHA256())
    state.update(data)
    return state.finalize()


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One key of the provider (or of a client, for ``private_key_jwt``), for one algorithm."""

    kid: str
    algorithm: str
    private: PrivateKey

    @classmethod
    def make(cls, algorithm: str = "RS256", *, kid: str, number: int = 0, bits: int = 2048) -> SigningKey:
        """Key material depends on ``number`` alone: same kid and another number is another key."""
        family = "RSA" if algorithm[:2] in ("RS", "PS") else algorithm
        return cls(kid, algorithm, private_key(family, number, bits))

    def jwk(self) -> dict[str, Any]:
        """The public key as published. RFC 7517 §4."""
        public = self.private.public_key()
        head = {"kid": self.kid, "alg": self.algorithm, "use": "sig"}
        if isinstance(public, rsa.RSAPublicKey):
            numbers = public.public_numbers()
            return {**head, "kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)}
        if isinstance(public, ec.EllipticCurvePublicKey):
            name, _, size = _CURVES[self.algorithm[2:]]
            point = public.public_numbers()
            x, y = (b64(part.to_bytes(size, "big")) for part in (point.x, point.y))
            return {**head, "kty": "EC", "crv": name, "x": x, "y": y}
        return {**head, "kty": "OKP", "crv": "Ed25519", "x": b64(public.public_bytes_raw())}

    def private_jwk(self) -> dict[str, Any]:
        """The whole key, as a careless provider publishes it and as other servers are configured."""
        if isinstance(self.private, rsa.RSAPrivateKey):
            numbers = self.private.private_numbers()
            names = {"d": numbers.d, "p": numbers.p, "q": numbers.q}
            names |= {"dp": numbers.dmp1, "dq": numbers.dmq1, "qi": numbers.iqmp}
            return {**self.jwk(), **{name: _number(value) for name, value in names.items()}}
        if isinstance(self.private, ec.EllipticCurvePrivateKey):
            secret = self.private.private_numbers().private_value
            return {**self.jwk(), "d": b64(secret.to_bytes(_CURVES[self.algorithm[2:]][2], "big"))}
        return {**self.jwk(), "d": b64(self.private.private_bytes_raw())}

    def pem(self) -> str:
        """The private key in PEM, as consoles hand it out. RFC 5958."""
        encoding, no_password = serialization.Encoding.PEM, serialization.NoEncryption()
        return self.private.private_bytes(encoding, serialization.PrivateFormat.PKCS8, no_password).decode()

    def sign(self, data: bytes) -> bytes:
        return sign(self.algorithm, self.private, data)


def sign(algorithm: str, key: PrivateKey | bytes, data: bytes) -> bytes:
    """The signature of ``data`` in the form of RFC 7518 §3; ``key`` is bytes for the HS family."""
    if isinstance(key, bytes):
        return hmac.digest(key, data, f"sha{algorithm[2:]}")
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(data)
    chosen = _HASHES[algorithm[2:]]()
    if isinstance(key, ec.EllipticCurvePrivateKey):
        size = _CURVES[algorithm[2:]][2]
        r, s = decode_dss_signature(key.sign(data, ec.ECDSA(chosen)))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")
    return key.sign(data, _padding(algorithm, chosen), chosen)


def _padding(algorithm: str, chosen: hashes.HashAlgorithm) -> padding.AsymmetricPadding:
    if algorithm.startswith("PS"):
        return padding.PSS(mgf=padding.MGF1(chosen), salt_length=chosen.digest_size)
    return padding.PKCS1v15()


def verified(algorithm: str, key: PrivateKey | bytes, data: bytes, signature: bytes) -> bool:
    """Tell whether ``signature`` was made with ``key`` (of which only the public half is used)."""
    if isinstance(key, bytes):
        return hmac.compare_digest(sign(algorithm, key, data), signature)
    public = key.public_key()
    try:
        if isinstance(public, ed25519.Ed25519PublicKey):
            public.verify(signature, data)
            return True
        chosen = _HASHES[algorithm[2:]]()
        if isinstance(public, ec.EllipticCurvePublicKey):
            half = len(signature) // 2
            r, s = (int.from_bytes(part, "big") for part in (signature[:half], signature[half:]))
            public.verify(encode_dss_signature(r, s), data, ec.ECDSA(chosen))
        else:
            public.verify(signature, data, _padding(algorithm, chosen), chosen)
    except (InvalidSignature, ValueError):
        return False
    return True


def compact(header: Mapping[str, Any], payload: bytes, signer: Callable[[bytes], bytes]) -> str:
    """A JWS in compact serialisation; the header is taken as it is. RFC 7515 §7.1."""
    signing_input = f"{b64(json.dumps(header).encode())}.{b64(payload)}"
    return f"{signing_input}.{b64(signer(signing_input.encode()))}"


def read_compact(token: str) -> tuple[dict[str, Any], dict[str, Any], bytes, bytes]:
    """Header, claims, signing input and signature, unverified. Raises ValueError."""
    signing_input, _, signature = token.rpartition(".")
    header, payload = (json.loads(unb64(part)) for part in signing_input.split("."))
    return header, payload, signing_input.encode(), unb64(signature)
