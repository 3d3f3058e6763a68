"""Which language a person reads."""

from __future__ import annotations

import pytest
from connectors_host.languages import choose, localised, preferred
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("header", "tags"),
    [
        ("", []),
        ("ja", ["ja"]),
        ("en-GB,en;q=0.9,ja;q=0.8", ["en-gb", "en", "ja"]),
        ("en;q=0.1, ja;q=0.2", ["ja", "en"]),
        ("en;q=0, ja", ["ja"]),
        ("en;q=x, ja; q=0.5", ["ja"]),
        ("*", ["*"]),
    ],
)
def test_languages_come_in_the_order_they_are_wanted(header: str, tags: list[str]) -> None:
    assert preferred(header) == tags


@given(st.text())
def test_any_header_has_an_answer(header: str) -> None:
    assert choose(preferred(header), ("en", "ja")) in ("en", "ja")


@pytest.mark.parametrize(
    ("texts", "tags", "text"),
    [
        ({"en": "Google", "ja": "グーグル"}, ["ja-jp"], "グーグル"),
        ({"en": "Google", "pt-BR": "Gúgol"}, ["pt-br"], "Gúgol"),
        ({"en": "Google"}, ["ja"], "Google"),
        ({"de": "Guugel"}, ["ja"], "Guugel"),
        ({}, ["ja"], ""),
    ],
)
def test_a_name_is_in_the_language_wanted_most(texts: dict[str, str], tags: list[str], text: str) -> None:
    assert localised(texts, tags) == text
