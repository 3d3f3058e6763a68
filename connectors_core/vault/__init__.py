"""Tokens at rest: sealed, bound to their owner, under keys that rotate. See ``docs/vault.md``."""

from .keyring import Keyring
from .vault import Vault

__all__ = ["Keyring", "Vault"]
