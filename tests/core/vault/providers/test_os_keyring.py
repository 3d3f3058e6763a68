from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors_core.errors import ConfigurationError, KeyUnavailable
from connectors_core.vault.providers.os_keyring import read_os_keyring, write_os_keyring
from tests.postgres_server import missing

try:
    import keyring
    from keyring.backend import KeyringBackend
    from keyring.backends.fail import Keyring as NoKeyring
    from keyring.errors import KeyringLocked
except ImportError:
    missing("the keyring package is missing: pip install 'connectors-core[keyring]'")


class MemoryKeyring(KeyringBackend):
    priority = 1

    def __init__(self) -> None:
        super().__init__()
        self.entries: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.entries[service, username] = password


class LockedKeyring(MemoryKeyring):
    def get_password(self, service: str, username: str) -> str | None:
        raise KeyringLocked("the person said no")


@pytest.fixture(autouse=True)
def _before_and_after() -> Iterator[None]:
    before = keyring.get_keyring()
    yield
    keyring.set_keyring(before)


def test_an_entry_holds_the_key_set() -> None:
    keyring.set_keyring(MemoryKeyring())
    write_os_keyring("vault", "k1:obviously-fake")
    assert read_os_keyring("vault") == "k1:obviously-fake"


def test_an_entry_that_is_missing_is_told_with_the_way_to_make_it() -> None:
    keyring.set_keyring(MemoryKeyring())
    with pytest.raises(ConfigurationError, match="connectors vault key new"):
        read_os_keyring("vault")


def test_a_system_without_a_keyring_is_told_the_alternatives() -> None:
    keyring.set_keyring(NoKeyring())
    for use in (lambda: read_os_keyring("vault"), lambda: write_os_keyring("vault", "k1:fake")):
        with pytest.raises(ConfigurationError) as caught:
            use()
        for alternative in ("file:", "env:", "aws-kms:", "vault-transit:"):
            assert alternative in str(caught.value)


def test_a_locked_keyring_is_unavailable() -> None:
    keyring.set_keyring(LockedKeyring())
    with pytest.raises(KeyUnavailable, match="KeyringLocked"):
        read_os_keyring("vault")
