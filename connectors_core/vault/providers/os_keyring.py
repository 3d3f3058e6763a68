"""The operating system's keyring, for desktops and command lines (extra ``keyring``).

One entry holds the whole key set, in either form that ``CONNECTORS_KEYS`` has.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from ...errors import ConfigurationError, KeyUnavailable
from .remote import missing_package, refused

SERVICE = "connectors-core"
ALTERNATIVES = "use vault_keys = file:PATH, env:CONNECTORS_KEYS, aws-kms:ARN or vault-transit:NAME here"


def read_os_keyring(name: str) -> str:
    """The key set under ``name``; blocking, because the system may ask the person for a password.

    Raises ConfigurationError where there is no keyring or no such entry, KeyUnavailable where the
    keyring is locked.
    """
    text = find_in_os_keyring(name)
    if text is None:
        raise refused(
            f"names an entry {name} that the system's keyring does not have",
            f"connectors vault key new writes one, or: keyring set {SERVICE} {name}",
        )
    return text


def find_in_os_keyring(name: str) -> str | None:
    """The same, and None where there is no such entry."""
    keyring = _module()
    text = _asked(lambda: keyring.get_password(SERVICE, name))
    return str(text) if text else None


def write_os_keyring(name: str, text: str) -> None:
    """Put ``text`` under ``name``, over what is there. Raises as ``read_os_keyring`` does."""
    keyring = _module()
    _asked(lambda: keyring.set_password(SERVICE, name, text))


def _asked(question: Any) -> Any:
    from keyring.errors import KeyringError, NoKeyringError

    try:
        return question()
    except NoKeyringError:
        raise no_keyring() from None
    except KeyringError as error:
        raise KeyUnavailable(f"the system's keyring cannot be used: {type(error).__name__}") from None


def no_keyring() -> ConfigurationError:
    return refused("names the system's keyring, and this system has none that can be used", ALTERNATIVES)


def _module() -> ModuleType:
    try:
        import keyring
    except ModuleNotFoundError:
        raise missing_package("keyring", "keyring") from None
    # In containers, and over plain SSH, this resolves to a backend that only says no.
    from keyring.backends import fail, null

    if isinstance(keyring.get_keyring(), fail.Keyring | null.Keyring):
        raise no_keyring()
    return keyring
