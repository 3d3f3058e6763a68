"""Which signature algorithms ID tokens may use, and which keys fit them. RFC 7518 §3, RFC 8037, RFC 9864."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from ..errors import Problem

RSA = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
CURVES: Mapping[tuple[str, str], frozenset[str]] = MappingProxyType(
    {
        ("EC", "P-256"): frozenset({"ES256"}),
        ("EC", "P-384"): frozenset({"ES384"}),
        ("EC", "P-521"): frozenset({"ES512"}),
        ("OKP", "Ed25519"): frozenset({"EdDSA", "Ed25519"}),
        ("OKP", "Ed448"): frozenset({"EdDSA", "Ed448"}),
    }
)
ASYMMETRIC = RSA.union(*CURVES.values())
SYMMETRIC = frozenset({"HS256", "HS384", "HS512"})
"""Only with the client secret, and only where the configuration names them."""


def algorithm_problems(algorithms: frozenset[str] | None, secret: str | None) -> Iterator[Problem]:
    """What is wrong with ``algorithms`` for a client with ``secret``; nothing where None are named.

    A secret must be as long as the hash: OpenID Connect Core §16.19, RFC 7518 §3.2.
    """
    if algorithms is None:
        return
    known = ASYMMETRIC | SYMMETRIC
    for name in sorted(algorithms - known):
        yield Problem(
            ("algorithms",), f"{name} cannot verify an ID token", f"known are {', '.join(sorted(known))}"
        )
    if not algorithms:
        yield Problem(("algorithms",), "names none", "leave it out for what the provider lists")
    for name in sorted(algorithms & SYMMETRIC):
        needed = int(name.removeprefix("HS")) // 8
        if secret is None or len(secret.encode()) < needed:
            yield Problem(("clientSecret",), f"{name} needs one of {needed} bytes or more")
