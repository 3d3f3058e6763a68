from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors_core.errors import ConfigurationError
from connectors_core.vault.providers.remote import bound, read_source


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


@given(
    st.tuples(st.text(max_size=5), st.binary(max_size=5)),
    st.tuples(st.text(max_size=5), st.binary(max_size=5)),
)
def test_two_bindings_are_one_only_if_key_and_context_are(
    one: tuple[str, bytes], other: tuple[str, bytes]
) -> None:
    assert (bound(*one) == bound(*other)) == (one == other)
