"""What a failed refresh means. Pure."""

from __future__ import annotations

from ..connector import ClassifiesRefreshErrors, Connector, FailureKind, RefreshFailure
from ..errors import (
    AddressRefused,
    ConfigurationError,
    ConnectorError,
    ConnectorMisconfigured,
    IdTokenRejected,
    InvalidGrant,
    NotSent,
    ProviderUnavailable,
    ReauthorizationRequired,
    TokenEndpointError,
)
from ..grants import InactiveReason

MAX_ERROR = 64
"""Characters kept of an error code."""

ASK_AGAIN = {
    "interaction_required": InactiveReason.INTERACTION_REQUIRED,
    "login_required": InactiveReason.INTERACTION_REQUIRED,
    "consent_required": InactiveReason.CONSENT_REQUIRED,
}
OF_THE_CLIENT = frozenset({"invalid_client", "unauthorized_client", "unsupported_grant_type"})
OF_THE_REQUEST = frozenset({"invalid_request", "invalid_scope"})
OF_THE_IDENTITY = frozenset({"iss", "sub", "aud", "azp", "nonce"})


def classify_refresh_error(error: Exception, connector: Connector) -> RefreshFailure:
    """Say what ``error``, raised by ``connector.refresh``, means; the connector is asked first.

    What is not known to mean anything else counts as an answer that was lost.
    """
    if isinstance(connector, ClassifiesRefreshErrors):
        try:
            known = connector.classify_refresh_error(error)
        except Exception:
            known = None
        if known is not None:
            return known
    if isinstance(error, TokenEndpointError):
        return _refusal(error)
    if isinstance(error, AddressRefused | ConnectorMisconfigured | ConfigurationError):
        return RefreshFailure(kind=FailureKind.MISCONFIGURED, error=error.code, message=str(error))
    if isinstance(error, NotSent):
        return RefreshFailure(kind=FailureKind.NOT_PROCESSED, error=error.code)
    if isinstance(error, IdTokenRejected) and error.claim in OF_THE_IDENTITY:
        return RefreshFailure(
            kind=FailureKind.DEAD, reason=InactiveReason.IDENTITY_CHANGED, error=f"{error.code}:{error.claim}"
        )
    if isinstance(error, ReauthorizationRequired):
        return RefreshFailure(kind=FailureKind.DEAD, reason=InactiveReason.INVALID_GRANT, error=error.reason)
    return RefreshFailure(kind=FailureKind.UNKNOWN, error=code_of(error))


def classify_preparation_error(error: Exception) -> RefreshFailure:
    """Say what an error before the request means: the refresh token did not leave."""
    kind, message = FailureKind.NOT_PROCESSED, ""
    if isinstance(error, AddressRefused | ConnectorMisconfigured | ConfigurationError):
        kind, message = FailureKind.MISCONFIGURED, str(error)
    retry_after = error.retry_after if isinstance(error, ProviderUnavailable) else None
    return RefreshFailure(kind=kind, retry_after=retry_after, error=code_of(error), message=message)


def code_of(error: Exception) -> str:
    """A word for ``error`` that is fit to be shown: its code where it is ours, else its class."""
    return error.code if isinstance(error, ConnectorError) else type(error).__name__[:MAX_ERROR]


def _refusal(error: TokenEndpointError) -> RefreshFailure:
    """RFC 6749 §5.2, RFC 6585 §4, OpenID Connect Core §3.1.2.6 (Entra answers a refresh with its codes)."""
    code, status = error.error[:MAX_ERROR], error.status
    if isinstance(error, InvalidGrant):
        return RefreshFailure(kind=FailureKind.DEAD, reason=InactiveReason.INVALID_GRANT, error=code)
    if code in ASK_AGAIN:
        return RefreshFailure(kind=FailureKind.DEAD, reason=ASK_AGAIN[code], error=code)
    kind = FailureKind.UNKNOWN
    if status == 429 or code == "slow_down":
        kind = FailureKind.THROTTLED
    elif status == 503 or code == "temporarily_unavailable":
        kind = FailureKind.NOT_PROCESSED
    elif code in OF_THE_CLIENT:
        kind = FailureKind.MISCONFIGURED
    elif code in OF_THE_REQUEST:
        kind = FailureKind.REFUSED
    return RefreshFailure(kind=kind, retry_after=error.retry_after, error=code)
