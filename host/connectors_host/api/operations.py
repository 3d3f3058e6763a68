"""What each route of the APIs does, in the words of its description."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .scopes import PATTERN
from .tokens import MAX_TTL

ACCOUNT = "/my-account"
VERIFICATION = "/api/verification/social"

IDENTITY = {
    "name": "identity",
    "in": "query",
    "description": "The id of one of several identities of the target",
    "schema": {"type": "string"},
}
SCOPE = {
    "name": "scope",
    "in": "query",
    "description": "Scopes that the token must carry, separated by spaces",
    "schema": {"type": "string", "maxLength": 2048, "pattern": PATTERN},
}
MIN_TTL = {
    "name": "min_ttl",
    "in": "query",
    "description": "Seconds that the token must live",
    "schema": {"type": "number", "minimum": 0, "maximum": MAX_TTL, "default": 0},
}
PROOF = {
    "name": "logto-verification-id",
    "in": "header",
    "description": "A verification record, where the sign-in is more than ten minutes old",
    "schema": {"type": "string"},
}
PROVIDER = (500, 502, 503)
"""What goes wrong between here and a provider."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One route. ``scope`` is what a bearer needs: ``""`` for the cookie alone, None for applications.

    ``body`` and ``answer`` name schemas; ``problems`` are the further statuses it may answer.
    """

    summary: str
    scope: str | None
    status: int = 200
    answer: str = ""
    body: str = ""
    body_required: bool = True
    parameters: tuple[Mapping[str, Any], ...] = ()
    problems: tuple[int, ...] = ()


OPERATIONS: Mapping[tuple[str, str], Operation] = {
    ("POST", "/token"): Operation(
        summary="An access token for these APIs, for the session of a browser",
        scope="",
        body="TokenRequest",
        body_required=False,
        answer="TokenAnswer",
        problems=(400, 401, 403, 413),
    ),
    ("POST", VERIFICATION): Operation(
        summary="Begin an authorization for more scopes, to link an account, or to prove who asks",
        scope="verification",
        body="VerificationRequest",
        status=201,
        answer="Verification",
        problems=(400, 401, 403, 404, 413, 422, *PROVIDER),
    ),
    ("POST", f"{VERIFICATION}/verify"): Operation(
        summary="Complete it with what came back",
        scope="verification",
        body="VerifyRequest",
        answer="Verified",
        problems=(400, 401, 403, 404, 409, 413, 422, *PROVIDER),
    ),
    ("GET", f"{ACCOUNT}/identities"): Operation(
        summary="The linked identities, with what is known of their tokens",
        scope="identities",
        answer="Identities",
        problems=(401, 403),
    ),
    ("POST", f"{ACCOUNT}/identities"): Operation(
        summary="Link the account that a record proves, and store its tokens",
        scope="identities",
        body="LinkRequest",
        status=204,
        parameters=(PROOF,),
        problems=(400, 401, 403, 404, 409, 413, 422, *PROVIDER),
    ),
    ("DELETE", f"{ACCOUNT}/identities/{{target}}"): Operation(
        summary="Unlink an identity; its tokens go, at the provider too",
        scope="identities",
        status=204,
        parameters=(IDENTITY, PROOF),
        problems=(401, 403, 404, 409, 422),
    ),
    ("GET", f"{ACCOUNT}/identities/{{target}}/access-token"): Operation(
        summary="An access token of the provider, refreshed when due",
        scope="tokens",
        answer="AccessToken",
        parameters=(IDENTITY, SCOPE, MIN_TTL),
        problems=(400, 401, 403, 404, 409, 422, *PROVIDER),
    ),
    ("PATCH", f"{ACCOUNT}/identities/{{target}}/access-token"): Operation(
        summary="Merge what a record was granted into what is stored",
        scope="tokens",
        body="UpdateRequest",
        answer="AccessToken",
        parameters=(IDENTITY,),
        problems=(400, 401, 403, 404, 409, 413, 422, *PROVIDER),
    ),
    ("GET", "/api/users/{owner}/identities/{target}/access-token"): Operation(
        summary="An access token of the provider, for an application without the person's session",
        scope=None,
        answer="AccessToken",
        parameters=(IDENTITY, SCOPE, MIN_TTL),
        problems=(400, 401, 403, 404, 409, 422, *PROVIDER),
    ),
    ("GET", f"{ACCOUNT}/sessions"): Operation(
        summary="Where the person is signed in", scope="identities", answer="Sessions", problems=(401, 403)
    ),
    ("DELETE", f"{ACCOUNT}/sessions"): Operation(
        summary="Sign out everywhere, here too", scope="identities", status=204, problems=(401, 403)
    ),
    ("GET", f"{ACCOUNT}/sessions/{{id}}"): Operation(
        summary="One session", scope="identities", answer="Session", problems=(401, 403, 404)
    ),
    ("DELETE", f"{ACCOUNT}/sessions/{{id}}"): Operation(
        summary="End one session", scope="identities", status=204, problems=(401, 403, 404)
    ),
    ("GET", f"{ACCOUNT}/export"): Operation(
        summary="Everything that is kept about the person",
        scope="identities",
        answer="Export",
        problems=(401, 403),
    ),
    ("DELETE", ACCOUNT): Operation(
        summary="Forget the person",
        scope="identities",
        status=204,
        parameters=(PROOF,),
        problems=(401, 403),
    ),
}
