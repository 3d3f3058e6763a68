"""What is answered when a sign-in fails: code → status and title."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from connectors_core.errors import AuthorizationError, ConnectorError, Step

STATUS: Mapping[str, tuple[int, str]] = {
    "invalid_request": (400, "The request is not right"),
    "state_mismatch": (400, "The answer belongs to another sign-in, or to another browser"),
    "transaction_expired": (400, "The sign-in took too long"),
    "transaction_consumed": (400, "This sign-in was already completed"),
    "issuer_mismatch": (400, "The answer comes from another provider"),
    "invalid_scope": (400, "The scope is not allowed"),
    "unauthenticated": (401, "Nobody is signed in"),
    "access_denied": (403, "The sign-in was cancelled"),
    "login_required": (403, "The provider wants a sign-in of its own"),
    "consent_required": (403, "The provider wants a consent"),
    "interaction_required": (403, "The provider wants to ask something"),
    "csrf_failed": (403, "The request does not come from this site"),
    "sign_up_closed": (403, "New accounts are not accepted"),
    "not_found": (404, "Not found"),
    "method_not_allowed": (405, "The method is not allowed"),
    "already_signed_in": (409, "Somebody else is signed in in this browser"),
    "token_not_found": (409, "The account was unlinked meanwhile"),
    "owner_mismatch": (409, "The authorization was begun by somebody else"),
    "content_too_large": (413, "The body is too large"),
    "connector_misconfigured": (500, "The connector is misconfigured"),
    "invalid_configuration": (500, "The connector is misconfigured"),
    "provider_error": (502, "The provider's answer cannot be used"),
    "invalid_token_response": (502, "The provider's answer cannot be used"),
    "id_token_invalid": (502, "The provider's answer cannot be used"),
    "userinfo_mismatch": (502, "The provider's answer cannot be used"),
    "profile_invalid": (502, "The provider's answer cannot be used"),
    "provider_unavailable": (503, "The provider cannot be reached"),
    "temporarily_unavailable": (503, "Temporarily unavailable"),
}
"""Status and title of every code; one that is missing is a fault of ours (500)."""


class Refused(ConnectorError):
    """A refusal of the application's own; ``code`` says which. Its message never quotes what was sent."""

    step = Step.LINKING

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(detail or STATUS[code][1])
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An error ready to be answered."""

    status: int
    title: str
    code: str
    detail: str
    provider_says: str = ""
    return_to: str | None = None

    def problem(self) -> dict[str, object]:
        """The body of an ``application/problem+json`` answer. RFC 9457 §3.

        What is not the caller's doing is for the log alone: it may name hosts and files.
        """
        return {
            "type": f"urn:connectors:error:{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail if self.status < 500 else self.title,
            "code": self.code,
        }


def failure(error: ConnectorError) -> Failure:
    """What to answer for ``error``. The provider's own words are shown as text, once the state was good."""
    status, title = STATUS.get(error.code, (500, "Something went wrong here"))
    says = error.error_description if isinstance(error, AuthorizationError) else ""
    return Failure(
        status=status,
        title=title,
        code=error.code,
        detail=str(error),
        provider_says=says,
        return_to=(error.data or {}).get("return_to"),
    )
