from __future__ import annotations

import pytest

from connectors_core.errors import ConfigurationError
from connectors_core.vault.providers.remote import read_source


def test_a_source_names_keys_and_a_mode() -> None:
    assert (read_source("a").names, read_source("a").mode) == (("a",), "stored")
    assert (read_source("b, a?mode=direct").names, read_source("b,a?mode=direct").mode) == (
        ("b", "a"),
        "direct",
    )


@pytest.mark.parametrize(
    "text", ["", "a,", "a,a", "a?mode=other", "a?mode=", "a?region=x", "a?mode=direct&x=1"]
)
def test_a_source_that_says_something_else_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="vault_keys"):
        read_source(text)
