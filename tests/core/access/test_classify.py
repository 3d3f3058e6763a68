"""What a failed refresh means."""

from __future__ import annotations

import pytest

from connectors_core.access.classify import classify_preparation_error, classify_refresh_error
from connectors_core.connector import FailureKind, RefreshFailure
from connectors_core.errors import (
    AddressRefused,
    AnswerLost,
    AnswerTooLarge,
    ConnectorMisconfigured,
    DiscoveryRejected,
    IdTokenRejected,
    InvalidGrant,
    InvalidTokenResponse,
    NotSent,
    ProviderUnavailable,
    Step,
    TokenEndpointError,
    TransportError,
)
from connectors_core.grants import InactiveReason as Reason

DEAD, UNKNOWN, NOT_PROCESSED = FailureKind.DEAD, FailureKind.UNKNOWN, FailureKind.NOT_PROCESSED
THROTTLED, REFUSED, MISCONFIGURED = FailureKind.THROTTLED, FailureKind.REFUSED, FailureKind.MISCONFIGURED


def answered(error, status=400, **more):
    return TokenEndpointError(error, status=status, **more)


def rejected(claim):
    return IdTokenRejected(claim, expected="one", actual="another")


@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        (InvalidGrant("invalid_grant", status=400), DEAD, Reason.INVALID_GRANT),
        (InvalidGrant("bad_refresh_token", status=200), DEAD, Reason.INVALID_GRANT),
        (answered("interaction_required"), DEAD, Reason.INTERACTION_REQUIRED),
        (answered("login_required"), DEAD, Reason.INTERACTION_REQUIRED),
        (answered("consent_required"), DEAD, Reason.CONSENT_REQUIRED),
        (rejected("iss"), DEAD, Reason.IDENTITY_CHANGED),
        (rejected("sub"), DEAD, Reason.IDENTITY_CHANGED),
        (rejected("aud"), DEAD, Reason.IDENTITY_CHANGED),
        (rejected("signature"), UNKNOWN, None),
        (NotSent("refused"), NOT_PROCESSED, None),
        (answered("unspecified", 503), NOT_PROCESSED, None),
        (answered("temporarily_unavailable"), NOT_PROCESSED, None),
        (answered("unspecified", 429), THROTTLED, None),
        (answered("slow_down"), THROTTLED, None),
        (answered("unspecified", 500), UNKNOWN, None),
        (answered("server_error", 502), UNKNOWN, None),
        (answered("unspecified", 504), UNKNOWN, None),
        (answered("something_of_its_own"), UNKNOWN, None),
        (InvalidTokenResponse("no JSON"), UNKNOWN, None),
        (AnswerLost("cut"), UNKNOWN, None),
        (AnswerTooLarge("large"), UNKNOWN, None),
        (TransportError("?"), UNKNOWN, None),
        (ValueError("a bug"), UNKNOWN, None),
        (answered("invalid_client", 401), MISCONFIGURED, None),
        (answered("unauthorized_client"), MISCONFIGURED, None),
        (answered("unsupported_grant_type"), MISCONFIGURED, None),
        (AddressRefused("private"), MISCONFIGURED, None),
        (ConnectorMisconfigured("no endpoint"), MISCONFIGURED, None),
        (answered("invalid_request"), REFUSED, None),
        (answered("invalid_scope"), REFUSED, None),
    ],
)
def test_each_failure_has_its_class(connector, error, kind, reason):
    failure = classify_refresh_error(error, connector)
    assert (failure.kind, failure.reason) == (kind, reason)


def test_the_providers_wish_and_code_are_kept(connector):
    failure = classify_refresh_error(answered("x" * 100, 429, retry_after=7.0), connector)
    assert (failure.retry_after, failure.error) == (7.0, "x" * 64)


def test_foreign_texts_are_not_shown(connector):
    assert classify_refresh_error(ValueError("canary"), connector).error == "ValueError"


@pytest.mark.parametrize(
    ("error", "kind", "retry_after"),
    [
        (AnswerLost("cut"), NOT_PROCESSED, None),
        (DiscoveryRejected("malformed"), NOT_PROCESSED, None),
        (ProviderUnavailable("down", status=503, retry_after=9.0, step=Step.DISCOVERY), NOT_PROCESSED, 9.0),
        (ConnectorMisconfigured("no endpoint"), MISCONFIGURED, None),
        (KeyError("a bug"), NOT_PROCESSED, None),
    ],
)
def test_before_the_request_nothing_was_processed(error, kind, retry_after):
    failure = classify_preparation_error(error)
    assert (failure.kind, failure.retry_after) == (kind, retry_after)


def test_a_connector_knows_its_provider_better(connector):
    def known(error):
        if getattr(error, "error", "") == "token_revoked":
            return RefreshFailure(kind=DEAD, reason=Reason.REVOKED)
        if getattr(error, "error", "") == "boom":
            raise RuntimeError
        return None

    object.__setattr__(connector, "classify_refresh_error", known)
    assert classify_refresh_error(answered("token_revoked"), connector).reason is Reason.REVOKED
    assert classify_refresh_error(answered("invalid_client"), connector).kind is MISCONFIGURED
    assert classify_refresh_error(answered("boom"), connector).kind is UNKNOWN
