"""Userinfo that must not be believed. OpenID Connect Core §5.3."""

from __future__ import annotations

from typing import Any

from ..messages import Fault
from .case import Case, answer, case, changed, fails, having, with_status, without

_SUB = "OpenID Connect Core §5.3.2"
_THIN = {"claims_in_id_token": False}
"""So that the profile must come from the userinfo endpoint."""


def _userinfo(name: str, source: str, changes: str, expected: str | None, **edits: Any) -> Case:
    return case(f"userinfo.{name}", source, changes, expected, settings=_THIN, **edits)


TABLE: tuple[Case, ...] = (
    _userinfo("plain", "OpenID Connect Core §5.3", "claims from userinfo alone", None),
    _userinfo("sub-missing", _SUB, "no sub", "userinfo_mismatch", userinfo=without("sub")),
    _userinfo("sub-other", _SUB, "another person", "userinfo_mismatch", userinfo=having(sub="mallory-1")),
    _userinfo(
        "sub-upper-case",
        _SUB,
        "the sub in upper case",
        "userinfo_mismatch",
        userinfo=changed("sub", str.upper),
    ),
    _userinfo(
        "sub-list", _SUB, "the sub in a list", "userinfo_mismatch", userinfo=changed("sub", lambda sub: [sub])
    ),
    _userinfo(
        "array", "OpenID Connect Core §5.3.2", "an array", "provider_error", answer_userinfo=answer([])
    ),
    _userinfo(
        "html",
        "OpenID Connect Core §5.3.2",
        "a page",
        "provider_error",
        answer_userinfo=answer("<html>", media="text/html"),
    ),
    _userinfo(
        "unauthorized",
        "RFC 6750 §3.1",
        "status 401",
        "provider_error",
        answer_userinfo=with_status(401, www_authenticate='Bearer error="invalid_token"'),
    ),
    _userinfo(
        "redirect",
        "RFC 9700 §4.12",
        "a redirect that would carry the token elsewhere",
        "provider_error",
        answer_userinfo=with_status(307, location="https://other.test/userinfo"),
    ),
    _userinfo(
        "overloaded",
        "RFC 9110 §15.6.4",
        "status 503 over good claims",
        "provider_unavailable",
        answer_userinfo=with_status(503),
    ),
    _userinfo(
        "jwt-type",
        "OpenID Connect Core §5.3.2",
        "JSON that calls itself a JWT",
        "provider_error",
        answer_userinfo=with_status(200, content_type="application/jwt"),
    ),
    case(
        "userinfo.signed",
        "OpenID Connect Core §5.3.2",
        "a JWT that nobody asked for",
        "provider_error",
        settings={**_THIN, "userinfo_signed": True},
    ),
    _userinfo(
        "reset",
        "outage",
        "the connection is reset",
        "provider_unavailable",
        answer_userinfo=fails(Fault.RESET),
    ),
    _userinfo(
        "protocol-claims",
        "OpenID Connect Core §5.3",
        "iss, aud and exp among the claims",
        None,
        userinfo=having(iss="https://other.test", aud="client-2", exp=1),
    ),
    _userinfo(
        "email-verified-text",
        "met at Apple and Cognito",
        "email_verified is the text true",
        None,
        userinfo=having(email_verified="true"),
    ),
)
