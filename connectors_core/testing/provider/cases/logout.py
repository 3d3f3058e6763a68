"""Logout tokens that must be refused, and a few that are right. Back-Channel Logout 1.0 §2.6."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..keys import SigningKey, b64, compact, read_compact, sign
from .case import Case, Edit, Scenario, ago, changed, having, without

if TYPE_CHECKING:
    from ..provider import Provider

_NO = "logout_token_invalid"
_SPEC = "OpenID Connect Back-Channel Logout 1.0"
_CHECKS = f"{_SPEC} §2.6"
_CLAIMS = f"{_SPEC} §2.4"
_EVENT = "http://schemas.openid.net/event/backchannel-logout"


def case(name: str, source: str, changes: str, expected: str | None = _NO, **edits: Edit) -> Case:
    return Case(
        name=f"logout.{name}",
        source=source,
        changes=changes,
        expected=expected,
        scenario=Scenario.LOGOUT,
        edits={f"logout_{stage}": edit for stage, edit in edits.items()},
    )


def _header(**members: Any) -> Edit:
    """The same claims, signed again under another header; a member that is ``...`` goes."""

    def edit(header: Mapping[str, Any], provider: Provider) -> dict[str, Any]:
        return {name: value for name, value in {**header, **members}.items() if value is not ...}

    return edit


def _strangers(token: str, provider: Provider) -> str:
    header, claims, _, _ = read_compact(token)
    key = SigningKey.make(provider.algorithm, kid="stranger", number=66).private
    return compact(header, json.dumps(claims).encode(), lambda data: sign(provider.algorithm, key, data))


def _unsigned(token: str, provider: Provider) -> str:
    _, payload, _ = token.split(".")
    header = {"alg": "none", "typ": "logout+jwt"}
    return f"{b64(json.dumps(header).encode())}.{payload}."


TABLE: tuple[Case, ...] = (
    case("good", _CLAIMS, "nothing", None),
    case("sub-alone", _CLAIMS, "no sid", None, claims=without("sid")),
    case("sid-alone", _CLAIMS, "no sub", None, claims=without("sub")),
    case("aud-list", _CLAIMS, "the audience as a list of one", None, claims=changed("aud", lambda a: [a])),
    case(
        "event-with-members", _CLAIMS, "the event says more", None, claims=having(events={_EVENT: {"a": 1}})
    ),
    case("exp-skewed", "RFC 7519 §4.1.4", "expired thirty seconds ago", None, claims=ago("exp", 30)),
    case(
        "typ-application",
        "RFC 7515 §4.1.9",
        "typ in full",
        None,
        header=_header(typ="application/logout+JWT"),
    ),
    case("typ-missing", _CHECKS, "no typ", header=_header(typ=...)),
    case("typ-jwt", _CHECKS, "the typ of an ID token", header=_header(typ="JWT")),
    case("unsigned", _CHECKS, "alg none", token=_unsigned),
    case("signed-by-a-stranger", _CHECKS, "a key of somebody else", token=_strangers),
    case("garbage", _CHECKS, "no token at all", token=lambda token, provider: "garbage"),
    case("iss-missing", _CLAIMS, "no iss", claims=without("iss")),
    case("iss-other", _CHECKS, "another issuer", claims=having(iss="https://other.test")),
    case("aud-missing", _CLAIMS, "no aud", claims=without("aud")),
    case("aud-other", _CHECKS, "for another client", claims=having(aud="client-2")),
    case("iat-missing", _CLAIMS, "no iat", claims=without("iat")),
    case("iat-future", _CHECKS, "issued in two hours", claims=ago("iat", -7200)),
    case("iat-old", _CHECKS, "issued an hour ago, for a day", claims=ago("iat", 3600)),
    case("exp-missing", _CLAIMS, "no exp", claims=without("exp")),
    case("exp-past", _CHECKS, "expired two minutes ago", claims=ago("exp", 120)),
    case("jti-missing", _CLAIMS, "no jti", claims=without("jti")),
    case("jti-number", "RFC 7519 §4.1.7", "the jti is a number", claims=having(jti=7)),
    case("jti-empty", _CLAIMS, "an empty jti", claims=having(jti="")),
    case("events-missing", _CHECKS, "no events", claims=without("events")),
    case("events-list", _CHECKS, "events as a list", claims=having(events=[_EVENT])),
    case("event-other", _CHECKS, "another event", claims=having(events={"https://other.test/event": {}})),
    case("event-text", _CHECKS, "the event is text", claims=having(events={_EVENT: "yes"})),
    case("nonce", _CHECKS, "a nonce", claims=having(nonce="n-1")),
    case("nonce-null", _CHECKS, "a nonce of null", claims=having(nonce=None)),
    case("nobody", _CHECKS, "neither sub nor sid", claims=without("sub", "sid")),
    case("sub-empty", _CLAIMS, "an empty sub", claims=having(sub="")),
    case("sid-list", _CLAIMS, "the sid is a list", claims=having(sid=["sid-1"])),
)
