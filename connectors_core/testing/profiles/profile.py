"""A real provider in the words of the provider under control."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from ...metadata import ServerMetadata
from ..provider import Case, Person, Provider, Response, Scenario, case
from ..provider.cases import Edit
from ..provider.cases.case import without
from ..provider.grants import AccessToken, Grant, Refused
from ..provider.provider import Resource

ENDPOINTS = {
    "authorize": "authorization_endpoint",
    "token": "token_endpoint",
    "userinfo": "userinfo_endpoint",
    "jwks": "jwks_uri",
    "revoke": "revocation_endpoint",
    "end_session": "end_session_endpoint",
}
"""The members of the metadata that hold the addresses of the provider's endpoints."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderProfile:
    """What one provider does.

    ``server`` holds its addresses, ``person`` somebody with an account. ``quirks`` are always in
    force; those in ``sometimes`` hold for some people or applications, and are put into force one at
    a time. ``resources`` are further addresses, as ``[METHOD ]URL``. ``unauthorized`` and
    ``forbidden`` are its API's answers to a token that is not good and not enough, ``throttled``
    its answer to too many requests, as far as its documentation tells them.
    """

    name: str
    server: ServerMetadata
    person: Person
    openid: bool = False
    told_once: frozenset[str] = frozenset()
    """Fields of a profile that the first sign-in tells and no other."""
    quirks: tuple[Case, ...]
    sometimes: tuple[Case, ...] = ()
    resources: Mapping[str, Resource] = field(default_factory=dict)
    more_scope: str = ""
    """A scope to ask somebody for who signed in already."""
    unauthorized: Response | None = None
    forbidden: Response | None = None
    throttled: Response | None = None

    def provider(self, *, clock: Callable[[], float] = time.time, **settings: Any) -> Provider:
        """The provider under control as this one; ``settings`` (fields of ``Provider``) win over its own."""
        addresses = {word: getattr(self.server, name) for word, name in ENDPOINTS.items()}
        addresses = {word: url for word, url in addresses.items() if url}
        if not self.openid:
            addresses.pop("userinfo", None)
        refusals = {"invalid_token": self.unauthorized, "insufficient_scope": self.forbidden}
        stated: dict[str, Any] = {
            "issuer": self.server.issuer or _origin(self.server),
            "openid": self.openid,
            "people": {self.person.sub: self.person},
            "addresses": addresses,
            "resources": self.resources,
            "api_refusals": {error: answer for error, answer in refusals.items() if answer},
        }
        for each in self.quirks:
            stated |= each.settings
        provider = Provider(clock=clock, **{**stated, **settings})
        absent = [name for name in ENDPOINTS.values() if not getattr(self.server, name)]
        has = quirk(f"{self.name}.has-no-more", "server", "no other endpoints", metadata=without(*absent))
        provider.active.extend((has, *self.quirks))
        return provider

    def server_at(self, provider: Provider) -> ServerMetadata:
        """``server``, at the addresses where ``provider`` answers: on its port, while it serves."""
        if provider.server is None:
            return self.server
        stated = {name: word for word, name in ENDPOINTS.items() if getattr(self.server, name)}
        urls: dict[str, Any] = {name: provider.url(word) for name, word in stated.items()}
        if not self.openid and self.server.userinfo_endpoint:
            urls["userinfo_endpoint"] = provider.origin + urlsplit(self.server.userinfo_endpoint).path
        return replace(self.server, **urls)


def journeys(profile: ProviderProfile) -> tuple[Case, ...]:
    """What everybody meets at every provider, where no quirk of the profile is about it."""
    steps = [
        quirk(f"{profile.name}.{name}", source, changes, expected, scenario=scenario)
        for name, source, changes, expected, scenario in (
            ("denied", "RFC 6749 §4.1.2.1", "the person says no", "access_denied", Scenario.DENIED),
            (
                "spent-code",
                "RFC 6749 §4.1.2",
                "the code was redeemed before",
                "invalid_grant",
                Scenario.SPENT_CODE,
            ),
            ("refresh", "RFC 6749 §6", "the tokens are refreshed", None, Scenario.REFRESH),
            ("more-scope", "RFC 6749 §3.3", "more is asked for later", None, Scenario.MORE_SCOPE),
            ("dead-grant", "RFC 6749 §5.2", "the person took it back", "invalid_grant", Scenario.DEAD_GRANT),
            ("revoke", "RFC 7009", "the tokens are revoked", None, Scenario.REVOKE),
        )
    ]
    told = {each.scenario for each in profile.quirks}
    if profile.throttled is not None:
        steps.append(_throttled(profile, profile.throttled))
    return tuple(each for each in steps if each.scenario is Scenario.SIGN_IN or each.scenario not in told)


def _throttled(profile: ProviderProfile, answer: Response) -> Case:
    def instead(own: Response, provider: Provider) -> Response:
        return answer

    return Case(
        name=f"{profile.name}.throttled",
        source="its own documentation of rate limits",
        changes=f"too many requests: status {answer.status}",
        expected="provider_unavailable" if answer.status == 429 else "provider_error",
        edits={"answer_token" if profile.openid else "answer_resource": instead},
    )


def _origin(server: ServerMetadata) -> str:
    scheme, _, rest = str(server.token_endpoint).partition("://")
    return f"{scheme}://{rest.partition('/')[0]}"


def quirk(
    name: str,
    source: str,
    changes: str,
    expected: str | None = None,
    *,
    scenario: Scenario = Scenario.SIGN_IN,
    settings: Mapping[str, Any] | None = None,
    **edits: Edit,
) -> Case:
    """A way in which a provider differs; ``scenario`` is when it is met, ``expected`` what comes of it."""
    return case(
        name, source, changes, expected, scenario=scenario, settings=settings, parameters=None, **edits
    )


def grant_of(payload: Mapping[str, Any], provider: Provider) -> Grant:
    """The grant that a token response is about."""
    return provider.ledger.access_tokens[payload["access_token"]].grant


def open_to(access: AccessToken, *scopes: str) -> None:
    """Raise Refused with insufficient_scope unless the token has one of ``scopes``."""
    if not {*scopes} & {*access.scopes}:
        raise Refused("insufficient_scope", status=403)
