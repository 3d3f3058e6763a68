"""Key sets that are wrong, changing or absent. RFC 7517; OpenID Connect Core §10.1."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..keys import SigningKey, b64
from ..messages import Fault, Response
from .case import Case, Edit, Scenario, answer, case, fails, with_status, without

if TYPE_CHECKING:
    from ..provider import Provider

_NO = "id_token_invalid"
_UNUSABLE = "provider_error"


def _each(**members: Any) -> Edit:
    return lambda document, provider: {"keys": [{**key, **members} for key in document["keys"]]}


def _drop(*names: str) -> Edit:
    return lambda document, provider: {"keys": [without(*names)(key, provider) for key in document["keys"]]}


def _before(*others: Any) -> Edit:
    return lambda document, provider: {"keys": [*others, *document["keys"]]}


def _others(document: Any, provider: Provider) -> Any:
    """Three more keys of the algorithm, so that nothing but trying tells which one signed."""
    made = [SigningKey.make(provider.algorithm, kid=f"other-{n}", number=100 + n) for n in range(3)]
    return {"keys": [*(key.jwk() for key in made), *document["keys"]]}


def _rotated(*, keep_old: bool, same_kid: bool) -> Edit:
    """Between the two legs of a sign-in the provider changes its key."""

    def rotate(pairs: Any, provider: Provider) -> Any:
        provider.rotate_keys(keep_old=keep_old, same_kid=same_kid)
        return pairs

    return rotate


def _other_material(document: Any, provider: Provider) -> Any:
    """The right kid over another key."""
    stranger = SigningKey.make(provider.algorithm, kid=provider.keys[0].kid, number=77)
    return {"keys": [stranger.jwk()]}


def _weak(pairs: Any, provider: Provider) -> Any:
    provider.keys[:] = [SigningKey.make("RS256", kid=provider.keys[0].kid, number=1, bits=1024)]
    return pairs


def _private(document: Any, provider: Provider) -> Any:
    return {"keys": [key.private_jwk() for key in provider.keys]}


def _two_of_one_kid(document: Any, provider: Provider) -> Any:
    return {"keys": [*_other_material(document, provider)["keys"], *document["keys"]]}


_BAD_KEYS: tuple[Any, ...] = (
    *(None, 7, "key", [], {}, {"kty": "RSA"}, {"kty": "RSA", "n": "!", "e": "AQAB", "kid": "bad"}),
    *({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}, {"kty": "unheard-of", "kid": "x"}),
)


def _every_second(response: Response, provider: Provider) -> Response:
    return response if provider.requests.count("jwks") % 2 else replace(response, status=503)


TABLE: tuple[Case, ...] = (
    case(
        "keys.no-kid-one-key",
        "OpenID Connect Core §10.1",
        "neither the token nor the key has a kid",
        None,
        settings={"kid_in_header": False},
        jwks=_drop("kid"),
    ),
    case(
        "keys.no-kid-many-keys",
        "OpenID Connect Core §10.1",
        "no kid in the token, four keys published",
        None,
        settings={"kid_in_header": False},
        jwks=_others,
    ),
    case(
        "keys.no-alg",
        "RFC 7517 §4.4",
        "keys without alg and use",
        None,
        jwks=_drop("alg", "use"),
    ),
    case(
        "keys.unknown-kid",
        "RFC 7517 §4.5",
        "no published key has the token's kid",
        _NO,
        jwks=_each(kid="other"),
    ),
    case(
        "keys.other-material",
        "RFC 7515 §5.2",
        "the kid is right and the key is another",
        _NO,
        jwks=_other_material,
    ),
    case(
        "keys.empty", "RFC 7517 §5", "no keys at all", _UNUSABLE, jwks=lambda document, provider: {"keys": []}
    ),
    case(
        "keys.bad-beside-good",
        "RFC 7517 §5",
        "nine malformed keys before the good one",
        None,
        jwks=_before(*_BAD_KEYS),
    ),
    case("keys.weak", "RFC 7518 §3.3", "an RSA key of 1024 bits", _UNUSABLE, authorization=_weak),
    case(
        "keys.private",
        "RFC 7517 §9.2",
        "the provider publishes its private key",
        _UNUSABLE,
        jwks=_private,
    ),
    case(
        "keys.symmetric-under-kid",
        "RFC 8725 §3.1",
        "a symmetric key under the token's kid",
        _UNUSABLE,
        jwks=lambda document, provider: {
            "keys": [{"kty": "oct", "k": b64(b"k" * 32), "kid": provider.keys[0].kid, "alg": "HS256"}]
        },
    ),
    case(
        "keys.for-encryption",
        "RFC 7517 §4.2",
        "the only key is for encryption",
        _UNUSABLE,
        jwks=_each(use="enc"),
    ),
    case(
        "keys.duplicate-kid",
        "RFC 7517 §4.5",
        "two keys of one kid, the second is the good one",
        None,
        jwks=_two_of_one_kid,
    ),
    case(
        "keys.rotated",
        "OpenID Connect Core §10.1.1",
        "a new key with a new kid, the old one stays",
        None,
        scenario=Scenario.SECOND_SIGN_IN,
        authorization=_rotated(keep_old=True, same_kid=False),
    ),
    case(
        "keys.rotated-same-kid",
        "met at providers that name every key alike",
        "new material under the old kid",
        None,
        scenario=Scenario.SECOND_SIGN_IN,
        authorization=_rotated(keep_old=False, same_kid=True),
    ),
    case(
        "keys.outage",
        "outage",
        "status 503 and nothing cached",
        "provider_unavailable",
        answer_jwks=with_status(503),
    ),
    case(
        "keys.flapping",
        "outage",
        "every second answer is status 503, while good keys are cached",
        None,
        scenario=Scenario.HOURS_LATER,
        answer_jwks=_every_second,
    ),
    case(
        "keys.outage-after-success",
        "outage",
        "the connection is reset while good keys are cached",
        None,
        scenario=Scenario.HOURS_LATER,
        answer_jwks=fails(Fault.RESET),
    ),
    case(
        "keys.html",
        "RFC 7517 §5",
        "a page instead of keys",
        "provider_error",
        answer_jwks=answer("<html>", media="text/html"),
    ),
    case(
        "keys.large",
        "resource exhaustion",
        "300 kB beside the keys",
        _UNUSABLE,
        jwks=lambda document, provider: {**document, "padding": "x" * 300_000},
    ),
    case(
        "keys.not-found",
        "RFC 9110 §15.5.5",
        "good keys with status 404",
        _UNUSABLE,
        answer_jwks=with_status(404),
    ),
    case("keys.array", "RFC 7517 §5", "an array instead of a set", "provider_error", answer_jwks=answer([])),
)
