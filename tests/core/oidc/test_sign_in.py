"""Who signed in: the ID token, and userinfo where that must help."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from connectors_core.errors import (
    IdTokenRejected,
    UserinfoMismatch,
)
from connectors_core.oidc import ClaimsSource
from connectors_core.profile import IdentityKey
from tests.canary import Canary
from tests.core.oidc.op import (
    ACCESS_TOKEN,
    CALLBACK,
    CODE,
    FULL,
    ISSUER,
    NOW,
    THIN,
    Connect,
    Provider,
    granted,
    transaction,
)


async def test_a_warm_sign_in_is_one_request_where_the_id_token_holds_the_profile(
    connect: Connect, provider: Provider, sign_in: Callable[..., Any]
) -> None:
    connector = connect()
    profile, identity = await sign_in(connector, **FULL)
    assert identity == IdentityKey(ISSUER, "248289761001")
    assert profile.id == "248289761001"
    assert (profile.name, profile.email, profile.email_verified) == ("Jane", "jane@example.com", True)
    assert len(provider.requests) == 3
    await sign_in(connector, **FULL)
    assert len(provider.requests) == 4


async def test_a_warm_sign_in_is_two_requests_where_userinfo_must_help(
    connect: Connect, provider: Provider, sign_in: Callable[..., Any]
) -> None:
    connector = connect()
    provider.documents["/userinfo"] = {"sub": "248289761001", "name": "Jane", "email": "j@example.com"}
    await sign_in(connector)
    before = len(provider.requests)
    profile, _ = await sign_in(connector)
    assert [request.url.path for request in provider.requests[before:]] == ["/token", "/userinfo"]
    assert provider.requests[-1].headers["Authorization"] == f"Bearer {ACCESS_TOKEN}"
    assert (profile.name, profile.email, profile.email_verified) == ("Jane", "j@example.com", None)


@pytest.mark.parametrize(
    ("source", "scopes", "claims", "asked", "name"),
    [
        ("auto", ("openid", "profile"), {}, 1, "Jane Doe"),
        ("auto", ("openid", "profile"), {"name": "Token"}, 0, "Token"),
        ("auto", ("openid", "email"), {"name": "Token"}, 1, "Jane Doe"),
        ("auto", ("openid", "email"), {"email": "a@example.com"}, 1, "Jane Doe"),
        ("auto", ("openid", "phone"), {**FULL}, 1, "Jane Doe"),
        ("auto", THIN, {}, 0, None),
        ("id_token", ("openid", "profile", "email"), {}, 0, None),
        ("userinfo", THIN, {"name": "Token"}, 1, "Jane Doe"),
        ("both", THIN, {"name": "Token", "picture": "https://op.example/p"}, 1, "Jane Doe"),
    ],
)
async def test_the_claims_source_decides_whether_userinfo_is_asked(
    connect: Connect,
    provider: Provider,
    sign_in: Callable[..., Any],
    source: str,
    scopes: tuple[str, ...],
    claims: Mapping[str, Any],
    asked: int,
    name: str | None,
) -> None:
    connector = connect(claims_source=ClaimsSource(source))
    profile, _ = await sign_in(connector, scopes=scopes, **claims)
    assert provider.asked("/userinfo") == asked
    assert profile.name == name
    assert profile.avatar == (claims.get("picture") if source == "both" else None)


async def test_userinfo_of_another_person_ends_the_sign_in(
    connect: Connect, provider: Provider, sign_in: Callable[..., Any]
) -> None:
    provider.documents["/userinfo"] = {"sub": "mallory", "name": "Mallory"}
    with pytest.raises(UserinfoMismatch):
        await sign_in(connect())


async def test_userinfo_cannot_change_who_signed_in(
    connect: Connect, provider: Provider, sign_in: Callable[..., Any]
) -> None:
    provider.documents["/userinfo"] = {"sub": "248289761001", "iss": "https://evil.example", "name": "Jane"}
    for source in ClaimsSource:
        profile, identity = await sign_in(connect(claims_source=source))
        assert identity == IdentityKey(ISSUER, "248289761001")
        assert profile.raw["iss"] == ISSUER


@pytest.mark.parametrize(
    "claims",
    [
        {"phone_number": "+15550100", "phone_number_verified": True},
        {"phone": "+15550100", "phone_verified": True},
    ],
)
async def test_phone_is_read_under_both_its_names(
    connect: Connect, sign_in: Callable[..., Any], claims: Mapping[str, Any]
) -> None:
    profile, _ = await sign_in(connect(), scopes=THIN, **claims)
    assert (profile.phone, profile.phone_verified) == ("+15550100", True)


async def test_an_exchange_without_an_id_token_is_no_sign_in(connect: Connect, provider: Provider) -> None:
    provider.documents["/token"] = granted(None)
    with pytest.raises(IdTokenRejected, match="id_token"):
        await connect().exchange(CALLBACK, transaction())


@pytest.mark.parametrize(
    ("changes", "claim"),
    [
        ({"nonce": "another"}, "nonce"),
        ({"iss": "https://evil.example"}, "iss"),
        ({"aud": "other"}, "aud"),
        ({"exp": NOW - 60}, "exp"),
        ({"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}, "at_hash"),
        ({"c_hash": "AAAAAAAAAAAAAAAAAAAAAA"}, "c_hash"),
    ],
)
async def test_an_id_token_that_does_not_hold_ends_the_sign_in(
    connect: Connect, sign_in: Callable[..., Any], canary: Canary, changes: Mapping[str, Any], claim: str
) -> None:
    with pytest.raises(IdTokenRejected) as caught:
        await sign_in(connect(), **changes)
    assert caught.value.claim == claim
    canary.check(caught.value)


async def test_a_c_hash_of_our_code_passes(connect: Connect, sign_in: Callable[..., Any]) -> None:
    from tests.core.oidc.test_id_token import half

    assert await sign_in(connect(), c_hash=half(CODE), **FULL)


async def test_leeway_and_age_of_tokens_are_held_and_a_longer_leeway_shows(
    connect: Connect, sign_in: Callable[..., Any]
) -> None:
    assert [each.name for each in connect(leeway=300.0).relaxations()] == ["leeway"]
    assert await sign_in(connect(leeway=300.0), exp=NOW - 299, **FULL)
    with pytest.raises(IdTokenRejected, match="exp"):
        await sign_in(connect(leeway=0.0), exp=NOW, **FULL)
    with pytest.raises(IdTokenRejected, match="iat"):
        await sign_in(connect(max_token_age=10.0), iat=NOW - 71, **FULL)
