"""Google, by its documentation of 2025."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ...metadata import ServerMetadata
from ..provider import Person, Provider, Response, Scenario
from ..provider.cases.case import having
from ..provider.grants import Grant, Refused
from .profile import ProviderProfile, quirk

WEB_SERVER = "developers.google.com/identity/protocols/oauth2/web-server"
OPENID = "developers.google.com/identity/openid-connect/openid-connect"
REFERENCE = "developers.google.com/identity/openid-connect/reference"
SCOPES = "https://www.googleapis.com/auth/"
LONG = {name: f"{SCOPES}userinfo.{name}" for name in ("email", "profile")}
SIGN_IN = frozenset({"openid", *LONG, *LONG.values()})


def _refusing(request: dict[str, str], provider: Provider) -> dict[str, str]:
    if request.get("prompt", "").startswith("none ") or " none" in request.get("prompt", ""):
        raise Refused("invalid_request", "none stands alone")
    return request


def _granted(grant: Grant, provider: Provider) -> Grant:
    """Consent gives a refresh token: that of the first time, and one that was asked for."""
    asked, before = grant.parameters, provider.ledger.grants_like(grant)
    scopes = _short(grant.scopes)
    if asked.get("include_granted_scopes") == "true":
        scopes = tuple(dict.fromkeys((*(scope for each in before for scope in each.scopes), *scopes)))
    offline = [each for each in before if each.parameters.get("access_type") == "offline"]
    held = {scope for each in offline for scope in each.scopes}
    consents = "consent" in asked.get("prompt", "").split() or not {*scopes} <= held
    return replace(grant, scopes=scopes, offline=asked.get("access_type") == "offline" and consents)


def _short(scopes: Iterable[str]) -> tuple[str, ...]:
    names = {long: name for name, long in LONG.items()}
    return tuple(dict.fromkeys(names.get(scope, scope) for scope in scopes))


def _asked_in_short(form: dict[str, str], provider: Provider) -> dict[str, str]:
    return {**form, "scope": " ".join(_short(form["scope"].split()))} if "scope" in form else form


def _in_long(payload: dict[str, Any], provider: Provider) -> dict[str, Any]:
    scopes = [LONG.get(scope, scope) for scope in payload["scope"].split()]
    return {**payload, "scope": " ".join(dict.fromkeys(scopes))}


def _telling(pairs: list[tuple[str, str]], provider: Provider) -> list[tuple[str, str]]:
    code = provider.ledger.codes.get(dict(pairs).get("code", ""))
    if code is None:
        return pairs
    domain = code.grant.person.claims.get("hd")
    scope = " ".join(LONG.get(scope, scope) for scope in code.grant.scopes)
    more = {"scope": scope, "authuser": "0", "prompt": code.grant.parameters.get("prompt", "none")}
    return [*pairs, *more.items(), *([("hd", domain)] if domain else [])]


def _without(claim: str) -> Any:
    return lambda claims, provider: {name: value for name, value in claims.items() if name != claim}


GOOGLE = ProviderProfile(
    name="google",
    openid=True,
    server=ServerMetadata(
        issuer="https://accounts.google.com",
        authorization_endpoint="https://accounts.google.com/o/oauth2/v2/auth",
        token_endpoint="https://oauth2.googleapis.com/token",
        userinfo_endpoint="https://openidconnect.googleapis.com/v1/userinfo",
        jwks_uri="https://www.googleapis.com/oauth2/v3/certs",
        revocation_endpoint="https://oauth2.googleapis.com/revoke",
    ),
    more_scope=f"{SCOPES}calendar.readonly",
    person=Person(
        sub="110169484474386276334",
        claims={
            "name": "Alice Example",
            "given_name": "Alice",
            "family_name": "Example",
            "picture": "https://lh3.googleusercontent.com/a/alice",
            "email": "alice@example.org",
            "email_verified": True,
            "hd": "example.org",
        },
    ),
    quirks=(
        quirk(
            "google.refresh-token-with-consent",
            f"{WEB_SERVER}#offline",
            "a refresh token needs access_type=offline, and comes again with prompt=consent alone",
            scenario=Scenario.SECOND_SIGN_IN,
            settings={"refresh_tokens": "never", "remembers_consent": True},
            grant=_granted,
        ),
        quirk(
            "google.refresh-token-stays",
            f"{WEB_SERVER}#offline",
            "the answer to a refresh holds no refresh token: the old one stays",
            scenario=Scenario.REFRESH,
            settings={"rotation": "none"},
        ),
        quirk(
            "google.scopes-in-long",
            "developers.google.com/identity/protocols/oauth2/scopes",
            "email and profile are granted as URLs",
            scenario=Scenario.REFRESH,
            settings={
                "scopes_supported": (
                    *("openid", "email", "profile", *LONG.values()),
                    *(f"{SCOPES}{name}" for name in ("calendar", "calendar.readonly", "calendar.events")),
                    *(f"{SCOPES}{name}" for name in ("gmail.readonly", "drive.readonly", "drive.file")),
                ),
                "claims_of": {
                    "openid": ("hd",),
                    "profile": ("name", "given_name", "family_name", "picture"),
                    "email": ("email", "email_verified"),
                },
            },
            form=_asked_in_short,
            token=_in_long,
            refresh=_in_long,
        ),
        quirk(
            "google.callback-tells-more",
            f"{REFERENCE}#authorization-endpoint",
            "the callback carries scope, authuser, prompt and hd beside code, state and iss",
            settings={"callback_iss": "announced"},
            authorization=_telling,
        ),
        quirk(
            "google.azp",
            f"{OPENID}#an-id-tokens-payload",
            "ID tokens carry azp, and no auth_time",
            claims=lambda claims, provider: {**_without("auth_time")(claims, provider), "azp": claims["aud"]},
            refresh_claims=lambda claims, provider: {
                **_without("auth_time")(claims, provider), "azp": claims["aud"]
            },
        ),
        quirk(
            "google.wrong-requests-end-on-a-page",
            "developers.google.com/identity/protocols/oauth2/web-server#authorization-errors",
            "an unknown scope, offline_access among them, is told to the person and not to the callback",
            settings={"problems_shown": True, "always_granted": SIGN_IN, "pkce": "optional"},
            request=_refusing,
        ),
        quirk(
            "google.revocation-ends-everything",
            f"{WEB_SERVER}#tokenrevoke",
            "either token takes along all that the person granted; the next is called invalid_token, by 400",
            settings={
                "revocation": "everything",
                "auth_methods": ("client_secret_post", "client_secret_basic"),
            },
        ),
        quirk(
            "google.lifetime-of-a-second-less",
            f"{WEB_SERVER}#exchange-authorization-code",
            "expires_in counts from before the answer: 3599",
            settings={"access_token_lifetime": 3599},
        ),
    ),
    sometimes=(
        quirk(
            "google.issuer-without-scheme",
            f"{OPENID}#an-id-tokens-payload",
            "iss is accounts.google.com",
            claims=having(iss="accounts.google.com"),
            refresh_claims=having(iss="accounts.google.com"),
        ),
        quirk(
            "google.some-scopes-refused",
            "developers.google.com/identity/protocols/oauth2/resources/granular-permissions",
            "the person unticks what goes beyond sign-in",
            scenario=Scenario.MORE_SCOPE,
            settings={"refused_scopes": frozenset({f"{SCOPES}calendar.readonly", f"{SCOPES}calendar"})},
        ),
        quirk(
            "google.time-based-access",
            f"{WEB_SERVER}#time-based-access",
            "the person lets the application in for some days: refresh_token_expires_in",
            token=having(refresh_token_expires_in=604799),
            refresh=having(refresh_token_expires_in=604799),
        ),
        quirk(
            "google.unverified-address",
            f"{OPENID}#an-id-tokens-payload",
            "the address of an account that is not of Google's was not verified",
            claims=having(email_verified=False),
            userinfo=having(email_verified=False),
        ),
    ),
    unauthorized=Response.json(
        {"error": {"code": 401, "message": "Request had invalid authentication credentials.",
                   "status": "UNAUTHENTICATED"}},
        status=401,
        www_authenticate='Bearer realm="https://accounts.google.com/", error="invalid_token"',
    ),
    forbidden=Response.json(
        {"error": {"code": 403, "message": "Request had insufficient authentication scopes.",
                   "status": "PERMISSION_DENIED",
                   "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo",
                                "reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT"}]}},
        status=403,
        www_authenticate='Bearer realm="https://accounts.google.com/", error="insufficient_scope"',
    ),
    throttled=Response.json(
        {"error": {"code": 429, "message": "Rate Limit Exceeded", "status": "RESOURCE_EXHAUSTED",
                   "errors": [{"domain": "usageLimits", "reason": "rateLimitExceeded"}]}},
        status=429,
    ),
)  # fmt: skip
