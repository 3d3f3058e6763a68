"""Verification of logout tokens. OpenID Connect Back-Channel Logout 1.0 §2.4, §2.6."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..connector import LogoutToken
from ..errors import IdTokenRejected, LogoutTokenRejected
from .id_token import (
    MAX_SUBJECT,
    IdTokenPolicy,
    SignedToken,
    check_audience,
    check_issuer,
    check_signature,
    check_subject,
    check_times,
    reject,
)

if TYPE_CHECKING:
    from ..connector import VerificationKeys

TYPE = "logout+jwt"
EVENT = "http://schemas.openid.net/event/backchannel-logout"
MAX_AGE = 600.0
"""Seconds after ``iat`` that a logout token counts at most, so that ``jti`` need not be kept for long."""


def logout_token_policy(policy: IdTokenPolicy) -> IdTokenPolicy:
    """What a logout token must be, where ID tokens must be what ``policy`` says."""
    return replace(policy, typ=TYPE, max_token_age=MAX_AGE)


def verify_logout_token(
    token: str, keys: VerificationKeys | None, policy: IdTokenPolicy, *, now: float
) -> LogoutToken:
    """Return what ``token`` says if its signature and every claim hold, else raise LogoutTokenRejected.

    ``policy`` is that of ID tokens. Whether the token was used before is not known here.
    """
    with rejected_as_logout_token():
        policy = logout_token_policy(policy)
        return read_logout_token(check_signature(token, keys, policy), policy, now=now)


def read_logout_token(signed: SignedToken, policy: IdTokenPolicy, *, now: float) -> LogoutToken:
    """What a token of good signature says. Raises IdTokenRejected.

    ``nonce`` is forbidden, so that no ID token, if ever of the same type, is taken for a logout token.
    """
    claims = signed.claims
    check_issuer(claims, policy)
    check_audience(claims, policy)
    check_times(claims, policy, now)
    if "sub" in claims:
        check_subject(claims, replace(policy, subject=None))
    sid = _text(claims, "sid") if "sid" in claims else None
    if "sub" not in claims and sid is None:
        reject("sub", "a sub, a sid, or both", "neither")
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(EVENT), dict):
        reject("events", "an object with the logout event", "another, or none")
    if "nonce" in claims:
        reject("nonce", "none", "one")
    return LogoutToken(
        issuer=claims["iss"],
        subject=claims.get("sub"),
        sid=sid,
        jti=_text(claims, "jti"),
        expires_at=min(claims["exp"], claims["iat"] + MAX_AGE) + policy.leeway,
    )


@contextmanager
def rejected_as_logout_token() -> Iterator[None]:
    """Let what refuses an ID token refuse a logout token."""
    try:
        yield
    except IdTokenRejected as error:
        raise LogoutTokenRejected(error.claim, expected=error.expected, actual=error.actual) from None


def _text(claims: Mapping[str, Any], claim: str) -> str:
    value = claims.get(claim)
    if not isinstance(value, str) or not 0 < len(value) <= MAX_SUBJECT or not value.isprintable():
        reject(claim, f"1 to {MAX_SUBJECT} printable characters", "something else")
    return value
