"""Where a person may be sent."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

import pytest
from connectors_host.return_to import ACTION_ROUTES, check_return_to
from hypothesis import given
from hypothesis import strategies as st

from connectors_core.return_to import ReturnToRefused

ORIGINS = ("https://app.test", "http://127.0.0.1:3000")


@pytest.mark.parametrize(
    "value",
    [
        "/",
        "/path",
        "/path?a=b&c=d#part",
        "/a//b",
        "/@user",
        "/a:b",
        "/sign-in",
        "/sign-up",
        "/sign-outside",
        "/tokens",
        "/oidc/auth?h=" + "a-_Z0" * 8,
        "https://app.test",
        "https://app.test/",
        "https://app.test/inbox?x=1",
        "https://app.test?x=1",
        "https://app.test#part",
        "http://127.0.0.1:3000/callback",
    ],
)
def test_a_safe_place_stays_as_it_is(value: str) -> None:
    assert check_return_to(value, origins=ORIGINS) == value


def test_letters_beyond_ascii_are_encoded_for_the_header() -> None:
    assert check_return_to("/予定") == "/%E4%BA%88%E5%AE%9A"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "path",
        "//evil.test",
        "///evil.test",
        "/\\evil.test",
        "\\\\evil.test",
        "/%5cevil.test",
        "/%2fevil.test",
        "/%2F%2Fevil.test",
        "%2f%2fevil.test",
        "/a?next=%2F%2Fevil.test",
        "/\tevil.test",
        "/\n/evil.test",
        "/\r\nSet-Cookie: a=b",
        "/%0d%0aSet-Cookie:%20a=b",
        "/%00",
        "/ evil",
        " /path",
        "/\u2028x",
        "/\x00",
        "/.//evil.test",
        "/./evil",
        "/../evil",
        "/%2e//evil.test",
        "https:evil.test",
        "https:/evil.test",
        "https:///evil.test",
        "javascript:alert(1)",
        "data:text/html,x",
        "https://evil.test",
        "https://app.test.evil.test/",
        "https://app.test@evil.test/",
        "https://user@app.test/",
        "https://app.test:444/",
        "https://app.test\\@evil.test",
        "http://app.test/",
        "HTTPS://app.test/",
        "https://[",
        "/" + "x" * 2048,
        "/sign-out",
        "/sign-out/provider",
        "/sign-in/google",
        "/callback/google?code=x",
        "/a/../sign-out",
        "/%73ign-out",
        "/a/%2e%2e/sign-out",
        "/sign-out?x=1",
        "/sign-out#x",
        "/token",
        "/switch",
        "/continue/abc",
        "/oidc/auth",
        "/oidc/auth?h=short",
        "/oidc/auth?h=" + "a" * 43 + "&client_id=evil",
        "/oidc/auth?h=" + "a" * 43 + "#evil",
        "/oidc/session/end?h=" + "a" * 43,
        "/oidc/token",
        "/signed-out?state=x",
    ],
)
def test_anything_else_is_refused_without_being_quoted(value: str) -> None:
    with pytest.raises(ReturnToRefused) as refused:
        check_return_to(value, origins=ORIGINS)
    assert "evil" not in str(refused.value)


@given(st.text(st.sampled_from("/\\.:@%25fFcCeE?#\t\n evil"), max_size=12))
def test_whatever_passes_stays_on_this_origin(tail: str) -> None:
    """As a browser resolves it: tabs and line breaks go, backslashes are slashes (URL standard)."""
    try:
        accepted = check_return_to("/" + tail)
    except ReturnToRefused:
        return
    seen = "".join(c for c in accepted if c not in "\t\r\n").replace("\\", "/")
    there = urlsplit(urljoin("https://host.test/callback/x", seen))
    assert (there.scheme, there.netloc) == ("https", "host.test")
    assert not any(there.path.startswith(route) for route in ACTION_ROUTES)
