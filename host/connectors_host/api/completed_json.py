"""A completed authorization, written down until it is decided what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors_core.flow import Completed
from connectors_core.profile import IdentityKey, Profile
from connectors_core.tokens import TokenSet
from connectors_core.transaction import Purpose

PROFILE = ("id", "name", "avatar", "email", "email_verified", "phone", "phone_verified")
TOKENS = (
    *("access_token", "token_type", "expires_at", "refresh_token", "id_token"),
    *("scopes_stated", "refresh_expires_at"),
)


def written(completed: Completed) -> dict[str, Any]:
    """JSON for ``completed``, without the host's own data. It holds tokens: to be sealed."""
    profile, tokens = completed.profile, completed.tokens
    return {
        "tenant": completed.tenant,
        "connector": completed.connector,
        "purpose": completed.purpose.value,
        "owner": completed.owner,
        "issuer": completed.identity.issuer,
        "subject": completed.identity.subject,
        "profile": {name: getattr(profile, name) for name in PROFILE} | {"raw": dict(profile.raw)},
        "tokens": {name: getattr(tokens, name) for name in TOKENS}
        | {
            "requested": sorted(tokens.requested),
            "scopes": sorted(tokens.scopes),
            "effective": None if tokens.effective is None else sorted(tokens.effective),
            "claims": None if tokens.claims is None else dict(tokens.claims),
            "extra": dict(tokens.extra),
        },
    }


def read(content: Mapping[str, Any], *, purpose: Purpose) -> Completed:
    """What ``written`` wrote, as an authorization for ``purpose``."""
    tokens = dict(content["tokens"])
    effective = tokens.pop("effective")
    return Completed(
        profile=Profile(**content["profile"]),
        tokens=TokenSet(
            requested=frozenset(tokens.pop("requested")),
            scopes=frozenset(tokens.pop("scopes")),
            effective=None if effective is None else frozenset(effective),
            **tokens,
        ),
        identity=IdentityKey(content["issuer"], content["subject"]),
        tenant=content["tenant"],
        connector=content["connector"],
        purpose=purpose,
        owner=content["owner"],
    )
