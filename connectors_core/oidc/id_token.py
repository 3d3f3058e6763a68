"""Verification of ID tokens. OpenID Connect Core §3.1.3.7; RFC 7515, RFC 7519, RFC 8725.

Header and claim rules are ours; signatures are checked by joserfc's algorithms on keys that were
parsed once. Nothing here does I/O.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, NoReturn

from joserfc.jws import JWSRegistry
from joserfc.util import urlsafe_b64decode, urlsafe_b64encode

from ..errors import IdTokenRejected, provider_text
from ..oauth2.json_body import read_json
from .algorithms import ASYMMETRIC, SYMMETRIC

if TYPE_CHECKING:
    from ..connector import VerificationKeys

MAX_CHARACTERS = 1 << 16
MAX_HEADER_CHARACTERS = 1 << 12
MAX_SUBJECT = 255
MAX_DATE = 253_402_300_799
"""The last second of the year 9999."""
LEEWAY = 60.0
"""Seconds by which the provider's clock may differ from ours."""

_OTHER_TYPES = frozenset({"at+jwt", "logout+jwt", "secevent+jwt", "dpop+jwt"})
_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")


class NoncePolicy(StrEnum):
    """What an ID token must say of the nonce.

    ``required``: it is there and equal. ``if-present``: equal where it is there, for providers
    that drop it; a token of another request then passes. ``not-sent``: none was sent, none comes.
    """

    REQUIRED = "required"
    IF_PRESENT = "if-present"
    NOT_SENT = "not-sent"


@dataclass(frozen=True, slots=True, kw_only=True)
class IdTokenPolicy:
    """What an ID token must be, to be believed.

    ``issuers`` are the issuers accepted, None any (a relaxation). The token must be for
    ``client_id`` or one of ``additional_audiences``. ``algorithms`` comes from configuration or
    metadata, never from the token; a symmetric one counts only with ``secret_key``, a joserfc
    ``OctKey`` of the client secret, which serves no other. ``leeway`` and ``max_token_age`` (since
    ``iat``) are in seconds. ``typ`` is the header's type, ``subject`` the only subject accepted.
    """

    issuers: frozenset[str] | None
    client_id: str
    additional_audiences: frozenset[str] = frozenset()
    algorithms: frozenset[str] = frozenset({"RS256"})
    secret_key: Any = field(default=None, repr=False)
    leeway: float = LEEWAY
    nonce: NoncePolicy = NoncePolicy.REQUIRED
    max_token_age: float | None = None
    typ: str | None = None
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class SignedToken:
    """A token whose signature is good and whose claims have not been looked at."""

    claims: dict[str, Any] = field(repr=False)
    half_hash: Callable[[str], str]
    """The left half of a value's hash, as ``at_hash`` and ``c_hash`` hold it. Core §3.1.3.6."""


def verify_id_token(
    token: str,
    keys: VerificationKeys | None,
    policy: IdTokenPolicy,
    *,
    now: float,
    nonce: str | None,
    access_token: str | None = None,
    code: str | None = None,
    max_age: float | None = None,
) -> dict[str, Any]:
    """Return the claims of ``token`` if its signature and every claim hold, else raise IdTokenRejected.

    ``nonce`` is the one that was sent; ``max_age``, in seconds, the one that was asked for;
    ``access_token`` and ``code`` are what ``at_hash`` and ``c_hash`` are held against.
    ``keys`` may be None where the policy admits symmetric algorithms alone.
    """
    signed = check_signature(token, keys, policy)
    check_claims(signed, policy, now=now, nonce=nonce, access_token=access_token, code=code, max_age=max_age)
    return signed.claims


def check_signature(token: str, keys: VerificationKeys | None, policy: IdTokenPolicy) -> SignedToken:
    """Check header and signature. Raises IdTokenRejected.

    Its ``claim`` is ``kid`` where no key fits and ``signature`` where none of those that fit made
    it: in both cases newer keys may help.
    """
    if not isinstance(token, str) or len(token) > MAX_CHARACTERS:
        reject("form", f"a token of at most {MAX_CHARACTERS} characters", "something else")
    parts = _COMPACT.fullmatch(token)
    if parts is None:
        reject("form", "a signed token of three parts in base64url", "something else")
    header = _read_header(parts[1])
    _check_header(header, policy)
    signature = _decode("signature", parts[3])
    signing_input = token[: parts.end(2)].encode("ascii")
    candidates = _candidates(header, keys, policy)
    key = next((key for key in candidates if _verifies(header.alg, signing_input, signature, key)), None)
    if key is None:
        reject("signature", "one made by a key of the provider", "another")
    return SignedToken(_object("payload", parts[2]), partial(_half_hash, header.alg, key))


def check_claims(
    signed: SignedToken,
    policy: IdTokenPolicy,
    *,
    now: float,
    nonce: str | None,
    access_token: str | None = None,
    code: str | None = None,
    max_age: float | None = None,
) -> None:
    """Hold the claims against ``policy`` and against the request. Raises IdTokenRejected."""
    claims = signed.claims
    secrets = (nonce, access_token, code)
    check_issuer(claims, policy, secrets)
    check_audience(claims, policy, secrets)
    check_times(claims, policy, now)
    check_subject(claims, policy, secrets)
    _check_nonce(claims, policy.nonce, nonce)
    check_half_hash(signed, "at_hash", access_token)
    check_half_hash(signed, "c_hash", code)
    if max_age is not None:
        check_age("auth_time", _date(claims, "auth_time"), max_age + policy.leeway, now)


def check_signed_in_since(claims: Mapping[str, Any], since: float) -> None:
    """Refuse an ``auth_time`` before ``since``, in seconds since the epoch. Raises IdTokenRejected."""
    if "auth_time" in claims and _date(claims, "auth_time") < math.floor(since):
        reject("auth_time", "a sign-in after the request", "an earlier one")


def check_half_hash(signed: SignedToken, claim: str, value: str | None) -> None:
    """Check ``at_hash`` or ``c_hash`` where it is there and ``value`` is known. Core §3.1.3.8."""
    if claim not in signed.claims or value is None:
        return
    given = signed.claims[claim]
    if not isinstance(given, str) or not _same(given, signed.half_hash(value)):
        reject(claim, "the hash of what came with it", "another")


@dataclass(frozen=True, slots=True)
class _Header:
    alg: str
    kid: str | None
    typ: str | None


@lru_cache(maxsize=256)
def _read_header(text: str) -> _Header:
    """The header's own members; keys it may carry or point to (jwk, jku, x5c, x5u) are not looked at."""
    if len(text) > MAX_HEADER_CHARACTERS:
        reject("header", f"at most {MAX_HEADER_CHARACTERS} characters", f"{len(text)}")
    header = _object("header", text)
    if "crit" in header:
        reject("crit", "no critical extension", "one that is not understood")
    alg, kid, typ = (header.get(name) for name in ("alg", "kid", "typ"))
    if not isinstance(alg, str):
        reject("alg", "the name of an algorithm", _shown(alg))
    if not isinstance(kid, str | None):
        reject("kid", "a string", _shown(kid))
    if not isinstance(typ, str | None):
        reject("typ", "a string", _shown(typ))
    return _Header(alg, kid, typ and typ.lower().removeprefix("application/"))


def _check_header(header: _Header, policy: IdTokenPolicy) -> None:
    allowed = policy.algorithms & (ASYMMETRIC | SYMMETRIC)
    if header.alg not in allowed:
        reject("alg", " or ".join(sorted(allowed)) or "none", _shown(header.alg))
    if policy.typ is not None:
        if header.typ != policy.typ.lower().removeprefix("application/"):
            reject("typ", policy.typ, _shown(header.typ))
    elif header.typ in _OTHER_TYPES:
        reject("typ", "that of an ID token", _shown(header.typ))


def _candidates(header: _Header, keys: VerificationKeys | None, policy: IdTokenPolicy) -> Iterable[Any]:
    if header.alg in SYMMETRIC:
        if policy.secret_key is None:
            reject("alg", "one that needs no client secret", header.alg)
        return (policy.secret_key,)
    candidates = keys.candidates(header.kid, header.alg) if keys is not None else ()
    if not candidates:
        reject("kid", f"that of a key of the provider for {header.alg}", _shown(header.kid))
    return candidates


def _verifies(alg: str, signing_input: bytes, signature: bytes, key: Any) -> bool:
    algorithm = JWSRegistry.algorithms[alg]
    try:
        return bool(algorithm.verify(signing_input, signature, key))
    except Exception:  # joserfc lets ValueError and cryptography's own through for crafted signatures
        return False


def _half_hash(alg: str, key: Any, value: str) -> str:
    data = value.encode()
    if alg in ("EdDSA", "Ed25519", "Ed448"):
        # Core says "the hash algorithm used in the alg"; for EdDSA that is the curve's own.
        ed448 = key.curve_name == "Ed448"
        digest = hashlib.shake_256(data).digest(114) if ed448 else hashlib.sha512(data).digest()
    else:
        digest = hashlib.new(f"sha{alg[-3:]}", data).digest()
    return urlsafe_b64encode(digest[: len(digest) // 2]).decode("ascii")


def check_issuer(
    claims: Mapping[str, Any], policy: IdTokenPolicy, secrets: Iterable[str | None] = ()
) -> None:
    iss = claims.get("iss")
    if policy.issuers is not None:
        if not isinstance(iss, str) or iss not in policy.issuers:
            reject("iss", " or ".join(sorted(policy.issuers)) or "none", _shown(iss, secrets))
    elif not isinstance(iss, str) or not iss:
        reject("iss", "an issuer", _shown(iss, secrets))


def check_audience(
    claims: Mapping[str, Any], policy: IdTokenPolicy, secrets: Iterable[str | None] = ()
) -> None:
    """Every audience must be one that the configuration trusts, and so must ``azp`` where it is there.

    Core §3.1.3.7 (3) to (5), with errata set 2, which no longer asks for ``azp`` beside several.
    """
    aud, azp = claims.get("aud"), claims.get("azp")
    audiences = [aud] if isinstance(aud, str) else aud
    if not isinstance(audiences, list) or not all(isinstance(each, str) and each for each in audiences):
        reject("aud", "a client id, or a list of them", _shown(aud, secrets))
    ours = {policy.client_id} | policy.additional_audiences
    if not audiences or not ours.issuperset(audiences):
        reject("aud", " or ".join(sorted(ours)), _shown(" ".join(audiences) or None, secrets))
    if "azp" in claims and azp not in tuple(ours):
        reject("azp", " or ".join(sorted(ours)), _shown(azp, secrets))


def check_times(claims: Mapping[str, Any], policy: IdTokenPolicy, now: float) -> None:
    exp, iat = _date(claims, "exp"), _date(claims, "iat")
    if now >= exp + policy.leeway:
        reject("exp", _leeway("a time to come", policy.leeway), f"one {_seconds(now - exp)} ago")
    if iat > now + policy.leeway:
        reject("iat", _leeway("a time past", policy.leeway), f"one {_seconds(iat - now)} ahead of our clock")
    if "nbf" in claims and (nbf := _date(claims, "nbf")) > now + policy.leeway:
        reject("nbf", _leeway("a time past", policy.leeway), f"one {_seconds(nbf - now)} ahead of our clock")
    if policy.max_token_age is not None:
        check_age("iat", iat, policy.max_token_age + policy.leeway, now)


def check_age(claim: str, date: float, most: float, now: float) -> None:
    if now - date > most:
        reject(claim, f"a time at most {_seconds(most)} ago", f"one {_seconds(now - date)} ago")


def check_subject(
    claims: Mapping[str, Any], policy: IdTokenPolicy, secrets: Iterable[str | None] = ()
) -> None:
    sub = claims.get("sub")
    # What is not printable (control characters, lone surrogates) no database keeps alike.
    if not isinstance(sub, str) or not 0 < len(sub) <= MAX_SUBJECT or not sub.isprintable():
        reject("sub", f"1 to {MAX_SUBJECT} printable characters", _shown(sub, secrets))
    if policy.subject is not None and sub != policy.subject:
        reject("sub", policy.subject, _shown(sub, secrets))


def _check_nonce(claims: Mapping[str, Any], policy: NoncePolicy, nonce: str | None) -> None:
    given = claims.get("nonce")
    if policy is NoncePolicy.NOT_SENT:
        if "nonce" in claims:
            reject("nonce", "none, for none was sent", "one")
        return
    if nonce is None:
        if policy is NoncePolicy.REQUIRED:
            reject("nonce", "a request with a nonce", "none")
        return
    if "nonce" not in claims:
        if policy is NoncePolicy.REQUIRED:
            reject("nonce", "the one that was sent", "none")
        return
    if not isinstance(given, str) or not _same(given, nonce):
        reject("nonce", "the one that was sent", "another")


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), expected.encode())


def _date(claims: Mapping[str, Any], claim: str) -> float:
    value = claims.get(claim)
    if isinstance(value, bool) or not isinstance(value, int | float):
        reject(claim, "a time in seconds", _shown(value, ()))
    if not 0 <= value <= MAX_DATE or not math.isfinite(value):
        reject(claim, "a time in seconds", "a number out of range")
    return float(value)


def _decode(part: str, text: str) -> bytes:
    try:
        return urlsafe_b64decode(text.encode("ascii"))
    except ValueError:
        reject("form", f"base64url in its {part}", "something else")


def _object(part: str, text: str) -> dict[str, Any]:
    try:
        value = read_json(_decode(part, text))
    except ValueError as error:
        reject("form", f"JSON in its {part}", f"what {error}")
    if not isinstance(value, dict):
        reject("form", f"a JSON object in its {part}", "other JSON")
    return value


def _shown(value: object, secrets: Iterable[str | None] = ()) -> str:
    if value is None:
        return "nothing"
    return provider_text(value, secrets=secrets) if isinstance(value, str) else f"a {type(value).__name__}"


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f} s"


def _leeway(expected: str, leeway: float) -> str:
    return f"{expected} (leeway {_seconds(leeway)})"


def reject(claim: str, expected: str, actual: str) -> NoReturn:
    raise IdTokenRejected(claim, expected=expected, actual=actual) from None
