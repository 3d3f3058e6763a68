"""What the named cases must be about: each deviation of each area has one, with a source and a true code."""

from __future__ import annotations

import inspect
import re

import pytest

from connectors_core import errors
from connectors_core.testing.misuse import MISUSE
from connectors_core.testing.profiles import profiles
from connectors_core.testing.provider import CASES
from tests.core.testing import test_cases

ROWS = {
    "discovery": "issuer-mismatch issuer-slash issuer-path authorization-endpoint-missing"
    " token-endpoint-list authorization-endpoint-javascript jwks-file token-endpoint-http"
    " redirect html huge silence deep",
    "keys": "no-kid-one-key no-kid-many-keys unknown-kid bad-beside-good weak private symmetric-under-kid"
    " duplicate-kid other-material rotated-same-kid rotated outage outage-after-success flapping",
    "id_token": "iss-missing sub-missing aud-missing exp-missing iat-missing nonce-missing iss-other"
    " aud-other nonce-other azp-other iss-list sub-number aud-number exp-text iat-true"
    " nonce-list exp-past iat-future nbf-future aud-untrusted-beside aud-list at-hash-wrong"
    " c-hash-wrong auth-time-missing auth-time-old alg-none alg-confusion alg-not-announced"
    " crit-unknown b64-false embedded-jwk jku x5u garbage json-serialisation encrypted",
    "callback": "state-missing state-other reused other-browser other-connector iss-wrong iss-missing"
    " iss-twice access-denied login-required state-twice code-twice iss-wrong-unannounced",
    "token_endpoint": "html json-invalid error-in-200 token-in-400 form alien-type expires-in-text"
    " expires-in-words expires-in-negative expires-in-true expires-in-milliseconds redirect-301 redirect-302"
    " redirect-303 redirect-307 redirect-308 trickle endless compressed-bomb cut reset",
    "userinfo": "sub-missing sub-other sub-upper-case sub-list signed jwt-type protocol-claims",
    "refresh": "rotated reused sub-other no-id-token empty-refresh-token narrower-scope throttled"
    " invalid-client redirect",
    "client": "basic-alone post-alone no-common-method",
}
"""The deviations asked for, by area."""
ELSEWHERE = {"traffic.unknown-keys", "traffic.keys", "operator.no-common-method", "operator.unsayable-id"}
"""Traffic and special characters: what is wrong there is on our side of the wire."""
CODES = {kind.code for kind in vars(errors).values() if inspect.isclass(kind) and hasattr(kind, "code")}
SOURCES = re.compile(
    r"RFC \d+ §|OpenID Connect .*§|OAuth 2\.0 Form Post Response Mode §|resource exhaustion$|outage$"
    r"|GitHub |met at |no database "
)


@pytest.mark.parametrize("area", ROWS)
def test_every_deviation_of_an_area_has_a_case(area: str) -> None:
    wanted = {f"{area}.{name}" for name in ROWS[area].split()}
    assert not wanted - CASES.keys()


def test_there_are_enough_and_the_rest_is_played_as_misuse() -> None:
    assert len(CASES) >= 150
    assert not ELSEWHERE - MISUSE.keys()
    assert "apple.form-post" in {each.name for each in profiles()["apple"].quirks}


@pytest.mark.parametrize("name", CASES)
def test_a_case_has_a_source_a_sentence_and_a_true_code(name: str) -> None:
    case = CASES[name]
    assert SOURCES.match(case.source), case.source
    assert case.changes
    assert case.expected is None or case.expected in CODES


def test_the_engine_plays_every_case_in_process_and_over_sockets() -> None:
    for test in (test_cases.test_case, test_cases.test_case_over_sockets):
        (mark,) = test.pytestmark
        assert mark.args == ("name", CASES)


@pytest.mark.parametrize("name", profiles())
def test_a_quirk_has_a_source_outside_and_a_true_code(name: str) -> None:
    profile = profiles()[name]
    rows = (*profile.quirks, *profile.sometimes)
    assert len({each.name for each in rows}) == len(rows)
    for each in rows:
        assert re.search(r"\.(com|dev)\b|§|\bmet\b|issue ", each.source), each.source
        assert each.expected is None or each.expected in {*CODES, "invalid_grant"}
