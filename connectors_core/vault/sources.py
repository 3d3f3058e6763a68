"""From what ``vault_keys`` says to the keys it names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..errors import ConfigurationError, ConnectorMisconfigured, Problem
from ..grants import KeyProvider, SealedRowStore
from .keyring import CURE, PLACE, Keyring

Kind = Literal["held", "file", "keyring", "stored", "direct"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySource:
    """Where keys come from. ``load`` may block; it raises ConfigurationError and KeyUnavailable.

    ``held``: given to this process, once. ``file``, ``keyring``: written by commands of ours.
    ``stored``: ``load`` gives the keys of a service, and the vault's own lie in the database,
    wrapped by them. ``direct``: the service's keys wrap every data key themselves.
    """

    reference: str
    kind: Kind
    load: Callable[[], KeyProvider]


def read_source(
    reference: str,
    *,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
    plugins: Mapping[str, Callable[[str], Any]] | None = None,
) -> KeySource:
    """``env:NAME | file:PATH | keyring:NAME | aws-kms:ARN | vault-transit:NAME``, or a plugin's scheme.

    ``folder`` is where relative paths begin, ``plugins`` what ``register_key_providers`` named.
    Nothing is read or imported before ``load``. Raises ConfigurationError.
    """
    scheme, _, rest = reference.partition(":")
    if plugins and scheme in plugins:
        return KeySource(reference=reference, kind="direct", load=lambda: _checked(plugins[scheme](rest)))
    if not rest:
        raise _refused(f"{scheme}: names nothing")
    if scheme == "env":
        return KeySource(
            reference=reference, kind="held", load=lambda: Keyring.from_env(rest, environ=environ)
        )
    if scheme == "file":
        path = (folder or Path()) / Path(rest).expanduser()
        return KeySource(reference=reference, kind="file", load=lambda: Keyring.from_file(path))
    if scheme == "keyring":
        return KeySource(reference=reference, kind="keyring", load=lambda: _from_os_keyring(rest))
    if scheme in ("aws-kms", "vault-transit"):
        from .providers.remote import read_source as read_remote

        remote = read_remote(rest)
        return KeySource(reference=reference, kind=remote.mode, load=lambda: _remote(scheme, remote.names))
    raise _refused(f"{scheme}: is not a place of keys that is known")


def open_sealed_rows(url: str, openers: Mapping[str, Callable[[str], Any]]) -> SealedRowStore:
    """The store that a plugin (``register_token_stores``) opens for ``url``.

    Raises ConfigurationError where no plugin does, ConnectorMisconfigured where it is no such store.
    """
    scheme = url.partition(":")[0]
    if scheme not in openers:
        known = ", ".join(sorted(openers)) or "none"
        message = "no plugin keeps sealed rows at a URL of that scheme"
        raise ConfigurationError(
            [Problem(("host", "sealed_rows"), message, f"schemes that plugins name: {known}")]
        )
    rows = openers[scheme](url)
    if not isinstance(rows, SealedRowStore):
        raise ConnectorMisconfigured(
            f"register_token_stores answered {type(rows).__name__} for {scheme}, which keeps no sealed rows"
        )
    return rows


def _from_os_keyring(name: str) -> Keyring:
    from .providers.os_keyring import read_os_keyring

    return Keyring.from_text(read_os_keyring(name))


def _remote(scheme: str, names: tuple[str, ...]) -> KeyProvider:
    if scheme == "aws-kms":
        from .providers.aws_kms import AwsKms

        return AwsKms(names)
    from .providers.hashicorp_transit import HashicorpTransit

    return HashicorpTransit(names)


def _checked(provider: Any) -> KeyProvider:
    if not isinstance(provider, KeyProvider):
        raise _refused(f"a plugin's key provider ({type(provider).__name__}) lacks methods of one")
    return provider


def _refused(message: str) -> ConfigurationError:
    return ConfigurationError([Problem(PLACE, message, CURE)])
