from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors_core.oauth2.json_body import read_json

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(values)
def test_ordinary_json_is_read_as_it_is(value):
    assert read_json(json.dumps(value).encode()) == value


def test_a_byte_order_mark_is_skipped():
    assert read_json(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("nothing", b""),
        ("a key twice", b'{"sub": "a", "sub": "b"}'),
        ("a key twice further in", b'{"x": [{"a": 1, "a": 1}]}'),
        ("NaN", b'{"a": NaN}'),
        ("Infinity", b"[-Infinity]"),
        ("nesting", b"[" * 200_000),
        ("a nested object", b'{"a":' * 200_000),
        ("a number of 5,000 digits", b"9" * 5000),
        ("bytes that are not UTF-8", b'"\xff"'),
        ("UTF-16", '{"a": 1}'.encode("utf-16")),
        ("rubbish behind", b'{"a": 1} canary'),
    ],
)
def test_refused(name, body):
    with pytest.raises(ValueError) as caught:
        read_json(body)
    assert str(caught.value) == "is not the JSON we accept"
    assert caught.value.__suppress_context__


@given(st.binary())
def test_bytes_of_any_kind_raise_nothing_but_value_error(body):
    try:
        read_json(body)
    except ValueError as error:
        assert type(error) is ValueError  # noqa: PT017
