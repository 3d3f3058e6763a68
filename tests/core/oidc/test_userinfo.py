from __future__ import annotations

from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors_core.errors import InvalidResponse, ProviderError, Step, UserinfoMismatch
from connectors_core.oidc import merge_claims, read_userinfo
from connectors_core.oidc.userinfo import PROTOCOL_CLAIMS

SUB = "248289761001"


def test_userinfo_about_the_same_subject_is_returned() -> None:
    answer = httpx.Response(200, json={"sub": SUB, "name": "Jane"})
    assert read_userinfo(answer, subject=SUB) == {"sub": SUB, "name": "Jane"}
    assert read_userinfo(answer, subject=None)["name"] == "Jane"


@pytest.mark.parametrize("sub", [..., None, "", "another", SUB + " ", int(SUB), [SUB]])
def test_userinfo_about_anybody_else_is_refused(sub: Any) -> None:
    body = {"name": "Jane"} if sub is ... else {"sub": sub}
    with pytest.raises(UserinfoMismatch):
        read_userinfo(httpx.Response(200, json=body), subject=SUB)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (httpx.Response(401, json={"sub": SUB}), "401"),
        (httpx.Response(302), "302"),
        (httpx.Response(200, content=b"not json"), "JSON"),
        (httpx.Response(200, json=[{"sub": SUB}]), "object"),
        (httpx.Response(200, content=b'{"sub":"1","sub":"2"}'), "JSON"),
        (
            httpx.Response(
                200, content=b"e30.e30.AA", headers={"Content-Type": "Application/JWT; charset=x"}
            ),
            "signed",
        ),
    ],
)
def test_what_is_no_plain_userinfo_is_refused(answer: httpx.Response, message: str) -> None:
    with pytest.raises(InvalidResponse, match=message) as caught:
        read_userinfo(answer, subject=SUB)
    assert caught.value.step is Step.USERINFO


@given(st.binary(max_size=40), st.sampled_from([200, 204, 400]))
def test_reading_is_total(content: bytes, status: int) -> None:
    try:
        read_userinfo(httpx.Response(status, content=content), subject=SUB)
    except ProviderError:
        return
    raise AssertionError("nothing so short names the subject")


@given(st.dictionaries(st.sampled_from([*sorted(PROTOCOL_CLAIMS), "name"]), st.text(max_size=3)))
def test_userinfo_never_overrides_a_protocol_claim(userinfo: dict[str, str]) -> None:
    claims = {"iss": "https://op.example", "sub": SUB, "nonce": "n", "acr": "high"}
    merged = merge_claims(claims, userinfo)
    assert {name: merged.get(name) for name in PROTOCOL_CLAIMS} == {
        name: claims.get(name) for name in PROTOCOL_CLAIMS
    }
    assert merged.get("name") == userinfo.get("name")


@pytest.mark.parametrize(
    ("claims", "userinfo", "email", "verified"),
    [
        ({"email": "a"}, {}, "a", None),
        ({"email": "a", "email_verified": True}, {}, "a", True),
        ({"email": "a", "email_verified": True}, {"email": "b"}, "b", None),
        ({"email": "a", "email_verified": True}, {"email": "b", "email_verified": False}, "b", False),
        ({"email": "a", "email_verified": True}, {"email": "a"}, "a", True),
        ({"email": "a", "email_verified": False}, {"email": "a", "email_verified": True}, "a", False),
        ({"email": "a", "email_verified": True}, {"email": "a", "email_verified": "false"}, "a", "false"),
        ({"email": "a"}, {"email": "a", "email_verified": True}, "a", True),
        ({"email": "a"}, {"email_verified": True}, "a", None),
        ({"email_verified": True}, {"email": "b"}, "b", None),
        ({}, {"email": "b", "email_verified": True}, "b", True),
        ({"email": "a", "email_verified": True}, {"email": None}, "a", True),
        ({"email": "a", "email_verified": True}, {"email": None, "email_verified": None}, "a", True),
    ],
)
def test_a_flag_speaks_only_for_the_address_it_came_with(
    claims: dict[str, Any], userinfo: dict[str, Any], email: str, verified: object
) -> None:
    merged = merge_claims(claims, userinfo)
    assert (merged["email"], merged.get("email_verified")) == (email, verified)
