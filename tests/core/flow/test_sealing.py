"""Data sealed under values that are not stored."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors_core.flow import sealing

values = st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=3)


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.none()), values, values)
def test_opens_under_the_same_values_and_context(data, under, context):
    sealed = sealing.seal(data, under=under, context=context)
    assert sealing.unseal(sealed, under=under, context=context) == data


@given(values, values, values)
def test_opens_under_no_other_values_or_context(under, context, other):
    sealed = sealing.seal({"a": 1}, under=under, context=context)
    for wrong in ({"under": other, "context": context}, {"under": under, "context": other}):
        if wrong != {"under": under, "context": context}:
            with pytest.raises(sealing.CannotOpen):
                sealing.unseal(sealed, **wrong)


def test_joins_injectively():
    sealed = sealing.seal({}, under=("ab", "c"), context=("x",))
    with pytest.raises(sealing.CannotOpen):
        sealing.unseal(sealed, under=("a", "bc"), context=("x",))


@given(st.binary(max_size=64))
def test_refuses_any_other_bytes(garbage):
    with pytest.raises(sealing.CannotOpen):
        sealing.unseal(garbage, under=("k",), context=("x",))


@given(st.integers(min_value=0, max_value=60))
def test_refuses_a_changed_or_cut_byte(position):
    sealed = sealing.seal({"verifier": "v"}, under=("k",), context=("x",))
    position %= len(sealed)
    flipped = sealed[:position] + bytes([sealed[position] ^ 1]) + sealed[position + 1 :]
    for changed in (flipped, sealed[:position]):
        with pytest.raises(sealing.CannotOpen):
            sealing.unseal(changed, under=("k",), context=("x",))


def test_the_sealed_bytes_hold_nothing_readable():
    assert b"verifier" not in sealing.seal({"verifier": "v"}, under=("k",), context=("x",))


def test_hashes_of_different_kinds_differ():
    assert sealing.hashed("state", "v") != sealing.hashed("binding", "v")


def test_values_have_256_bits():
    assert len({sealing.new_value() for _ in range(1000)}) == 1000
    assert all(len(sealing.new_value()) == 43 for _ in range(10))
