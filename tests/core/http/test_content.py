from __future__ import annotations

import contextlib
import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors_core.errors import AnswerTooLarge, InvalidResponse
from connectors_core.http.content import decode_content


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


ENCODERS = {"gzip": gzip.compress, "x-gzip": gzip.compress, "deflate": zlib.compress}


@pytest.mark.parametrize("coding", ENCODERS)
@given(data=st.binary(max_size=200))
def test_a_coding_is_undone(coding: str, data: bytes) -> None:
    assert decode_content(ENCODERS[coding](data), [coding.upper()], max_bytes=200) == data


def test_deflate_without_the_zlib_wrapper_is_understood() -> None:
    assert decode_content(raw_deflate(b"hello"), ["deflate"], max_bytes=10) == b"hello"


@pytest.mark.parametrize("encodings", [[], ["identity"], [""]])
def test_plain_content_is_left_alone(encodings: list[str]) -> None:
    assert decode_content(b"plain", encodings, max_bytes=10) == b"plain"


def test_an_empty_body_needs_no_decoding() -> None:
    assert decode_content(b"", ["gzip"], max_bytes=10) == b""


def test_decoding_stops_at_the_cap() -> None:
    bomb = gzip.compress(bytes(10_000_000))
    with pytest.raises(AnswerTooLarge):
        decode_content(bomb, ["gzip"], max_bytes=1000)
    assert len(decode_content(gzip.compress(bytes(1000)), ["gzip"], max_bytes=1000)) == 1000


@pytest.mark.parametrize(
    ("content", "encodings"),
    [
        (b"x", ["br"]),
        (b"x", ["zstd"]),
        (gzip.compress(gzip.compress(b"x", mtime=0), mtime=0), ["gzip", "gzip"]),
        (b"not gzip", ["gzip"]),
        (gzip.compress(b"hello", mtime=0)[:-4], ["gzip"]),
        (gzip.compress(b"hello", mtime=0) + b"more", ["gzip"]),
        (zlib.compress(b"hello")[:-1], ["deflate"]),
        (b"\xff\xff\xff", ["deflate"]),
    ],
)
def test_content_that_cannot_be_decoded_is_refused(content: bytes, encodings: list[str]) -> None:
    with pytest.raises(InvalidResponse):
        decode_content(content, encodings, max_bytes=1000)


@given(
    st.binary(max_size=100), st.lists(st.sampled_from(["gzip", "deflate", "br", "", "identity"]), max_size=3)
)
def test_decoding_is_total(content: bytes, encodings: list[str]) -> None:
    with contextlib.suppress(AnswerTooLarge, InvalidResponse):
        assert len(decode_content(content, encodings, max_bytes=1000)) <= 1000
