"""Sign in with Apple, by its documentation of 2025."""

from __future__ import annotations

import json
from typing import Any

from ...metadata import ServerMetadata
from ..provider import Person, Provider, Scenario
from ..provider.cases.case import having
from ..provider.grants import Refused
from ..provider.keys import read_compact
from .profile import ProviderProfile, quirk

DOCS = "developer.apple.com/documentation"
AUTHORIZE = f"{DOCS}/signinwithapple/incorporating-sign-in-with-apple-into-other-platforms"
SECRET = f"{DOCS}/accountorganizationaldatasharing/creating-a-client-secret"
ID_TOKEN = f"{DOCS}/signinwithapplerestapi/authenticating-users-with-sign-in-with-apple"
ISSUER = "https://appleid.apple.com"
HALF_A_YEAR = 15777000


def _form_post_alone(request: dict[str, str], provider: Provider) -> dict[str, str]:
    if {"name", "email"} & {*request.get("scope", "").split()} and request.get(
        "response_mode"
    ) != "form_post":
        raise Refused(
            "invalid_request", "response_mode must be form_post when name or email scope is requested"
        )
    return request


def _user_once(pairs: list[tuple[str, str]], provider: Provider) -> list[tuple[str, str]]:
    code = provider.ledger.codes.get(dict(pairs).get("code", ""))
    if code is None or provider.ledger.grants_like(code.grant) or "name" not in code.grant.scopes:
        return pairs
    first, last = str(code.grant.person.claims["name"]).split(" ", 1)
    user = {"name": {"firstName": first, "lastName": last}, "email": code.grant.person.claims["email"]}
    return [*pairs, ("user", json.dumps(user))]


def _secret_is_a_token(form: dict[str, str], provider: Provider) -> dict[str, str]:
    try:
        header, claims, _, _ = read_compact(form["client_secret"])
    except (KeyError, ValueError, AttributeError):
        raise Refused("invalid_client", "the client secret is no JWT") from None
    now = provider.clock()
    wanted = {"aud": ISSUER, "sub": form.get("client_id")}
    good = (
        header.get("alg") == "ES256"
        and "kid" in header
        and wanted.items() <= claims.items()
        and len(str(claims.get("iss"))) == 10
        and now < claims.get("exp", 0) <= claims.get("iat", 0) + HALF_A_YEAR
    )
    if not good:
        raise Refused("invalid_client", "the client secret is not as it must be")
    return form


def _bare(error: dict[str, Any], provider: Provider) -> dict[str, Any]:
    return {name: value for name, value in error.items() if name == "error"}


APPLE = ProviderProfile(
    name="apple",
    openid=True,
    server=ServerMetadata(
        issuer=ISSUER,
        authorization_endpoint=f"{ISSUER}/auth/authorize",
        token_endpoint=f"{ISSUER}/auth/token",
        jwks_uri=f"{ISSUER}/auth/keys",
        revocation_endpoint=f"{ISSUER}/auth/revoke",
    ),
    person=Person(
        sub="001234.abcd5678abcd5678.0912",
        claims={
            "name": "Alice Example",
            "email": "dpdcnf87nu@privaterelay.appleid.com",
            "email_verified": "true",
            "is_private_email": "true",
        },
    ),
    told_once=frozenset({"name"}),
    quirks=(
        quirk(
            "apple.form-post",
            f"{AUTHORIZE}#Send-the-Required-Query-Parameters",
            "whoever asks for name or email is answered by a form",
            settings={
                "scopes_supported": ("openid", "name", "email"),
                "claims_of": {"email": ("email", "email_verified", "is_private_email")},
                "pkce": "ignored",
                "auth_methods": ("client_secret_post",),
            },
            request=_form_post_alone,
        ),
        quirk(
            "apple.user-once",
            f"{AUTHORIZE}#Handle-the-Response",
            "the form holds the name, unsigned, the first time alone",
            scenario=Scenario.SECOND_SIGN_IN,
            authorization=_user_once,
        ),
        quirk(
            "apple.client-secret-is-a-token",
            SECRET,
            "the client secret is an ES256 JWT for half a year at most",
            form=_secret_is_a_token,
        ),
        quirk(
            "apple.claims",
            f"{ID_TOKEN}#Retrieve-the-users-information-from-Apple-ID-servers",
            "ID tokens say nonce_supported",
            claims=having(nonce_supported=True),
            refresh_claims=having(nonce_supported=True),
        ),
        quirk(
            "apple.refresh-token-stays",
            f"{DOCS}/signinwithapplerestapi/tokenresponse",
            "each code gives a refresh token that stays; no answer tells a scope",
            scenario=Scenario.REFRESH,
            settings={"refresh_tokens": "always", "rotation": "none", "states_scope": False},
        ),
        quirk(
            "apple.errors",
            f"{DOCS}/signinwithapplerestapi/errorresponse",
            "errors have a name and no description",
            "invalid_grant",
            scenario=Scenario.SPENT_CODE,
            error=_bare,
        ),
        quirk(
            "apple.denied-in-its-own-words",
            f"{AUTHORIZE}#Handle-the-Response",
            "who cancels comes back with user_cancelled_authorize",
            "access_denied",
            scenario=Scenario.DENIED,
            authorization=lambda pairs, provider: [
                (name, "user_cancelled_authorize" if value == "access_denied" else value)
                for name, value in pairs
            ],
        ),
    ),
    sometimes=(
        quirk(
            "apple.flags",
            f"{ID_TOKEN}#Retrieve-the-users-information-from-Apple-ID-servers",
            "email_verified is a flag, not text",
            claims=having(email_verified=True, is_private_email=False),
        ),
        quirk(
            "apple.unverified",
            f"{ID_TOKEN}#Retrieve-the-users-information-from-Apple-ID-servers",
            "the address of a managed account may be unverified",
            claims=having(email_verified="false"),
        ),
    ),
)
