from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from joserfc.util import urlsafe_b64encode

from connectors_core.errors import IdTokenRejected
from connectors_core.oidc import IdTokenPolicy, KeySet, NoncePolicy, read_key_set, verify_id_token
from tests.canary import Canary
from tests.core.oidc.op import (
    ACCESS_TOKEN,
    CLIENT,
    CODE,
    ISSUER,
    NONCE,
    NOW,
    claims_of,
    published,
    segment,
    sign,
)

POLICY = IdTokenPolicy(issuers=frozenset({ISSUER}), client_id=CLIENT, algorithms=frozenset({"ES256"}))
SECRET = "canary-secret-" + "0" * 50
SECRET_KEY = OctKey(SECRET.encode(), SECRET.encode())

Verify = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def keys(ec: ECKey) -> KeySet:
    return read_key_set(published(ec))


@pytest.fixture(scope="module")
def verify(ec: ECKey, keys: KeySet) -> Verify:
    """``verify(claims)``: sign and verify them with everything as it should be, but for what is said."""

    def verify(
        claims: Any, *, policy: IdTokenPolicy = POLICY, header: Any = None, **given: Any
    ) -> dict[str, Any]:
        expected = {"now": NOW, "nonce": NONCE, "access_token": ACCESS_TOKEN, "code": CODE, **given}
        return verify_id_token(sign(claims, ec, **(header or {})), keys, policy, **expected)

    return verify


def half(value: str, algorithm: str = "sha256") -> str:
    digest = hashlib.new(algorithm, value.encode()).digest()
    return urlsafe_b64encode(digest[: len(digest) // 2]).decode()


GOOD: list[tuple[str, dict[str, Any]]] = [
    ("plain", {}),
    ("list of one audience", {"aud": [CLIENT]}),
    ("ours as authorized party", {"azp": CLIENT}),
    ("one audience, named twice", {"aud": [CLIENT, CLIENT]}),
    ("expired within the leeway", {"exp": NOW - 59}),
    ("from a clock ahead within the leeway", {"iat": NOW + 60}),
    ("not before, within the leeway", {"nbf": NOW + 60}),
    ("whole numbers", {"exp": int(NOW) + 1, "iat": int(NOW)}),
    ("at_hash", {"at_hash": half(ACCESS_TOKEN)}),
    ("c_hash", {"c_hash": half(CODE)}),
    ("longest subject", {"sub": "s" * 255}),
    ("subject with spaces and letters of any script", {"sub": "花子 さん"}),
    ("claims nobody knows", {"acme": {"deep": [1]}}),
]


@pytest.mark.parametrize("changes", [changes for _, changes in GOOD], ids=[name for name, _ in GOOD])
def test_a_good_id_token_yields_its_claims(verify: Verify, changes: dict[str, Any]) -> None:
    assert verify(claims_of(**changes)) == claims_of(**changes)


REJECTED: list[tuple[str, dict[str, Any], str]] = [
    ("no issuer", {"iss": ...}, "iss"),
    ("another issuer", {"iss": "https://evil.example"}, "iss"),
    ("issuer with a slash more", {"iss": f"{ISSUER}/"}, "iss"),
    ("issuer in capitals", {"iss": "https://OP.example"}, "iss"),
    ("list of issuers", {"iss": [ISSUER]}, "iss"),
    ("no audience", {"aud": ...}, "aud"),
    ("empty audience", {"aud": []}, "aud"),
    ("another's audience", {"aud": "other"}, "aud"),
    ("audience that holds ours", {"aud": f"{CLIENT}-x"}, "aud"),
    ("audience of a wrong type", {"aud": {CLIENT: 1}}, "aud"),
    ("audience with a number", {"aud": [CLIENT, 1]}, "aud"),
    ("audience with an empty string", {"aud": [CLIENT, ""]}, "aud"),
    ("an audience beside us that nobody trusts", {"aud": [CLIENT, "other"]}, "aud"),
    ("the same, though issued to us", {"aud": ["other", CLIENT], "azp": CLIENT}, "aud"),
    ("no audience at all", {"aud": []}, "aud"),
    ("issued to another", {"azp": "other"}, "azp"),
    ("authorized party of a wrong type", {"azp": [CLIENT]}, "azp"),
    ("authorized party null", {"azp": None}, "azp"),
    ("no expiry", {"exp": ...}, "exp"),
    ("expired", {"exp": NOW - 60}, "exp"),
    ("expiry as text", {"exp": str(NOW + 300)}, "exp"),
    ("expiry as a boolean", {"exp": True}, "exp"),
    ("expiry null", {"exp": None}, "exp"),
    ("expiry negative", {"exp": -1}, "exp"),
    ("expiry beyond all calendars", {"exp": 10**30}, "exp"),
    ("no issue time", {"iat": ...}, "iat"),
    ("issued in the future", {"iat": NOW + 61}, "iat"),
    ("issue time as a boolean", {"iat": False}, "iat"),
    ("not valid yet", {"nbf": NOW + 61}, "nbf"),
    ("not before as text", {"nbf": "now"}, "nbf"),
    ("no subject", {"sub": ...}, "sub"),
    ("empty subject", {"sub": ""}, "sub"),
    ("subject as a number", {"sub": 248289761001}, "sub"),
    ("subject too long", {"sub": "s" * 256}, "sub"),
    ("subject with a NUL", {"sub": "a\0b"}, "sub"),
    ("subject with a lone surrogate", {"sub": "a\ud800"}, "sub"),
    ("no nonce", {"nonce": ...}, "nonce"),
    ("another nonce", {"nonce": "another"}, "nonce"),
    ("nonce with a lone surrogate", {"nonce": "\ud800"}, "nonce"),
    ("nonce of a wrong type", {"nonce": [NONCE]}, "nonce"),
    ("hash of another access token", {"at_hash": half("another")}, "at_hash"),
    ("at_hash of a wrong type", {"at_hash": None}, "at_hash"),
    ("whole hash as at_hash", {"at_hash": hashlib.sha256(ACCESS_TOKEN.encode()).hexdigest()}, "at_hash"),
    ("hash of another code", {"c_hash": half("another")}, "c_hash"),
]


@pytest.mark.parametrize(
    ("changes", "claim"), [row[1:] for row in REJECTED], ids=[row[0] for row in REJECTED]
)
def test_a_claim_that_does_not_hold_is_named(
    verify: Verify, canary: Canary, changes: dict[str, Any], claim: str
) -> None:
    with pytest.raises(IdTokenRejected) as caught:
        verify(claims_of(**changes))
    assert caught.value.claim == claim
    canary.check(caught.value)


def test_time_failures_tell_the_measured_skew(verify: Verify) -> None:
    with pytest.raises(IdTokenRejected, match=r"exp: expected .* \(leeway 60 s\), got one 600 s ago"):
        verify(claims_of(exp=NOW - 600))
    with pytest.raises(IdTokenRejected, match=r"iat: .* got one 300 s ahead of our clock"):
        verify(claims_of(iat=NOW + 300))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"{",
        b"[" * 20_000,
        b'{"exp":NaN}',
        b'{"exp":1e999}',
        b'{"iss":"a","iss":"b"}',
        b'{"exp":' + b"9" * 5000 + b"}",
        b'{"a":{"b":1,"b":2}}',
    ],
)
def test_a_payload_that_readers_could_disagree_about_is_refused(verify: Verify, payload: bytes) -> None:
    with pytest.raises(IdTokenRejected):
        verify(payload)


@pytest.mark.parametrize(
    ("changes", "claim"),
    [
        ({"alg": "none"}, "alg"),
        ({"alg": "HS256"}, "alg"),
        ({"alg": "RS256"}, "alg"),
        ({"alg": "es256"}, "alg"),
        ({"alg": ...}, "alg"),
        ({"alg": ["ES256"]}, "alg"),
        ({"kid": "nobody"}, "kid"),
        ({"kid": 1}, "kid"),
        ({"crit": ["exp"]}, "crit"),
        ({"crit": []}, "crit"),
        ({"crit": ["b64"], "b64": False}, "crit"),
        ({"crit": None}, "crit"),
        ({"typ": 1}, "typ"),
        ({"typ": "at+jwt"}, "typ"),
        ({"typ": "application/Logout+JWT"}, "typ"),
        ({"padding": "x" * 4096}, "header"),
    ],
)
def test_a_header_that_does_not_hold_is_refused(verify: Verify, changes: dict[str, Any], claim: str) -> None:
    with pytest.raises(IdTokenRejected) as caught:
        verify(claims_of(), header=changes)
    assert caught.value.claim == claim


@pytest.mark.parametrize("typ", [..., "JWT", "jwt", "application/jwt", "anything"])
def test_any_type_that_is_not_another_kind_of_token_passes(verify: Verify, typ: Any) -> None:
    assert verify(claims_of(), header={"typ": typ})


def test_a_type_that_was_asked_for_is_required(verify: Verify) -> None:
    policy = replace(POLICY, typ="id_token+jwt")
    assert verify(claims_of(), policy=policy, header={"typ": "application/ID_TOKEN+jwt"})
    for typ in ("JWT", ...):
        with pytest.raises(IdTokenRejected, match="typ"):
            verify(claims_of(), policy=policy, header={"typ": typ})


def test_keys_that_the_header_brings_along_are_not_used(keys: KeySet) -> None:
    own = ECKey.generate_key("P-256", {"kid": "ec-1"})
    header = {
        "jwk": own.as_dict(private=False),
        "jku": "https://evil.example/jwks",
        "x5u": "https://evil.example",
    }
    with pytest.raises(IdTokenRejected, match="signature"):
        verify_id_token(sign(claims_of(), own, **header), keys, POLICY, now=NOW, nonce=NONCE)


def test_a_token_without_a_kid_is_tried_with_all_suitable_keys(
    ec: ECKey, other_ec: ECKey, rsa: RSAKey
) -> None:
    keys = read_key_set(published(rsa, other_ec, ec))
    token = sign(claims_of(), ec, kid=...)
    assert verify_id_token(token, keys, POLICY, now=NOW, nonce=NONCE)


def test_a_public_key_never_serves_as_a_secret(rsa: RSAKey) -> None:
    keys = read_key_set(published(rsa))
    policy = replace(POLICY, algorithms=frozenset({"RS256", "HS256"}))
    for octets in (rsa.as_pem(private=False), json.dumps(rsa.as_dict(private=False)).encode()):
        forged = sign(claims_of(), OctKey(octets, octets, {"kid": "rsa-1"}), algorithm="HS256")
        for secret_key in (None, SECRET_KEY):
            with pytest.raises(IdTokenRejected):
                verify_id_token(forged, keys, replace(policy, secret_key=secret_key), now=NOW, nonce=NONCE)


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_the_client_secret_verifies_only_where_the_policy_says_so(keys: KeySet, algorithm: str) -> None:
    token = sign(claims_of(), SECRET_KEY, algorithm=algorithm)
    policy = replace(POLICY, algorithms=frozenset({algorithm}), secret_key=SECRET_KEY)
    assert verify_id_token(token, None, policy, now=NOW, nonce=NONCE)
    with pytest.raises(IdTokenRejected, match="alg"):
        verify_id_token(token, keys, replace(POLICY, secret_key=SECRET_KEY), now=NOW, nonce=NONCE)
    with pytest.raises(IdTokenRejected, match="signature"):
        verify_id_token(token[:-4] + "AAAA", None, policy, now=NOW, nonce=NONCE)


def test_a_policy_that_names_none_does_not_admit_it(keys: KeySet) -> None:
    token = f"{segment({'alg': 'none'})}.{segment(claims_of())}."
    policy = replace(POLICY, algorithms=frozenset({"none", "ES256"}))
    for forged in (token, token + "AA"):
        with pytest.raises(IdTokenRejected):
            verify_id_token(forged, keys, policy, now=NOW, nonce=NONCE)


HASHES = {"256": "sha256", "384": "sha384", "512": "sha512", "EdDSA": "sha512", "Ed25519": "sha512"}


@pytest.mark.parametrize(
    "algorithm",
    ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"],
)
def test_every_algorithm_verifies_with_its_own_hash(
    ec: ECKey, rsa: RSAKey, okp: OKPKey, algorithm: str
) -> None:
    curves = {"ES384": "P-384", "ES512": "P-521"}
    made = ECKey.generate_key(curves[algorithm], {"kid": "k"}) if algorithm in curves else ec
    key = {"R": rsa, "P": rsa}.get(algorithm[0], okp if algorithm.startswith("Ed") else made)
    at_hash = half(ACCESS_TOKEN, HASHES.get(algorithm) or HASHES[algorithm[-3:]])
    policy = replace(POLICY, algorithms=frozenset({algorithm}))
    keys = read_key_set(published(key))
    expected = {"now": NOW, "nonce": NONCE, "access_token": ACCESS_TOKEN}
    good = sign(claims_of(at_hash=at_hash), key, algorithm=algorithm)
    assert verify_id_token(good, keys, policy, **expected)  # type: ignore[arg-type]
    bad = sign(claims_of(at_hash=half("another")), key, algorithm=algorithm)
    with pytest.raises(IdTokenRejected, match="at_hash"):
        verify_id_token(bad, keys, policy, **expected)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("policy", "sent", "claimed", "passes"),
    [
        ("required", NONCE, NONCE, True),
        ("required", NONCE, ..., False),
        ("required", NONCE, "another", False),
        ("required", None, NONCE, False),
        ("required", None, ..., False),
        ("if-present", NONCE, NONCE, True),
        ("if-present", NONCE, ..., True),
        ("if-present", NONCE, "another", False),
        ("if-present", None, NONCE, True),
        ("not-sent", NONCE, ..., True),
        ("not-sent", NONCE, NONCE, False),
        ("not-sent", None, "another", False),
    ],
)
def test_the_nonce_is_held_to_its_policy(
    verify: Verify, policy: str, sent: str | None, claimed: Any, passes: bool
) -> None:
    held = replace(POLICY, nonce=NoncePolicy(policy))
    if passes:
        assert verify(claims_of(nonce=claimed), policy=held, nonce=sent)
        return
    with pytest.raises(IdTokenRejected, match="nonce"):
        verify(claims_of(nonce=claimed), policy=held, nonce=sent)


def test_additional_audiences_are_those_of_our_own_other_clients(verify: Verify) -> None:
    policy = replace(POLICY, additional_audiences=frozenset({"native"}))
    assert verify(claims_of(aud="native"), policy=policy)
    assert verify(claims_of(aud=["native", CLIENT], azp=CLIENT), policy=policy)
    assert verify(claims_of(azp="native"), policy=policy)
    assert verify(claims_of(aud=["native", CLIENT]), policy=policy)
    with pytest.raises(IdTokenRejected, match="aud"):
        verify(claims_of(aud=["native", "other"]), policy=policy)


def test_any_issuer_passes_only_where_the_policy_names_none(verify: Verify) -> None:
    policy = replace(POLICY, issuers=None)
    assert verify(claims_of(iss="https://any.example"), policy=policy)
    for iss in (..., "", 7):
        with pytest.raises(IdTokenRejected, match="iss"):
            verify(claims_of(iss=iss), policy=policy)
    with pytest.raises(IdTokenRejected, match="iss"):
        verify(claims_of(), policy=replace(POLICY, issuers=frozenset()))


def test_an_authentication_older_than_was_asked_for_is_refused(verify: Verify) -> None:
    assert verify(claims_of(auth_time=NOW - 360), max_age=300.0)
    for auth_time in (NOW - 361, ..., str(NOW), True):
        with pytest.raises(IdTokenRejected, match="auth_time"):
            verify(claims_of(auth_time=auth_time), max_age=300.0)


def test_a_token_issued_longer_ago_than_the_policy_allows_is_refused(verify: Verify) -> None:
    policy = replace(POLICY, max_token_age=10.0, leeway=5.0)
    assert verify(claims_of(iat=NOW - 15), policy=policy)
    with pytest.raises(IdTokenRejected, match="at most 15 s ago, got one 16 s ago"):
        verify(claims_of(iat=NOW - 16), policy=policy)


def test_only_the_subject_that_the_policy_names_passes(verify: Verify) -> None:
    assert verify(claims_of(sub="me"), policy=replace(POLICY, subject="me"))
    with pytest.raises(IdTokenRejected, match="sub"):
        verify(claims_of(), policy=replace(POLICY, subject="me"))


def test_an_issuer_that_echoes_our_secrets_does_not_bring_them_into_messages(
    verify: Verify, canary: Canary
) -> None:
    for changes in (
        {"iss": f"x {NONCE} {ACCESS_TOKEN} {CODE}"},
        {"aud": [NONCE, CODE]},
        {"azp": ACCESS_TOKEN},
    ):
        with pytest.raises(IdTokenRejected) as caught:
            verify(claims_of(**changes))
        canary.check(caught.value)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda token: token + ".",
        lambda token: token + "=",
        lambda token: "." + token,
        lambda token: token.replace(".", "..", 1),
        lambda token: token + " ",
        lambda token: token + "\n",
        lambda token: token.replace(".", ".\u0660", 1),
        lambda token: token.rpartition(".")[0],
        lambda token: token.rpartition(".")[0] + ".",
        lambda token: token + ".AAAA.AAAA",
        lambda token: token + "A",
        lambda token: token[:-1] + chr(ord(token[-1]) + 1),
        lambda token: "A" * 70_000,
        lambda token: "",
        lambda token: None,
        lambda token: token.encode(),
    ],
)
def test_a_token_that_is_not_canonical_is_refused(
    ec: ECKey, keys: KeySet, spoil: Callable[[str], Any]
) -> None:
    with pytest.raises(IdTokenRejected):
        verify_id_token(spoil(sign(claims_of(), ec)), keys, POLICY, now=NOW, nonce=NONCE)


VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "oidc_core_a.json").read_text())


@pytest.mark.parametrize("example", ["A.2", "A.3", "A.4"])
def test_the_examples_of_core_appendix_a_verify(example: str) -> None:
    keys = read_key_set({"keys": [VECTORS["key"]]})
    policy = IdTokenPolicy(issuers=frozenset({VECTORS["issuer"]}), client_id=VECTORS["client_id"])
    expected = {name: VECTORS[name] for name in ("nonce", "access_token", "code")}
    now = VECTORS["issued_at"] + 30
    claims = verify_id_token(VECTORS[example], keys, policy, now=now, **expected)
    assert claims["sub"] == "248289761001"
    for name, claim in (("access_token", "at_hash"), ("code", "c_hash")):
        if claim in claims:
            with pytest.raises(IdTokenRejected, match=claim):
                verify_id_token(VECTORS[example], keys, policy, now=now, **{**expected, name: "another"})
    with pytest.raises(IdTokenRejected, match="exp"):
        verify_id_token(VECTORS[example], keys, policy, now=VECTORS["expires_at"] + 60, **expected)


def test_the_examples_hold_both_hashes() -> None:
    payloads = [jws.extract_compact(VECTORS[example].encode()).payload for example in ("A.3", "A.4")]
    assert b"at_hash" in payloads[0]
    assert b"c_hash" in payloads[1]


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_signature_and_form_are_judged_as_joserfc_judges_them(
    ec: ECKey, keys: KeySet, data: st.DataObject
) -> None:
    """Whatever is done to a token, we accept it only where joserfc's whole path does."""
    token = sign(claims_of(), ec)
    for _ in range(data.draw(st.integers(0, 3))):
        place = data.draw(st.integers(0, len(token) - 1))
        character = data.draw(st.sampled_from("ABab09-_.=+/ é"))
        token = (
            data.draw(st.sampled_from([token[:place] + character + token[place + 1 :], token[:place]])) or "."
        )
    try:
        claims: Any = verify_id_token(token, keys, POLICY, now=NOW, nonce=NONCE)
    except IdTokenRejected:
        claims = None
    try:
        oracle: Any = json.loads(jws.deserialize_compact(token, ec, algorithms=["ES256"]).payload)
    except (JoseError, ValueError):
        oracle = None
    assert claims == oracle


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.just(CLIENT),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)
CLAIM_NAMES = ["iss", "sub", "aud", "azp", "exp", "iat", "nbf", "nonce", "at_hash", "c_hash", "auth_time"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.dictionaries(st.sampled_from(CLAIM_NAMES), json_values), max_age=st.none() | st.just(60.0))
def test_verification_is_total_over_claims(
    verify: Verify, changes: dict[str, Any], max_age: float | None
) -> None:
    try:
        claims = verify(claims_of(**changes), max_age=max_age)
    except IdTokenRejected:
        return
    assert claims["iss"] == ISSUER
    assert claims["nonce"] == NONCE


@given(st.text(st.sampled_from("eyJhbGciOiJFUzI1NiJ9.-_AQ=") | st.characters(), max_size=60))
def test_verification_is_total_over_text(text: str) -> None:
    with pytest.raises(IdTokenRejected):
        verify_id_token(text, None, POLICY, now=NOW, nonce=NONCE)
