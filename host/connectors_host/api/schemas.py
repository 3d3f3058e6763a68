"""The bodies of the APIs as JSON Schema 2020-12."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from connectors_core.grants import GrantStatus, InactiveReason

from .bearer import LIFETIME, SCOPES
from .client_state import LONGEST, SHORTEST
from .scopes import PATTERN

Schema = Mapping[str, Any]

TEXT: Schema = {"type": "string"}
NAME: Schema = {"type": "string", "minLength": 1, "maxLength": 2048}
TIME: Schema = {"type": "string", "format": "date-time"}
FLAG: Schema = {"type": "boolean"}


def _object(required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    properties = {**required, **(optional or {})}
    made: dict[str, Any] = {"type": "object", "properties": properties}
    return made | {"required": list(required)} if required else made


def _words(words: Iterable[str]) -> str:
    """A pattern for any of ``words``, once or more, with single spaces between; or for nothing."""
    word = f"({'|'.join(words)})"
    return f"^({word}( {word})*)?$"


def _one_of(*names: str) -> Schema:
    """One value under any of several names."""
    return {
        "type": "object",
        "properties": dict.fromkeys(names, NAME),
        "oneOf": [{"required": [name]} for name in names],
    }


def _list(name: str, item: str) -> Schema:
    return _object({name: {"type": "array", "items": {"$ref": f"#/components/schemas/{item}"}}})


SCHEMAS: Mapping[str, Schema] = {
    "TokenRequest": _object({}, {"scope": {**TEXT, "maxLength": 2048, "pattern": _words(SCOPES)}}),
    "TokenAnswer": _object(
        {
            "access_token": TEXT,
            "token_type": {"const": "Bearer"},
            "expires_in": {"type": "integer", "minimum": 0, "maximum": int(LIFETIME)},
        }
    ),
    "VerificationRequest": _object(
        {"connectorId": NAME, "redirectUri": NAME},
        {
            "scope": {**TEXT, "maxLength": 2048, "pattern": PATTERN},
            "state": {**TEXT, "minLength": SHORTEST, "maxLength": LONGEST, "pattern": "^[ -~]*$"},
            "purpose": {"enum": ["tokens", "link", "reauthenticate"]},
        },
    ),
    "Verification": _object({"verificationRecordId": TEXT, "authorizationUri": TEXT, "expiresAt": TIME}),
    "VerifyRequest": {
        **_one_of("verificationRecordId", "verificationId"),
        "properties": {
            "verificationRecordId": NAME,
            "verificationId": NAME,
            "connectorData": {"type": "object"},
        },
    },
    "Verified": _object({"verificationRecordId": TEXT}),
    "LinkRequest": _object({"newIdentifierVerificationRecordId": NAME}),
    "UpdateRequest": _one_of("socialVerificationId", "verificationRecordId", "verificationId"),
    "AccessToken": _object(
        {"access_token": TEXT, "accessToken": TEXT, "token_type": TEXT, "scope": TEXT},
        {"expires_in": {"type": "integer", "minimum": 0}, "expires_at": {"type": "integer"}},
    ),
    "TokenStatus": _object(
        {"status": {"enum": [status.value for status in GrantStatus]}},
        {
            "reason": {"enum": [reason.value for reason in InactiveReason]},
            "scope": TEXT,
            "scopeSource": {"enum": ["granted", "requested"]},
            "requestedScope": TEXT,
            "missingScope": TEXT,
            "refreshable": FLAG,
            "createdAt": TIME,
            "updatedAt": TIME,
            "expiresAt": TIME,
            "lastUsedAt": TIME,
        },
    ),
    "Identity": _object(
        {
            "id": TEXT,
            "target": TEXT,
            "connectorId": TEXT,
            "profile": {"type": "object"},
            "createdAt": TIME,
            "updatedAt": TIME,
            "tokens": {"$ref": "#/components/schemas/TokenStatus"},
        }
    ),
    "Identities": _list("identities", "Identity"),
    "Session": _object(
        {
            "id": TEXT,
            "connectorId": TEXT,
            "createdAt": TIME,
            "lastSeenAt": TIME,
            "expiresAt": TIME,
            "current": FLAG,
        }
    ),
    "Sessions": _list("sessions", "Session"),
    "Export": _object(
        {
            "owner": TEXT,
            "account": {"type": ["object", "null"]},
            "identities": {"type": "array", "items": {"type": "object"}},
            "sessions": {"type": "array", "items": {"type": "object"}},
            "verifications": {"type": "array", "items": {"type": "object"}},
            "applications": {"type": "array", "items": {"type": "object"}},
            "bearer_tokens": {"type": "array", "items": {"type": "object"}},
            "events": {"type": "array", "items": {"type": "object"}},
        }
    ),
}
