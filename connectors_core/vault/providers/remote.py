"""What key services have in common: how they are named, what they bind, and a trial as health."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl

from ...errors import ConfigurationError, ConnectorError, Problem
from ...grants import KeyHealth, KeyProvider
from ..record import KEY_BYTES, wrap_context

TRIAL = b"health"
"""The context of what ``trial`` wraps: no row's."""

Mode = Literal["stored", "direct"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteSource:
    """What follows the colon of ``vault_keys``: ``NAME[,NAME…][?mode=direct]``; the first name wraps.

    ``stored``: the service's key wraps the vault's keys, which lie in the database and are
    unwrapped at start. ``direct``: it wraps every data key itself, one call for each opening.
    """

    names: tuple[str, ...]
    mode: Mode = "stored"


def read_source(text: str) -> RemoteSource:
    """Raises ConfigurationError."""
    listed, _, query = text.partition("?")
    names = tuple(name.strip() for name in listed.split(","))
    if not all(names) or len(set(names)) != len(names):
        raise refused("must name a key, or several different ones, the one to wrap by first")
    options = dict(parse_qsl(query, keep_blank_values=True))
    mode = options.pop("mode", "stored")
    if options or mode not in ("stored", "direct"):
        raise refused("has an option that is not known", "the only one is ?mode=stored or ?mode=direct")
    return RemoteSource(names=names, mode="direct" if mode == "direct" else "stored")


def refused(message: str, cure: str = "") -> ConfigurationError:
    return ConfigurationError([Problem(("host", "vault_keys"), message, cure)])


def missing_package(package: str, extra: str) -> ConfigurationError:
    return refused(f"this key source needs the package {package}", f"pip install 'connectors-core[{extra}]'")


def bound_digest(kid: str, context: bytes) -> str:
    """The SHA-256 of ``wrap_context`` in hexadecimal, for services that log what they are given."""
    return hashlib.sha256(wrap_context(kid, context)).hexdigest()


async def trial(provider: KeyProvider) -> Sequence[KeyHealth]:
    """Wrap and unwrap once by each key: what is found is what the vault would find."""
    found = []
    for kid in provider.kids():
        try:
            wrapped = await provider.wrap(bytes(KEY_BYTES), kid=kid, context=TRIAL)
            await provider.unwrap(wrapped, kid=kid, context=TRIAL)
        except ConnectorError as error:
            found.append(KeyHealth(kid=kid, usable=False, detail=str(error)))
        else:
            found.append(KeyHealth(kid=kid, usable=True))
    return found
