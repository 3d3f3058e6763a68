"""Userinfo: what the userinfo endpoint adds to an ID token. OpenID Connect Core §5.3."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import httpx

from ..errors import InvalidResponse, Step, UserinfoMismatch
from ..oauth2.json_body import read_json


class ClaimsSource(StrEnum):
    """Where a profile is read from.

    ``id_token`` and ``userinfo`` are that one alone, ``both`` is userinfo over the ID token.
    ``auto`` is the ID token, and userinfo over it only where the granted scopes promise a name, an
    address or its flag that the ID token does not hold.
    """

    AUTO = "auto"
    ID_TOKEN = "id_token"
    USERINFO = "userinfo"
    BOTH = "both"


PROTOCOL_CLAIMS = frozenset(
    {"iss", "sub", "aud", "exp", "iat", "nbf", "jti", "azp", "nonce", "auth_time", "acr", "amr"}
    | {"at_hash", "c_hash", "s_hash", "sid", "events", "cnf"}
)
"""Claims that say something of the ID token or the session; userinfo has no word in them."""

_ADDRESSES = (
    ("email", "email_verified"),
    ("phone_number", "phone_number_verified"),
    ("phone", "phone_verified"),
)


def read_userinfo(response: httpx.Response, *, subject: str | None) -> dict[str, Any]:
    """Return the claims of a userinfo response about ``subject``, the ID token's ``sub``.

    ``subject`` None is for where there is no ID token: then ``sub`` only has to be there. Raises
    UserinfoMismatch for another person's, InvalidResponse for what is no successful JSON object.
    Signed or encrypted userinfo (application/jwt) is not supported. Core §5.3.2, §5.3.4.
    """
    if not 200 <= response.status_code < 300:
        raise InvalidResponse(f"userinfo answered with status {response.status_code}", step=Step.USERINFO)
    declared = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if declared == "application/jwt":
        raise InvalidResponse("signed or encrypted userinfo is not supported", step=Step.USERINFO)
    try:
        claims = read_json(response.content)
    except ValueError as error:
        raise InvalidResponse(f"userinfo {error}", step=Step.USERINFO) from None
    if not isinstance(claims, dict):
        raise InvalidResponse("userinfo is not a JSON object", step=Step.USERINFO)
    sub = claims.get("sub")
    if not isinstance(sub, str) or not sub:
        raise UserinfoMismatch("userinfo names no subject")
    if subject is not None and sub != subject:
        raise UserinfoMismatch("userinfo is about another subject than the ID token")
    return claims


def merge_claims(claims: Mapping[str, Any], userinfo: Mapping[str, Any]) -> dict[str, Any]:
    """Return the ID token's claims with those of userinfo over them, but for the protocol's own.

    A claim of userinfo that is null counts as absent: it should not be there at all (Core §5.3.2).
    An address and its flag stay together: a flag speaks only for the address it came with, and
    of two flags for one address false wins.
    """
    said = {
        name: value for name, value in userinfo.items() if name not in PROTOCOL_CLAIMS and value is not None
    }
    merged = {**claims, **said}
    if "sub" not in claims and "sub" in userinfo:
        merged["sub"] = userinfo["sub"]
    for address, flag in _ADDRESSES:
        if address not in merged:
            continue
        merged.pop(flag, None)
        sources = [source for source in (said, claims) if source.get(address) == merged[address]]
        flags = [source[flag] for source in sources if source.get(flag) is not None]
        if flags:
            merged[flag] = next((each for each in flags if each in (False, "false")), flags[0])
    return merged
