"""A provider's public keys: JWK Sets (RFC 7517), as far as ID tokens need them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import httpx
from joserfc.jwk import JWKRegistry
from joserfc.util import urlsafe_b64decode

from ..errors import InvalidResponse, Step
from ..oauth2.error_response import raise_if_unavailable
from ..oauth2.json_body import read_json
from .algorithms import CURVES, RSA
from .document_cache import MAX_ENTRIES, DocumentCache, Fetched

if TYPE_CHECKING:
    from ..connector import Runtime, VerificationKeys

MAX_KEYS = 100
MAX_BYTES = 1 << 18
RSA_BITS = range(2048, 8193)
"""Shorter keys are weak; longer ones make each verification a burden."""
LIFETIME = 3600.0
"""Seconds for which keys count as fresh where the answer does not say."""
SHORTEST, LONGEST = 60.0, 86_400.0
"""Bounds, in seconds, of what the answer may say."""

_PUBLIC = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


class KeySet:
    """Parsed public keys by key id and algorithm.

    A key without an algorithm serves all that fit its kind. A key without a key id serves only
    signatures that name none: a name that no key has may belong to a key published since.
    """

    __slots__ = ("_candidates", "ignored")

    def __init__(self, keys: Sequence[tuple[str | None, frozenset[str], Any]], *, ignored: int = 0) -> None:
        candidates: dict[tuple[str | None, str], list[Any]] = defaultdict(list)
        for kid, algorithms, key in keys:
            for algorithm in algorithms:
                for name in {kid, None}:
                    candidates[name, algorithm].append(key)
        self._candidates = {place: tuple(found) for place, found in candidates.items()}
        self.ignored = ignored

    def candidates(self, kid: str | None, algorithm: str) -> Sequence[Any]:
        """The keys that may have made a signature: those named, or all suitable ones without a name."""
        return self._candidates.get((kid, algorithm), ())


def read_key_set(document: bytes | Mapping[str, Any]) -> KeySet:
    """Return the keys of a JWK Set that can verify signatures.

    A key is passed over, and counted in ``ignored``, when it is malformed, of an unknown kind,
    symmetric, for another use, RSA of fewer than 2048 bits, or published with its private part.
    Only the first 100 are looked at. Raises InvalidResponse when the document is no JWK Set or no
    key in it can be used. RFC 7517 §5.
    """
    try:
        members = document if isinstance(document, Mapping) else read_json(document)
    except ValueError as error:
        raise InvalidResponse(f"the key set {error}", step=Step.KEYS) from None
    listed = members.get("keys") if isinstance(members, Mapping) else None
    if not isinstance(listed, list):
        raise InvalidResponse("the key set has no list of keys", step=Step.KEYS)
    keys = [key for jwk in listed[:MAX_KEYS] if (key := _read_key(jwk)) is not None]
    if not keys:
        raise InvalidResponse(
            f"none of the {len(listed)} keys in the key set can verify signatures", step=Step.KEYS
        )
    return KeySet(keys, ignored=len(listed) - len(keys))


def _read_key(jwk: object) -> tuple[str | None, frozenset[str], Any] | None:
    if not isinstance(jwk, Mapping) or not _PRIVATE.isdisjoint(jwk):
        return None
    kind, kid, alg, curve = (jwk.get(name) for name in ("kty", "kid", "alg", "crv"))
    if not all(isinstance(member, str | None) for member in (kid, alg, curve)):
        return None
    if not isinstance(kind, str) or kind not in _PUBLIC or jwk.get("use") not in (None, "sig"):
        return None
    operations = jwk.get("key_ops")
    if operations is not None and not (isinstance(operations, list) and "verify" in operations):
        return None
    algorithms = RSA if kind == "RSA" else CURVES.get((kind, curve or ""), frozenset())
    if alg is not None:
        algorithms &= {alg}
    if not algorithms:
        return None
    try:
        public = {name: jwk[name] for name in _PUBLIC[kind]}
        # joserfc only warns of a weak key.
        if kind == "RSA" and _bits(public["n"]) not in RSA_BITS:
            return None
        key = JWKRegistry.import_key({"kty": kind, **public})
    except Exception:  # joserfc lets ValueError, KeyError, binascii.Error and cryptography's own through
        return None
    return kid, algorithms, key


def _bits(modulus: str) -> int:
    return int.from_bytes(urlsafe_b64decode(modulus.encode("ascii")), "big").bit_length()


class JwksCache:
    """Key sets by tenant, network permission and URL, fetched when first needed and once for all who wait.

    Fresh for an hour, or as long as the answer's ``Cache-Control`` says between a minute and a
    day; the last good keys are served for a day through an outage. At most ``entries`` are kept.
    """

    def __init__(self, *, entries: int = MAX_ENTRIES) -> None:
        self._documents: DocumentCache[VerificationKeys] = DocumentCache(entries=entries)

    async def keys(self, jwks_uri: str, runtime: Runtime) -> VerificationKeys:
        """The keys at ``jwks_uri``. Raises InvalidResponse, TransportError."""
        key, fetch = _source(jwks_uri, runtime)
        return await self._documents.get(key, fetch, clock=runtime.now)

    async def newer(
        self, jwks_uri: str, runtime: Runtime, *, than: VerificationKeys
    ) -> VerificationKeys | None:
        """Keys fetched after ``than``: once, then none for a minute. None where nothing new came."""
        key, fetch = _source(jwks_uri, runtime)
        return await self._documents.newer(key, fetch, than=than, clock=runtime.now)


def _source(jwks_uri: str, runtime: Runtime) -> Any:
    async def fetch() -> Fetched[VerificationKeys]:
        return await fetch_key_set(jwks_uri, runtime)

    return (runtime.tenant, runtime.network, jwks_uri), fetch


async def fetch_key_set(jwks_uri: str, runtime: Runtime) -> Fetched[VerificationKeys]:
    """Fetch the keys at ``jwks_uri``. Raises ProviderUnavailable, InvalidResponse, TransportError."""
    accept = "application/jwk-set+json, application/json"
    response = await runtime.send(httpx.Request("GET", jwks_uri, headers={"Accept": accept}))
    raise_if_unavailable(response, "the key set", now=runtime.now(), step=Step.KEYS)
    if response.status_code != 200:
        raise InvalidResponse(f"the key set answered with status {response.status_code}", step=Step.KEYS)
    if len(response.content) > MAX_BYTES:
        raise InvalidResponse(f"the key set is larger than {MAX_BYTES} bytes", step=Step.KEYS)
    return Fetched(read_key_set(response.content), _lifetime(response.headers.get("cache-control", "")))


def _lifetime(cache_control: str) -> float:
    stated = re.search(r"(?:^|[\s,])max-age\s*=\s*\"?(\d{1,9})", cache_control.lower())
    return min(max(float(stated[1]), SHORTEST), LONGEST) if stated else LIFETIME
