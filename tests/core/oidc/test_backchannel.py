"""Logout tokens as a pure function; what must be refused is in the named cases ``logout.*``."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OctKey

from connectors_core.connector import LogoutToken
from connectors_core.errors import IdTokenRejected, LogoutTokenRejected
from connectors_core.oidc import (
    IdTokenPolicy,
    KeySet,
    NoncePolicy,
    read_key_set,
    verify_id_token,
    verify_logout_token,
)
from connectors_core.oidc.backchannel import EVENT, MAX_AGE
from tests.core.oidc.op import CLIENT, ISSUER, NOW, claims_of, published, sign

POLICY = IdTokenPolicy(issuers=frozenset({ISSUER}), client_id=CLIENT, algorithms=frozenset({"ES256"}))


@pytest.fixture(scope="module")
def keys(ec: ECKey) -> KeySet:
    return read_key_set(published(ec))


def logout_claims(**changes: Any) -> dict[str, Any]:
    good = {"nonce": ..., "jti": "j-1", "sid": "s-1", "events": {EVENT: {}}, "exp": NOW + 120}
    return claims_of(**{**good, **changes})


def test_it_says_whom_the_provider_signed_out(ec: ECKey, keys: KeySet) -> None:
    token = sign(logout_claims(), ec, typ="logout+jwt")
    assert verify_logout_token(token, keys, POLICY, now=NOW) == LogoutToken(
        issuer=ISSUER, subject="248289761001", sid="s-1", jti="j-1", expires_at=NOW + 120 + POLICY.leeway
    )


def test_it_need_not_be_remembered_for_long(ec: ECKey, keys: KeySet) -> None:
    token = sign(logout_claims(exp=NOW + 10 * 365 * 86400), ec, typ="logout+jwt")
    said = verify_logout_token(token, keys, POLICY, now=NOW)
    assert said.expires_at == NOW + MAX_AGE + POLICY.leeway
    with pytest.raises(LogoutTokenRejected, match="the logout token's iat"):
        verify_logout_token(token, keys, POLICY, now=said.expires_at + 1)


def test_neither_token_is_taken_for_the_other(ec: ECKey, keys: KeySet) -> None:
    id_token = sign(claims_of(), ec)
    with pytest.raises(LogoutTokenRejected) as raised:
        verify_logout_token(id_token, keys, POLICY, now=NOW)
    assert (raised.value.code, raised.value.claim) == ("logout_token_invalid", "typ")
    logout_token = sign(logout_claims(), ec, typ="logout+jwt")
    lax = IdTokenPolicy(
        issuers=None, client_id=CLIENT, algorithms=POLICY.algorithms, nonce=NoncePolicy.NOT_SENT
    )
    with pytest.raises(IdTokenRejected, match="typ"):
        verify_id_token(logout_token, keys, lax, now=NOW, nonce=None)


def test_a_relaxation_for_id_tokens_is_none_for_logout_tokens(ec: ECKey, keys: KeySet) -> None:
    lax = IdTokenPolicy(
        issuers=POLICY.issuers,
        client_id=CLIENT,
        algorithms=POLICY.algorithms,
        nonce=NoncePolicy.NOT_SENT,
        typ="JWT",
        max_token_age=10.0**9,
        subject="somebody-else",
    )
    for changes, header in (({}, "JWT"), ({"nonce": "n"}, "logout+jwt"), ({"iat": NOW - 3600}, "logout+jwt")):
        with pytest.raises(LogoutTokenRejected):
            verify_logout_token(sign(logout_claims(**changes), ec, typ=header), keys, lax, now=NOW)


def test_the_client_secret_signs_where_that_is_configured() -> None:
    secret = b"0" * 32
    policy = IdTokenPolicy(
        issuers=POLICY.issuers,
        client_id=CLIENT,
        algorithms=frozenset({"HS256"}),
        secret_key=OctKey(secret, secret),
    )
    token = sign(logout_claims(), OctKey(secret, secret), algorithm="HS256", typ="logout+jwt")
    assert verify_logout_token(token, None, policy, now=NOW).sid == "s-1"


@given(st.text())
def test_any_text_is_refused_by_our_own_exception(text: str) -> None:
    with pytest.raises(LogoutTokenRejected):
        verify_logout_token(text, None, POLICY, now=NOW)
