"""Response content: from the octets on the wire to the octets that were meant."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from ..errors import AnswerTooLarge, InvalidResponse, Step

ACCEPT_ENCODING = "gzip, deflate"

# Some servers send "deflate" without the zlib wrapper that RFC 9110 §8.4.1.2 asks for.
_WINDOW_BITS = {"gzip": (31,), "x-gzip": (31,), "deflate": (15, -15)}


def decode_content(content: bytes, encodings: Sequence[str], *, max_bytes: int) -> bytes:
    """Undo one content coding, never producing more than ``max_bytes`` octets.

    Raises AnswerTooLarge beyond that, InvalidResponse for a coding that was not asked for, for
    several codings on top of each other, and for content that is cut short, broken or followed
    by something else. RFC 9110 §8.4.
    """
    codings = [coding.strip().lower() for coding in encodings]
    codings = [coding for coding in codings if coding not in ("", "identity")]
    if not codings or not content:
        return content
    if len(codings) > 1 or codings[0] not in _WINDOW_BITS:
        raise InvalidResponse("the answer has a content coding that was not asked for", step=Step.NETWORK)
    for window_bits in _WINDOW_BITS[codings[0]]:
        decompressor = zlib.decompressobj(window_bits)
        try:
            decoded = decompressor.decompress(content, max_bytes + 1)
        except zlib.error:
            continue
        if len(decoded) > max_bytes:
            raise AnswerTooLarge(f"the answer is larger than {max_bytes} bytes")
        if decompressor.eof and not decompressor.unused_data:
            return decoded
    raise InvalidResponse(f"the answer is not valid {codings[0]} content", step=Step.NETWORK)
