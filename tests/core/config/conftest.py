"""The types that the configuration files of these tests speak of."""

from __future__ import annotations

from typing import Any

import pytest

from connectors_core.registry import Registry

CHATTY = """

from pydantic import field_validator


class ChattyConfig(ConnectorConfig):
    password: SecretStr

    @field_validator("password")
    @classmethod
    def check(cls, password):
        if password.get_secret_value() == "boom":
            raise LookupError("boom")
        raise ValueError(f"{password.get_secret_value()} is too simple")


Type.Config = ChattyConfig
"""


@pytest.fixture
def registry(installation: Any) -> Registry:
    """``acme`` works, ``chatty`` says secrets in its messages, ``broken`` and ``newer`` cannot be used."""
    installation.connector("acme")
    installation.connector("chatty", extra=CHATTY)
    installation.connector("broken", extra="\nimport missing_library\n")
    installation.connector("newer", extra="\n    contract = 2\n")
    return Registry.from_entry_points()
