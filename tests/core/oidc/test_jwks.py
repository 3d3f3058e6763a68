from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from connectors_core.connector import NetworkPermission, Runtime
from connectors_core.errors import InvalidResponse, NotSent, Step
from connectors_core.oidc import read_key_set
from connectors_core.testing.plugin import Clock
from tests.core.oidc.op import ISSUER, Provider, published

URI = f"{ISSUER}/jwks"


@pytest.fixture(scope="module")
def jwk(ec: ECKey) -> dict[str, Any]:
    return {name: value for name, value in ec.as_dict(private=False).items() if name not in ("use", "alg")}


def test_keys_are_found_by_name_and_by_kind(ec: ECKey, rsa: RSAKey, okp: OKPKey) -> None:
    keys = read_key_set(json.dumps(published(ec, rsa, okp)).encode())
    assert keys.ignored == 0
    assert [key.key_type for key in keys.candidates("rsa-1", "RS256")] == ["RSA"]
    assert len(keys.candidates("rsa-1", "PS512")) == 1
    assert len(keys.candidates("okp-1", "EdDSA")) == len(keys.candidates("okp-1", "Ed25519")) == 1
    assert keys.candidates("okp-1", "Ed448") == ()
    assert keys.candidates("rsa-1", "ES256") == ()
    assert keys.candidates("ec-1", "ES384") == ()
    assert keys.candidates("nobody", "ES256") == ()


@pytest.mark.parametrize("algorithm", ["HS256", "HS512", "none", "", "RSA-OAEP", "ES256K"])
def test_no_published_key_serves_another_kind_of_algorithm(rsa: RSAKey, ec: ECKey, algorithm: str) -> None:
    assert read_key_set(published(rsa, ec)).candidates(None, algorithm) == ()


def test_without_a_name_all_suitable_keys_are_candidates(ec: ECKey, other_ec: ECKey, rsa: RSAKey) -> None:
    assert len(read_key_set(published(ec, other_ec, rsa)).candidates(None, "ES256")) == 2


def test_a_key_without_a_name_serves_only_signatures_that_name_none(jwk: dict[str, Any]) -> None:
    nameless = {name: value for name, value in jwk.items() if name != "kid"}
    keys = read_key_set({"keys": [nameless]})
    assert len(keys.candidates(None, "ES256")) == 1
    assert keys.candidates(jwk["kid"], "ES256") == ()


def test_keys_that_share_a_name_are_all_candidates(jwk: dict[str, Any], other_ec: ECKey) -> None:
    twin = {**other_ec.as_dict(private=False), "kid": jwk["kid"]}
    assert len(read_key_set({"keys": [jwk, twin]}).candidates(jwk["kid"], "ES256")) == 2


BAD: list[Any] = [
    None,
    7,
    [],
    {},
    {"kty": "EC"},
    {"kty": ["EC"]},
    {"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"},
    {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
    {"kty": "RSA", "n": "!", "e": "AQAB"},
    {"kty": "RSA", "n": 5, "e": "AQAB"},
    {"kty": "OKP", "crv": "X25519", "x": "A" * 43},
    {"kty": "OKP", "crv": "Ed25519", "x": "AA"},
    {"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43},
    {"kty": "EC", "crv": "secp256k1", "x": "A" * 43, "y": "A" * 43},
    {"kty": "ML-DSA", "alg": "ML-DSA-44", "pub": "AA"},
]


@pytest.mark.parametrize("bad", BAD)
def test_one_bad_key_does_not_spoil_the_set(jwk: dict[str, Any], bad: object) -> None:
    keys = read_key_set({"keys": [bad, jwk]})
    assert keys.ignored == 1
    assert len(keys.candidates(jwk["kid"], "ES256")) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"use": "enc"},
        {"use": ["sig"]},
        {"key_ops": ["sign"]},
        {"key_ops": "verify"},
        {"alg": "ECDH-ES"},
        {"alg": "ES384"},
        {"alg": 1},
        {"kid": 1},
        {"crv": ["P-256"]},
        {"d": "AAAA"},
    ],
)
def test_a_key_for_another_use_or_one_that_is_no_secret_any_more_is_passed_over(
    jwk: dict[str, Any], changes: dict[str, Any]
) -> None:
    with pytest.raises(InvalidResponse, match="none of the 1 keys") as caught:
        read_key_set({"keys": [{**jwk, **changes}]})
    assert caught.value.step is Step.KEYS


def test_key_ops_with_verify_and_unknown_members_are_fine(jwk: dict[str, Any]) -> None:
    keys = read_key_set({"keys": [{**jwk, "key_ops": ["verify"], "use": "sig", "x5c": ["!"], "nbf": 1}]})
    assert len(keys.candidates(None, "ES256")) == 1


def test_alg_narrows_what_a_key_serves(rsa: RSAKey) -> None:
    keys = read_key_set({"keys": [{**rsa.as_dict(private=False), "alg": "PS256"}]})
    assert len(keys.candidates(None, "PS256")) == 1
    assert keys.candidates(None, "RS256") == ()


@pytest.mark.filterwarnings("ignore:Key size should be")
def test_weak_rsa_keys_are_passed_over_without_a_warning(ec: ECKey) -> None:
    weak = RSAKey.generate_key(1024, {"kid": "weak"}).as_dict(private=False)
    keys = read_key_set({"keys": [weak, *published(ec)["keys"]]})
    assert keys.candidates("weak", "RS256") == ()


def test_no_private_or_symmetric_key_is_kept(ec: ECKey, rsa: RSAKey) -> None:
    leaked = [rsa.as_dict(private=True), OctKey.generate_key(256).as_dict(private=True)]
    keys = read_key_set({"keys": [*leaked, *published(ec)["keys"]]})
    assert keys.ignored == 2
    assert not any(key.is_private for key in keys.candidates(None, "ES256"))


def test_at_most_a_hundred_keys_are_looked_at(jwk: dict[str, Any]) -> None:
    keys = read_key_set({"keys": [{**jwk, "kid": str(number)} for number in range(120)]})
    assert len(keys.candidates(None, "ES256")) == 100
    assert keys.ignored == 20


@pytest.mark.parametrize(
    "document", [b"", b"[]", b"{}", b'{"keys":{}}', b'{"keys":[]}', b"\xff", b"[" * 99_999]
)
def test_what_is_no_key_set_is_refused(document: bytes) -> None:
    with pytest.raises(InvalidResponse, match="key"):
        read_key_set(document)


names = st.sampled_from(["kty", "kid", "alg", "use", "key_ops", "crv", "x", "y", "n", "e", "d", "k"])
texts = st.sampled_from(["EC", "RSA", "OKP", "P-256", "Ed25519", "AQAB", "sig", "verify", ""]) | st.text(
    max_size=8
)
values = texts | st.none() | st.integers() | st.lists(texts, max_size=2) | st.binary(max_size=3).map(repr)


@given(st.lists(st.dictionaries(names, values) | values, max_size=4))
def test_reading_is_total(listed: list[Any]) -> None:
    try:
        read_key_set({"keys": listed})
    except InvalidResponse:
        return


async def test_keys_are_fetched_once_for_all_who_wait_and_kept_for_an_hour(
    runtime: Runtime, provider: Provider, clock: Clock
) -> None:
    provider.before = lambda: asyncio.sleep(0)
    found = await asyncio.gather(*(runtime.key_cache.keys(URI, runtime) for _ in range(30)))
    assert all(keys is found[0] for keys in found)
    clock.now += 3599
    assert await runtime.key_cache.keys(URI, runtime) is found[0]
    assert provider.asked("/jwks") == 1
    clock.now += 1
    assert await runtime.key_cache.keys(URI, runtime) is not found[0]


@pytest.mark.parametrize(
    ("header", "lifetime"),
    [
        ("max-age=300", 300),
        ("public, max-age=7200, must-revalidate", 7200),
        ("max-age=0", 60),
        ("Max-Age = 999999999", 86_400),
        ("max-age=99999999999999999999", 86_400),
        ("s-maxage=120", 3600),
        ("no-store", 3600),
        ("max-age=-1", 3600),
        ("", 3600),
    ],
)
async def test_cache_control_says_how_long_between_a_minute_and_a_day(
    runtime: Runtime, provider: Provider, clock: Clock, ec: ECKey, header: str, lifetime: int
) -> None:
    provider.documents["/jwks"] = httpx.Response(200, json=published(ec), headers={"Cache-Control": header})
    await runtime.key_cache.keys(URI, runtime)
    clock.now += lifetime - 1
    await runtime.key_cache.keys(URI, runtime)
    assert provider.asked("/jwks") == 1
    clock.now += 1
    await runtime.key_cache.keys(URI, runtime)
    assert provider.asked("/jwks") == 2


async def test_newer_keys_are_fetched_once_then_not_for_a_minute(
    runtime: Runtime, provider: Provider, clock: Clock
) -> None:
    cache = runtime.key_cache
    keys = await cache.keys(URI, runtime)
    newer = await cache.newer(URI, runtime, than=keys)
    assert newer is not None
    assert newer is not keys
    assert await cache.newer(URI, runtime, than=keys) is newer
    assert await cache.newer(URI, runtime, than=newer) is None
    assert provider.asked("/jwks") == 2
    clock.now += 60
    assert await cache.newer(URI, runtime, than=newer) is not None
    assert provider.asked("/jwks") == 3


async def test_all_who_miss_a_key_at_once_cause_one_fetch(runtime: Runtime, provider: Provider) -> None:
    keys = await runtime.key_cache.keys(URI, runtime)
    provider.before = lambda: asyncio.sleep(0)
    found = await asyncio.gather(*(runtime.key_cache.newer(URI, runtime, than=keys) for _ in range(20)))
    assert None not in found
    assert len(set(map(id, found))) == 1
    assert provider.asked("/jwks") == 2


@pytest.mark.parametrize("outage", ["refused", "empty", "broken"])
async def test_the_last_good_keys_serve_through_an_outage(
    runtime: Runtime, provider: Provider, clock: Clock, outage: str
) -> None:
    keys = await runtime.key_cache.keys(URI, runtime)
    provider.documents["/jwks"] = {"keys": []} if outage == "empty" else httpx.Response(500)
    provider.broken = NotSent("refused") if outage == "refused" else None
    assert await runtime.key_cache.newer(URI, runtime, than=keys) is None
    clock.now += 80_000
    assert await runtime.key_cache.keys(URI, runtime) is keys
    clock.now += 6_400
    with pytest.raises((NotSent, InvalidResponse)):
        await runtime.key_cache.keys(URI, runtime)


async def test_tenants_and_permissions_share_no_keys(runtime: Runtime, provider: Provider) -> None:
    for other in (
        runtime,
        replace(runtime, tenant="acme"),
        replace(runtime, network=NetworkPermission(private=True)),
        replace(runtime, network=NetworkPermission(hosts=frozenset({"op.example"}))),
    ):
        for _ in range(2):
            await other.key_cache.keys(URI, other)
    assert provider.asked("/jwks") == 4


async def test_an_oversized_key_set_is_refused(runtime: Runtime, provider: Provider) -> None:
    provider.documents["/jwks"] = {"keys": [], "padding": "x" * (1 << 18)}
    with pytest.raises(InvalidResponse, match="larger"):
        await runtime.key_cache.keys(URI, runtime)
