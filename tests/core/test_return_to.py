"""Where a person may be sent."""

from __future__ import annotations

from urllib.parse import unquote, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors_core.return_to import ReturnToRefused, check_return_to

BASE = "https://app.test"
ACTIONS = ("/auth/sign-in", "/auth/sign-in-callback", "/auth/sign-out")


@pytest.mark.parametrize(
    "value",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example/",
        "https://app.test@evil.example/",
        "https:evil.example",
        "javascript:alert(1)",
        "/%2Fevil.example",
        "/%5cevil.example",
        "/.//evil.example",
        "/..//evil.example",
        "/a\r\nSet-Cookie: x=1",
        "/%0d%0aSet-Cookie:x",
        " /",
        "/ a",
        "",
        "relative",
        "/auth/sign-out",
        "/auth/./sign-out",
        "/x/../auth/sign-out",
        "/auth/sign%2Dout",
        "/auth/sign-in/acme",
        "/auth/sign-in-callback?code=x",
        "https://docs.test.evil.example/",
        "https://docs.test:444/",
        "https://user@docs.test/",
        "https://docs.test\\@evil.example/",
        "/" + "a" * 3000,
    ],
)
def test_it_is_refused_without_being_quoted(value: str) -> None:
    with pytest.raises(ReturnToRefused) as raised:
        check_return_to(value, origins=["https://docs.test"], actions=ACTIONS)
    assert "evil" not in str(raised.value)


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("/", "/"),
        ("/members?tab=2#top", "/members?tab=2#top"),
        ("/auth/user", "/auth/user"),
        ("/auth/sign-ins", "/auth/sign-ins"),
        ("/日本", "/%E6%97%A5%E6%9C%AC"),
        ("https://docs.test", "https://docs.test"),
        ("https://docs.test/a?b", "https://docs.test/a?b"),
    ],
)
def test_it_is_kept_and_fit_for_a_header(value: str, kept: str) -> None:
    assert check_return_to(value, origins=["https://docs.test"], actions=ACTIONS) == kept


@given(st.one_of(st.text(), st.text(alphabet="/\\.%25fF:@?#ahtps \t", max_size=12).map("/".__add__)))
def test_what_is_kept_leads_nowhere_else_and_does_nothing(value: str) -> None:
    try:
        kept = check_return_to(value, actions=ACTIONS)
    except ReturnToRefused:
        return
    target = urlsplit(urljoin(BASE, kept))
    assert f"{target.scheme}://{target.netloc}" == BASE
    assert kept.isascii()
    assert not unquote(target.path).startswith(ACTIONS[2])
