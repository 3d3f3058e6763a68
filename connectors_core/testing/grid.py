"""Which of the named cases a connector can meet, and what must come of them there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from ..errors import ConnectorError
from ..oauth2 import OAuth2Connector
from ..oidc import OIDCConnector
from .profiles import ProviderProfile
from .profiles.profile import journeys
from .provider import Case, Scenario
from .scenarios import Actor

_DISCOVERY = {"metadata", "answer_discovery"}
_OPENID = {"jwks", "answer_jwks", "header", "claims", "id_token", "userinfo", "answer_userinfo",
           "refresh_claims"}  # fmt: skip
_OPENID_ALONE = {"token_endpoint.no-id-token", "refresh.no-id-token"}
SLOW = {"token_endpoint.trickle", "token_endpoint.silence", "discovery.silence"}
"""Cases that end with the deadline of the request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ability:
    """What a connector does that cases are about."""

    openid: bool
    discovers: bool
    refreshes: bool
    issuer: str | None
    iss_required: bool
    reads_forms: bool
    pkce: bool
    revokes: bool

    @classmethod
    async def of(cls, connector: OAuth2Connector, actor: Actor) -> Ability:
        """What a connector can, and whether a sign-in at that provider brings a refresh token."""
        server = connector.server
        try:
            refreshes = (await actor.sign_in()).tokens.refresh_token is not None
            endpoint = (await connector.server_metadata()).revocation_endpoint
        except ConnectorError:  # the tests tell; the cases are chosen nevertheless
            refreshes, endpoint = actor.provider.refresh_tokens != "never", None
        return cls(
            openid=isinstance(connector, OIDCConnector),
            discovers=server is None,
            refreshes=refreshes,
            issuer=(await connector.callback_issuer()).issuer,
            iss_required=server is not None and server.authorization_response_iss_parameter_supported,
            reads_forms=connector.token_response_encoding != "json",
            pkce=not connector.pkce_off_because,
            revokes=endpoint is not None or type(connector).revoke is not OAuth2Connector.revoke,
        )


def rows_of(
    profile: ProviderProfile | None, ability: Ability, outcomes: Mapping[str, str | None]
) -> Iterator[Case]:
    """The quirks of a profile, and what everybody meets there, as far as they concern such a connector."""
    if profile is not None:
        yield from cases_for((*profile.quirks, *profile.sometimes, *journeys(profile)), ability, outcomes)


def cases_for(cases: Iterable[Case], ability: Ability, outcomes: Mapping[str, str | None]) -> Iterator[Case]:
    """The cases that concern such a connector; ``outcomes`` replace the expected codes by case name."""
    for case in cases:
        if _concerns(case, ability):
            expected = outcomes.get(case.name, _expected(case, ability))
            yield case if expected == case.expected else replace(case, expected=expected)


def _concerns(case: Case, ability: Ability) -> bool:
    stages = case.edits.keys()
    if not ability.openid and (
        stages & _OPENID
        or case.name in _OPENID_ALONE
        or case.area in ("id_token", "keys", "userinfo", "logout")
    ):
        return False
    if not ability.discovers and (stages & _DISCOVERY or case.area == "discovery"):
        return False
    if case.scenario is Scenario.REFRESH and not _refreshes(case, ability):
        return False
    return ability.reads_forms or not case.name.startswith("token_endpoint.form")


def _refreshes(case: Case, ability: Ability) -> bool:
    return ability.refreshes or case.settings.get("refresh_tokens") == "always"


def _expected(case: Case, ability: Ability) -> str | None:
    if case.scenario is Scenario.DEAD_GRANT and not _refreshes(case, ability):
        return "reauthorization_required"
    if case.scenario is Scenario.REVOKE and not ability.revokes:
        return "connector_misconfigured"
    if case.expected == "issuer_mismatch":
        if ability.issuer is None:
            return None
        if case.name == "callback.iss-missing" and not (ability.discovers or ability.iss_required):
            return None
    return case.expected
