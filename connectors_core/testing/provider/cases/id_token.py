"""ID tokens that must be refused, and a few odd ones that are right. OpenID Connect Core §3.1.3.7."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..keys import SigningKey, b64, compact, read_compact, sign
from .case import Case, Edit, Scenario, ago, case, changed, having, without

if TYPE_CHECKING:
    from ..provider import Provider

_NO = "id_token_invalid"
_CORE = "OpenID Connect Core §3.1.3.7"


def _again(header: Mapping[str, Any], *, algorithm: str = "", key: Any = None) -> Edit:
    """Sign the same claims anew, with ``header`` over the old one."""

    def edit(token: str, provider: Provider) -> str:
        old, claims, _, _ = read_compact(token)
        chosen = key(provider) if key else provider.keys[0].private
        signer = algorithm or provider.algorithm
        payload = json.dumps(claims).encode()
        return compact({**old, **header}, payload, lambda data: sign(signer, chosen, data))

    return edit


def _public_pem(provider: Provider) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = provider.keys[0].private.public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _stranger(provider: Provider) -> Any:
    return SigningKey.make(provider.algorithm, kid="stranger", number=66).private


def _embedded(token: str, provider: Provider) -> str:
    own = SigningKey.make(provider.algorithm, kid=provider.keys[0].kid, number=66)
    return str(_again({"jwk": own.jwk()}, key=_stranger)(token, provider))


def _unsigned(token: str, provider: Provider) -> str:
    _, payload, _ = token.split(".")
    return f"{b64(json.dumps({'alg': 'none'}).encode())}.{payload}."


def _none_but_signed(token: str, provider: Provider) -> str:
    """The three parts that a reader expects, and nobody's signature."""
    _, payload, _ = token.split(".")
    return f"{b64(json.dumps({'alg': 'none'}).encode())}.{payload}.{b64(b'none')}"


def _forged(token: str, provider: Provider) -> str:
    """Another subject under the old signature."""
    header, payload, signature = token.split(".")
    _, claims, _, _ = read_compact(token)
    del payload
    return f"{header}.{b64(json.dumps({**claims, 'sub': 'mallory-1'}).encode())}.{signature}"


def _serialised(token: str, provider: Provider) -> str:
    header, payload, signature = token.split(".")
    return json.dumps({"payload": payload, "signatures": [{"protected": header, "signature": signature}]})


def _missing(claim: str, step: str) -> Case:
    return case(f"id_token.{claim}-missing", f"{_CORE} ({step})", f"no {claim}", _NO, claims=without(claim))


TABLE: tuple[Case, ...] = (
    _missing("iss", "2"),
    _missing("sub", "OpenID Connect Core §2"),
    _missing("aud", "3"),
    _missing("exp", "9"),
    _missing("iat", "10"),
    _missing("nonce", "11"),
    case(
        "id_token.iss-other", f"{_CORE} (2)", "another issuer", _NO, claims=having(iss="https://other.test")
    ),
    case(
        "id_token.iss-slash",
        f"{_CORE} (2)",
        "the issuer with a slash more",
        _NO,
        claims=changed("iss", lambda i: i + "/"),
    ),
    case("id_token.aud-other", f"{_CORE} (3)", "for another client", _NO, claims=having(aud="client-2")),
    case("id_token.aud-number", f"{_CORE} (3)", "the audience is a number", _NO, claims=having(aud=1)),
    case(
        "id_token.aud-untrusted-beside",
        f"{_CORE} (3)",
        "for us and for somebody we do not trust",
        _NO,
        claims=having(aud=["client-1", "client-2"]),
    ),
    case(
        "id_token.aud-list",
        f"{_CORE} (3)",
        "the audience as a list of one",
        None,
        claims=having(aud=["client-1"]),
    ),
    case(
        "id_token.azp-other",
        f"{_CORE} (5)",
        "authorized party is another",
        _NO,
        claims=having(azp="client-2"),
    ),
    case("id_token.exp-past", f"{_CORE} (9)", "expired two minutes ago", _NO, claims=ago("exp", 120)),
    case("id_token.exp-text", "RFC 7519 §2", "the expiry is text", _NO, claims=changed("exp", str)),
    case("id_token.exp-skewed", "RFC 7519 §4.1.4", "expired thirty seconds ago", None, claims=ago("exp", 30)),
    case("id_token.iat-future", f"{_CORE} (10)", "issued in two hours", _NO, claims=ago("iat", -7200)),
    case("id_token.iat-true", "RFC 7519 §4.1.6", "issued at true", _NO, claims=having(iat=True)),
    case(
        "id_token.nbf-future", "RFC 7519 §4.1.5", "not valid before tomorrow", _NO, claims=ago("nbf", -86400)
    ),
    case(
        "id_token.nonce-other",
        f"{_CORE} (11)",
        "the nonce of another request",
        _NO,
        claims=having(nonce="n-other"),
    ),
    case("id_token.nonce-empty", f"{_CORE} (11)", "an empty nonce", _NO, claims=having(nonce="")),
    case(
        "id_token.nonce-list",
        f"{_CORE} (11)",
        "the nonce inside a list",
        _NO,
        claims=changed("nonce", lambda n: [n]),
    ),
    case("id_token.sub-empty", "OpenID Connect Core §2", "an empty subject", _NO, claims=having(sub="")),
    case(
        "id_token.sub-number", "OpenID Connect Core §2", "the subject is a number", _NO, claims=having(sub=42)
    ),
    case(
        "id_token.at-hash-wrong",
        "OpenID Connect Core §3.1.3.8",
        "at_hash of another token",
        _NO,
        claims=having(at_hash=b64(b"x" * 16)),
    ),
    case(
        "id_token.c-hash-wrong",
        "OpenID Connect Core §3.3.2.11",
        "c_hash of another code",
        _NO,
        claims=having(c_hash=b64(b"x" * 16)),
    ),
    case(
        "id_token.auth-time-missing",
        f"{_CORE} (13)",
        "no auth_time though max_age was asked",
        _NO,
        parameters={"max_age": "60"},
        claims=without("auth_time"),
    ),
    case(
        "id_token.auth-time-old",
        f"{_CORE} (13)",
        "signed in two hours ago though max_age is a minute",
        _NO,
        parameters={"max_age": "60"},
        claims=ago("auth_time", 7200),
    ),
    case(
        "id_token.auth-time-before-reauthentication",
        "OpenID Connect Core §3.1.2.1",
        "signed in two hours ago though the person was to prove anew who they are",
        _NO,
        scenario=Scenario.REAUTHENTICATE,
        claims=ago("auth_time", 7200),
    ),
    case("id_token.alg-none", "RFC 8725 §3.2", "alg none and no signature", _NO, id_token=_unsigned),
    case(
        "id_token.alg-none-signed",
        "RFC 8725 §3.2",
        "alg none and something in place of a signature",
        _NO,
        id_token=_none_but_signed,
    ),
    case(
        "id_token.alg-confusion",
        "RFC 8725 §2.1",
        "HS256 with the public key as the secret",
        _NO,
        id_token=_again({"alg": "HS256"}, algorithm="HS256", key=_public_pem),
    ),
    case(
        "id_token.alg-not-announced",
        f"{_CORE} (7)",
        "RS512 where RS256 is announced",
        _NO,
        id_token=_again({"alg": "RS512"}, algorithm="RS512"),
    ),
    case("id_token.alg-missing", "RFC 7515 §4.1.1", "no alg in the header", _NO, header=without("alg")),
    case(
        "id_token.crit-unknown",
        "RFC 7515 §4.1.11",
        "a critical extension nobody knows",
        _NO,
        header=having(crit=["x-do"], **{"x-do": 1}),
    ),
    case(
        "id_token.b64-false",
        "RFC 7797 §6",
        "an unencoded payload is announced",
        _NO,
        header=having(b64=False, crit=["b64"]),
    ),
    case(
        "id_token.embedded-jwk",
        "RFC 8725 §3.10",
        "signed by a key in its own header",
        _NO,
        id_token=_embedded,
    ),
    case(
        "id_token.jku",
        "RFC 8725 §3.10",
        "a key URL and another's signature",
        _NO,
        id_token=_again({"jku": "https://other.test/jwks"}, key=_stranger),
    ),
    case(
        "id_token.x5u",
        "RFC 8725 §3.10",
        "a certificate URL and another's signature",
        _NO,
        id_token=_again({"x5u": "https://other.test/certificate"}, key=_stranger),
    ),
    case(
        "id_token.iss-list", f"{_CORE} (2)", "the issuer in a list", _NO, claims=changed("iss", lambda i: [i])
    ),
    case(
        "id_token.other-type", "RFC 8725 §3.11", "an access token instead", _NO, header=having(typ="at+jwt")
    ),
    case("id_token.forged", f"{_CORE} (6)", "another subject under the old signature", _NO, id_token=_forged),
    case(
        "id_token.signature-cut",
        f"{_CORE} (6)",
        "the signature is cut",
        _NO,
        id_token=lambda token, provider: token[:-20],
    ),
    case(
        "id_token.json-serialisation",
        "OpenID Connect Core §2",
        "JSON serialisation",
        _NO,
        id_token=_serialised,
    ),
    case(
        "id_token.encrypted",
        "OpenID Connect Core §2",
        "five parts where three are expected",
        _NO,
        id_token=lambda token, provider: f"{token}.AA.AA",
    ),
    case(
        "id_token.large", "resource exhaustion", "a claim of 70 kB", _NO, claims=having(padding="x" * 70_000)
    ),
    case(
        "id_token.header-large",
        "resource exhaustion",
        "a header of 20 kB",
        _NO,
        header=having(padding="x" * 20_000),
    ),
    case("id_token.alg-list", "RFC 7515 §4.1.1", "the alg is a list", _NO, header=having(alg=["RS256"])),
    case(
        "id_token.alg-not-announced-open-key",
        f"{_CORE} (7)",
        "RS512 where RS256 is announced, by a key that names no algorithm",
        _NO,
        id_token=_again({"alg": "RS512"}, algorithm="RS512"),
        jwks=lambda document, provider: {"keys": [without("alg")(k, provider) for k in document["keys"]]},
    ),
    case("id_token.kid-list", "RFC 7515 §4.1.4", "the kid is a list", _NO, header=having(kid=["key-0"])),
    case("id_token.typ-number", "RFC 7515 §4.1.9", "the typ is a number", _NO, header=having(typ=7)),
    case(
        "id_token.header-odd",
        "RFC 7515 §2",
        "a header that no base64url ends so",
        _NO,
        id_token=lambda token, provider: "AAAAA." + token.partition(".")[2],
    ),
    case(
        "id_token.header-no-json",
        "RFC 7515 §4",
        "a header that is no JSON",
        _NO,
        id_token=lambda token, provider: f"{b64(b'{')}." + token.partition(".")[2],
    ),
    case(
        "id_token.header-array",
        "RFC 7515 §4",
        "a header that is an array",
        _NO,
        id_token=lambda token, provider: f"{b64(b'[]')}." + token.partition(".")[2],
    ),
    case(
        "id_token.sub-control",
        "no database keeps it alike",
        "a NUL in the subject",
        _NO,
        claims=having(sub="alice\x001"),
    ),
    case("id_token.exp-range", "RFC 7519 §2", "expires after the end of days", _NO, claims=having(exp=1e18)),
    case(
        "id_token.garbage",
        "RFC 7519 §7.2",
        "no JWT at all",
        _NO,
        id_token=lambda token, provider: "not-a-token",
    ),
)
