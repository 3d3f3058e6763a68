"""Lists of scopes."""

from __future__ import annotations

import pytest
from connectors_host.api.scopes import scope_list
from connectors_host.errors import HostError


@pytest.mark.parametrize(
    ("scope", "listed"),
    [
        (None, None),
        ("", None),
        ("  ", None),
        ("a", ["a"]),
        (" b  a b ", ["b", "a"]),
        ("https://api.test/auth/x.y", ["https://api.test/auth/x.y"]),
    ],
)
def test_a_list_is_read_in_order_and_once(scope: str | None, listed: list[str] | None) -> None:
    assert scope_list(scope) == listed


@pytest.mark.parametrize("scope", ['a"', "a\\b", "a\tb", "a\n", "ä", "a\x7f", "a\u2003b", "\ud800"])
def test_what_is_no_scope_is_refused(scope: str) -> None:
    with pytest.raises(HostError) as refused:
        scope_list(scope)
    assert refused.value.code == "invalid_scope"
