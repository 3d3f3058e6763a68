"""What a named deviation is, and the small edits that cases are made of."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from ..messages import Fault, Response, broken

if TYPE_CHECKING:
    from ..provider import Provider

Edit = Callable[[Any, "Provider"], Any]
"""Takes what the provider was about to say, and the provider; returns what it says instead."""

STAGES = (
    *("metadata", "answer_discovery", "jwks", "answer_jwks"),
    *("request", "grant", "authorization", "answer_authorize", "form", "error"),
    *("header", "claims", "id_token", "token", "answer_token", "userinfo", "answer_userinfo"),
    "answer_resource",
    *("refresh", "refresh_claims", "answer_refresh"),
    *("logout_header", "logout_claims", "logout_token"),
)
"""Where edits apply: documents, claims and parameters as data, ``answer_…`` to the whole answer.

``claims``, ``token`` and ``answer_token`` are those of a code exchange; ``refresh…`` those of a refresh.
``request`` (the parameters of an authorization request) and ``form`` (those of a token request) are what
came in: an edit may raise ``Refused``. ``grant`` is a ``Grant`` before its code is made, ``error`` the body
of a refusal at the token endpoint.
"""


class Scenario(StrEnum):
    """When a deviation is met, and what is done then; ``expected`` is about the last step."""

    SIGN_IN = "sign_in"
    """It is in force from the start of one sign-in."""
    SECOND_SIGN_IN = "second_sign_in"
    """It comes into force after a sign-in that went well, so caches are warm."""
    HOURS_LATER = "hours_later"
    """It comes into force two hours after such a sign-in: what is cached is no longer fresh."""
    REFRESH = "refresh"
    """It comes into force after a sign-in, and the tokens are refreshed."""
    CALLBACK_TWICE = "callback_twice"
    """The browser delivers one callback twice."""
    OTHER_BROWSER = "other_browser"
    """The callback arrives from a browser that began nothing."""
    OTHER_CONNECTOR = "other_connector"
    """The callback arrives at another connector than the one that began."""
    LATE = "late"
    """The callback arrives after the transaction expired."""
    MORE_SCOPE = "more_scope"
    """Somebody who signed in is asked for more."""
    DENIED = "denied"
    """The person says no."""
    SPENT_CODE = "spent_code"
    """Somebody redeemed the code before."""
    DEAD_GRANT = "dead_grant"
    """The person took the grant back at the provider, and the tokens are refreshed."""
    REVOKE = "revoke"
    """The tokens are revoked."""
    REAUTHENTICATE = "reauthenticate"
    """Somebody is to prove anew who they are."""
    LOGOUT = "logout"
    """It comes into force after a sign-in, and the provider sends a logout token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A way in which a provider, or somebody between, departs from the specification.

    ``source`` is the section that is broken, or where it was met. ``expected`` is the error code
    of this library (``ConnectorError.code``), None where it must cope. ``edits`` change what the
    provider says, ``settings`` are fields of the provider while the case is in force, and
    ``parameters`` go along with the authorization request.
    """

    name: str
    source: str
    changes: str
    expected: str | None
    scenario: Scenario = Scenario.SIGN_IN
    settings: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    edits: Mapping[str, Edit] = field(default_factory=dict)

    @property
    def area(self) -> str:
        return self.name.partition(".")[0]


def case(
    name: str,
    source: str,
    changes: str,
    expected: str | None,
    *,
    scenario: Scenario = Scenario.SIGN_IN,
    settings: Mapping[str, Any] | None = None,
    parameters: Mapping[str, str] | None = None,
    **edits: Edit,
) -> Case:
    """One line of a table of cases. Raises ValueError for a stage that does not exist."""
    if unknown := edits.keys() - set(STAGES):
        raise ValueError(f"{name}: no such stage: {', '.join(sorted(unknown))}")
    return Case(
        name=name,
        source=source,
        changes=changes,
        expected=expected,
        scenario=scenario,
        settings=settings or {},
        parameters=parameters or {},
        edits=edits,
    )


def without(*names: str) -> Edit:
    """Leave members out."""
    return lambda value, provider: {name: item for name, item in value.items() if name not in names}


def having(**members: Any) -> Edit:
    """Set members to these values."""
    return lambda value, provider: {**value, **members}


def changed(name: str, change: Callable[[Any], Any]) -> Edit:
    """Set one member to what ``change`` makes of it."""
    return lambda value, provider: {**value, name: change(value[name])}


def ago(name: str, seconds: float) -> Edit:
    """Set one claim to a time that many seconds before now; after now where negative."""
    return lambda value, provider: {**value, name: int(provider.clock() - seconds)}


def pairs_without(name: str) -> Edit:
    """Leave a parameter out of a list of pairs."""
    return lambda pairs, provider: [pair for pair in pairs if pair[0] != name]


def pairs_with(name: str, value: str) -> Edit:
    """Put a parameter into a list of pairs, instead of any of that name."""
    return lambda pairs, provider: [*(pair for pair in pairs if pair[0] != name), (name, value)]


def pairs_plus(name: str, value: str = "") -> Edit:
    """Append one more parameter; without a value, the one of that name again."""
    return lambda pairs, provider: [*pairs, (name, value or dict(pairs)[name])]


def only_pairs(**values: str) -> Edit:
    """These parameters and the state, nothing else: an error answer."""
    return lambda pairs, provider: [*values.items(), *(pair for pair in pairs if pair[0] == "state")]


def answer(body: bytes | str | Any = b"", *, status: int = 200, media: str = "", **headers: str) -> Edit:
    """Answer so instead: bytes and text as they are, anything else as JSON."""
    text = body if isinstance(body, bytes | str) else json.dumps(body)
    content = text.encode() if isinstance(text, str) else text
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    sent = {"content-type": media or "application/json"} | named
    return lambda response, provider: Response(status=status, headers=sent, body=content)


def respond(**fields: Any) -> Edit:
    """The same answer with other fields."""
    return lambda response, provider: replace(response, **fields)


def with_status(status: int, **headers: str) -> Edit:
    """The right body under another status: only who looks at the status sees what is wrong."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda response, provider: replace(response, status=status, headers={**response.headers, **named})


def fails(fault: Fault) -> Edit:
    """The answer goes wrong on the wire."""
    return lambda response, provider: broken(fault, interval=1.0)
