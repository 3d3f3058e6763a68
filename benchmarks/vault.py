"""Sealing and opening beside a bare AES-GCM envelope: ``python benchmarks/vault.py``.

Both make and open the same layers with the same context bytes, in turn, in one process: a data key,
wrapped and payload encrypted, by ``cryptography`` alone. What is measured is what the record adds:
the version byte, the two labels, the checks. Printed are microseconds, and the ratio of the bare
envelope's time to ours: 100 % would be nothing added. Below: the vault as a whole, with JSON, the
comparison of what stands beside, and no database.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from connectors_core.grants import GrantRef
from connectors_core.tokens import TokenSet
from connectors_core.vault import Keyring, record
from connectors_core.vault.contents import Contents, dump, load

TARGET = 0.75
ROUNDS, REPEATS = 41, 2000
REF = GrantRef(
    tenant="default",
    owner="user_0123456789abcdef",
    identity="identity_0123456789abcdef0123456789abcdef",
    subject="248289761001",
    connector="google-main",
    target="google",
    issuer="https://accounts.google.com",
    urls=bytes(32),
)
CONTEXT = record.context_of(REF, secret_id="secret_0123456789abcdef0123456789abcdef", kind="tokens")
KEY_BYTES = bytes(range(32))
KEY = AESGCM(KEY_BYTES)
KEYS = Keyring({"k1": KEY_BYTES})


def bare_seal(plain: bytes) -> tuple[bytes, bytes]:
    dek = os.urandom(32)
    iv = os.urandom(12)
    wrapped = iv + KEY.encrypt(iv, dek, CONTEXT)
    iv = os.urandom(12)
    return wrapped, iv + AESGCM(dek).encrypt(iv, plain, CONTEXT)


def bare_open(wrapped: bytes, payload: bytes) -> bytes:
    dek = KEY.decrypt(wrapped[:12], wrapped[12:], CONTEXT)
    return AESGCM(dek).decrypt(payload[:12], payload[12:], CONTEXT)


def side_by_side(*functions: Callable[[], object]) -> list[float]:
    """Median microseconds of each; they take turns, so that what else the machine does hits all alike."""
    times: list[list[float]] = [[] for _ in functions]
    for _ in range(ROUNDS):
        for function, mine in zip(functions, times, strict=True):
            begun = time.perf_counter()
            for _ in range(REPEATS // 20):
                function()
            mine.append((time.perf_counter() - begun) / (REPEATS // 20) * 1e6)
    return [statistics.median(mine) for mine in times]


def tokens(size: int) -> TokenSet:
    return TokenSet(
        access_token="a" * size,
        refresh_token="r" * 103,
        expires_at=1_800_000_000.0,
        requested=frozenset({"openid", "email", "profile"}),
        scopes=frozenset({"openid", "email", "profile"}),
        scopes_stated=True,
    )


def main(as_json: bool) -> int:
    loop = asyncio.new_event_loop()
    figures = {}
    for name, size in (("google-like", 180), ("entra-like", 4096)):
        contents = Contents(tokens=tokens(size), issuer=REF.issuer, subject=REF.subject)
        plain = dump(contents)
        ours = record.seal(plain, KEY, kid="k1", context=CONTEXT)
        bare = bare_seal(plain)
        bare_sealing, sealing = side_by_side(
            lambda p=plain: bare_seal(p),
            lambda p=plain: record.seal(p, KEY, kid="k1", context=CONTEXT),
        )
        bare_opening, opening = side_by_side(
            lambda b=bare: bare_open(*b),
            lambda s=ours: record.unseal(s, KEY, kid="k1", context=CONTEXT),
        )

        async def whole(s: record.Sealed = ours) -> object:
            dek = await KEYS.unwrap(s.wrapped_dek, kid="k1", context=CONTEXT)
            return load(record.decrypt(s.payload, dek, context=CONTEXT))

        writing, reading = side_by_side(
            lambda c=contents: record.seal(dump(c), KEY, kid="k1", context=CONTEXT),
            lambda w=whole: loop.run_until_complete(w()),
        )
        figures[name] = {
            "plaintext_bytes": len(plain),
            "overhead_bytes": len(ours.wrapped_dek) + len(ours.payload) - len(plain),
            "seal_us": round(sealing, 2),
            "bare_seal_us": round(bare_sealing, 2),
            "seal_ratio": round(bare_sealing / sealing, 3),
            "open_us": round(opening, 2),
            "bare_open_us": round(bare_opening, 2),
            "open_ratio": round(bare_opening / opening, 3),
            "token_set_to_record_us": round(writing, 1),
            "record_to_token_set_us": round(reading, 1),
        }
    loop.close()
    for name, its in figures.items():
        lines = [f"{name}: {its['plaintext_bytes']} B, overhead {its['overhead_bytes']} B"]
        for step in ("seal", "open"):
            ours_took, bare_took = its[f"{step}_us"], its[f"bare_{step}_us"]
            lines.append(
                f"  {step} {ours_took:6.2f} us, bare {bare_took:6.2f} us: {its[f'{step}_ratio']:.0%}"
            )
        lines.append(f"  from a token set to a record {its['token_set_to_record_us']:.1f} us")
        lines.append(f"  and back {its['record_to_token_set_us']:.1f} us")
        if not as_json:
            sys.stdout.write("\n".join(lines) + "\n")
    if as_json:
        sys.stdout.write(json.dumps(figures) + "\n")
    ratios = [its[f"{step}_ratio"] for its in figures.values() for step in ("seal", "open")]
    return 0 if min(ratios) >= TARGET else 1


if __name__ == "__main__":
    sys.exit(main("--json" in sys.argv[1:]))
