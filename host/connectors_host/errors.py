"""What is answered when something goes wrong: code → status and title, as JSON or as a page.

Codes are those of ``connectors_core.errors`` (``docs/errors.md``) and a few of the host's own (README).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors_core.errors import (
    AuthorizationError,
    ConnectorError,
    IdentityAmbiguous,
    IdTokenRejected,
    ProviderUnavailable,
    ReauthorizationRequired,
    ScopeRequired,
    Step,
    TemporarilyUnavailable,
    TokenEndpointError,
)

STATUS: Mapping[str, tuple[int, str]] = {
    "invalid_request": (400, "The request is malformed"),
    "state_mismatch": (400, "The answer belongs to another request"),
    "transaction_expired": (400, "The sign-in took too long"),
    "transaction_consumed": (400, "The sign-in was already completed"),
    "issuer_mismatch": (400, "The answer comes from another issuer"),
    "invalid_scope": (400, "The scope is not allowed"),
    "logout_token_invalid": (400, "The logout token fails a check"),
    "unauthenticated": (401, "Nobody is signed in"),
    "access_denied": (403, "The person said no"),
    "login_required": (403, "The person is not signed in at the provider"),
    "consent_required": (403, "The provider needs the person's consent"),
    "interaction_required": (403, "The provider needs to ask the person"),
    "scope_required": (403, "The grant lacks scopes"),
    "reauthorization_required": (403, "The provider must be asked again"),
    "reauthentication_required": (403, "A recent sign-in is needed"),
    "insufficient_scope": (403, "The token lacks a scope"),
    "csrf_failed": (403, "The request does not come from this site"),
    "sign_in_denied": (403, "The sign-in is not allowed here"),
    "sign_up_closed": (403, "New accounts are not accepted"),
    "not_found": (404, "Not found"),
    "identity_not_found": (404, "Not found"),
    "token_not_found": (404, "Not found"),
    "method_not_allowed": (405, "The method is not allowed"),
    "identity_already_linked": (409, "The identity is linked to another account"),
    "identity_ambiguous": (409, "Several identities have this target"),
    "linking_required": (409, "The identity must be linked first"),
    "owner_mismatch": (409, "The authorization was begun by somebody else"),
    "content_too_large": (413, "The body is too large"),
    "unsupported_media_type": (415, "The media type is not supported"),
    "misdirected_request": (421, "The request is for another host"),
    "invalid_configuration": (422, "The configuration is invalid"),
    "token_storage_disabled": (422, "Tokens are not stored here"),
    "last_identity": (422, "The last way to sign in cannot be removed"),
    "verification_mismatch": (422, "The verification is of another account"),
    "verification_pending": (422, "The verification is not completed"),
    "secret_required": (422, "The client secret is needed"),
    "throttled": (429, "Too many requests"),
    "server_error": (500, "Something went wrong here"),
    "connector_misconfigured": (500, "The connector is misconfigured"),
    "seal_broken": (500, "A stored secret cannot be opened"),
    "provider_error": (502, "The provider's answer cannot be used"),
    "invalid_token_response": (502, "The provider's answer cannot be used"),
    "id_token_invalid": (502, "The provider's ID token fails a check"),
    "userinfo_mismatch": (502, "The provider's answers contradict each other"),
    "profile_invalid": (502, "The provider's profile cannot be used"),
    "provider_unavailable": (503, "The provider cannot be reached"),
    "temporarily_unavailable": (503, "Temporarily unavailable"),
    "key_unavailable": (503, "A key is unavailable"),
}
"""Status and title of every code."""

RETRY_AFTER = 30
"""Seconds named in Retry-After where nobody knows better."""

PROBLEM = "application/problem+json"

_STEPS: Mapping[str, Step] = {
    "not_found": Step.CONFIGURATION,
    "sign_up_closed": Step.LINKING,
    "server_error": Step.CONFIGURATION,
}


class HostError(Exception):
    """A refusal of the host itself. ``detail`` is public; it never quotes what was sent."""

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        step: Step | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail or STATUS[code][1])
        self.code = code
        self.step = step or _STEPS.get(code, Step.AUTHORIZATION_REQUEST)
        self.headers = dict(headers or {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An error ready to be answered.

    ``provider_says`` is the provider's own text, to be shown as text; ``return_to`` is where the person
    wanted to go, checked when the sign-in began.
    """

    status: int
    code: str
    title: str
    detail: str
    step: str
    connector: str | None = None
    provider_says: str = ""
    return_to: str | None = None
    members: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def problem(self) -> dict[str, Any]:
        """The body of an ``application/problem+json`` answer. RFC 9457 §3."""
        return {
            "type": f"urn:connectors:error:{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "step": self.step,
            **self.members,
        }


def failure(error: HostError | ConnectorError) -> Failure:
    """What to answer for ``error``; a code that is not in the table is a fault of ours (500)."""
    status, title = STATUS.get(error.code, STATUS["server_error"])
    headers = dict(error.headers) if isinstance(error, HostError) else {}
    members: dict[str, Any] = {}
    says = ""
    match error:
        case AuthorizationError():
            says = error.error_description
            members = {"error_description": says} if says else {}
        case IdTokenRejected():
            members = {"claim": error.claim}
        case ScopeRequired():
            members = {"missing": sorted(error.missing)}
        case IdentityAmbiguous():
            members = {"identities": list(error.identities)}
        case ReauthorizationRequired():
            members = {"reason": error.reason}
    if status in (429, 503):
        asked = None
        if isinstance(error, TemporarilyUnavailable | TokenEndpointError | ProviderUnavailable):
            asked = error.retry_after
        headers.setdefault("Retry-After", str(max(1, round(asked or RETRY_AFTER))))
    data = error.data if isinstance(error, ConnectorError) else None
    return Failure(
        status=status,
        code=error.code,
        title=title,
        detail=str(error),
        step=str(error.step),
        connector=error.connector if isinstance(error, ConnectorError) else None,
        provider_says=says,
        return_to=(data or {}).get("return_to"),
        members=members,
        headers=headers,
    )
