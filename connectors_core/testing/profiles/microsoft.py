"""The Microsoft identity platform, by its documentation of 2025."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...metadata import ServerMetadata
from ..provider import Person, Provider, Response, Scenario
from ..provider.cases.case import changed, having, without
from .profile import ProviderProfile, quirk

DOCS = "learn.microsoft.com/en-us/entra/identity-platform"
CODE_FLOW = f"{DOCS}/v2-oauth2-auth-code-flow"
CLAIMS = f"{DOCS}/id-token-claims-reference"
LOGIN = "https://login.microsoftonline.com"
TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"
PERSONAL = "9188040d-6c67-4c5b-b112-36a304b66dad"
"""The tenant of all personal accounts."""
GRAPH = "https://graph.microsoft.com/"
AADSTS = {"invalid_grant": 70008, "invalid_client": 7000215, "invalid_scope": 70011}


def of_tenant(tenant: str) -> Mapping[str, str]:
    """The claims that tell whose account it is."""
    return {"tid": tenant, "iss": f"{LOGIN}/{tenant}/v2.0"}


def _own(claims: dict[str, Any], provider: Provider) -> dict[str, Any]:
    """Pairwise ``sub``, the object id in ``oid``, the tenant in ``tid`` and ``iss``; no ``auth_time``."""
    person = next(person for person in provider.people.values() if person.sub == claims["sub"])
    own = {name: person.claims[name] for name in ("oid", "sub", "xms_edov") if name in person.claims}
    tenant = person.claims.get("tid", TENANT)
    kept = {name: value for name, value in claims.items() if name not in ("auth_time", "at_hash")}
    return {**kept, **own, **of_tenant(tenant), "ver": "2.0", "uti": "fake-uti", "rh": "0.fake"}


def _told(payload: dict[str, Any], provider: Provider) -> dict[str, Any]:
    scopes = [scope for scope in payload["scope"].split() if scope != "offline_access"]
    spelled = [f"{GRAPH}{scope}" if scope[:1].isupper() else scope for scope in scopes]
    return {**payload, "scope": " ".join(spelled), "ext_expires_in": payload["expires_in"]}


def _numbered(error: dict[str, Any], provider: Provider) -> dict[str, Any]:
    number = AADSTS.get(error["error"], 9002313)
    more = {
        "error_codes": [number],
        "timestamp": "2027-01-15 08:00:00Z",
        "trace_id": "fake",
        "correlation_id": "fake",
    }
    return {**error, "error_description": f"AADSTS{number}: {error['error_description']}", **more}


def _naming_their_issuer(keys: dict[str, Any], provider: Provider) -> dict[str, Any]:
    issuer = f"{LOGIN}/{{tenantid}}/v2.0"
    return {
        "keys": [{**key, "issuer": issuer, "x5t": key["kid"], "x5c": ["ZmFrZQ=="]} for key in keys["keys"]]
    }


MICROSOFT = ProviderProfile(
    name="microsoft",
    openid=True,
    server=ServerMetadata(
        issuer=f"{LOGIN}/common/v2.0",
        authorization_endpoint=f"{LOGIN}/common/oauth2/v2.0/authorize",
        token_endpoint=f"{LOGIN}/common/oauth2/v2.0/token",
        userinfo_endpoint=f"{GRAPH}oidc/userinfo",
        jwks_uri=f"{LOGIN}/common/discovery/v2.0/keys",
        end_session_endpoint=f"{LOGIN}/common/oauth2/v2.0/logout",
    ),
    more_scope="Mail.Read",
    person=Person(
        sub="AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ",
        claims={
            "oid": "00000000-0000-0000-66f3-3332eca7ea81",
            "tid": TENANT,
            "name": "Alice Example",
            "preferred_username": "alice@contoso.example",
            "email": "alice@contoso.example",
            "xms_edov": True,
        },
    ),
    quirks=(
        quirk(
            "microsoft.issuer-of-the-tenant",
            f"{CLAIMS}#payload-claims",
            "iss and tid name the tenant of the account; oid is the person, sub differs between applications",
            claims=_own,
            refresh_claims=_own,
            logout_claims=having(**of_tenant(TENANT)),
        ),
        quirk(
            "microsoft.issuer-is-a-template",
            f"{DOCS}/access-tokens#validate-the-issuer",
            "the metadata of several tenants say {tenantid} in the issuer",
            metadata=having(issuer=f"{LOGIN}/{{tenantid}}/v2.0"),
        ),
        quirk(
            "microsoft.keys-name-their-issuer",
            f"{DOCS}/access-tokens#validate-the-signing-key-issuer",
            "each key has an issuer, a template too",
            jwks=_naming_their_issuer,
        ),
        quirk(
            "microsoft.scopes-told-otherwise",
            f"{CODE_FLOW}#successful-response-2",
            "the answer leaves offline_access out, spells scopes of Graph as URLs and has ext_expires_in",
            scenario=Scenario.REFRESH,
            settings={
                "scopes_supported": (
                    *("openid", "profile", "email", "offline_access"),
                    *("User.Read", "Mail.Read", "Calendars.Read", f"{GRAPH}Mail.Read"),
                ),
                "claims_of": {"profile": ("name", "preferred_username"), "email": ("email",)},
                "pkce": "optional",
            },
            token=_told,
            refresh=_told,
        ),
        quirk(
            "microsoft.new-refresh-token-each-time",
            f"{DOCS}/refresh-tokens#token-lifetime",
            "offline_access gives a refresh token, each use a new one, and the old one works on",
            scenario=Scenario.REFRESH,
            settings={"refresh_tokens": "offline_access", "rotation": "fresh"},
        ),
        quirk(
            "microsoft.numbered-errors",
            f"{DOCS}/reference-error-codes",
            "error_description begins with a number, which error_codes repeats",
            "invalid_grant",
            scenario=Scenario.SPENT_CODE,
            error=_numbered,
        ),
        quirk(
            "microsoft.session-state",
            f"{CODE_FLOW}#successful-response",
            "the callback carries session_state",
            authorization=lambda pairs, provider: [*pairs, ("session_state", "fake-session")],
        ),
    ),
    sometimes=(
        quirk(
            "microsoft.personal-account",
            f"{CLAIMS}#payload-claims",
            "a personal account is of the tenant of all of them",
            claims=having(**of_tenant(PERSONAL)),
            refresh_claims=having(**of_tenant(PERSONAL)),
        ),
        quirk(
            "microsoft.no-word-on-the-address",
            f"{DOCS}/optional-claims-reference#v10-and-v20-optional-claims-set",
            "xms_edov is left out unless the application asked for it: the address is anybody's",
            claims=without("xms_edov"),
        ),
        quirk(
            "microsoft.edov-as-text",
            'xms_edov as met: true, 1, "1" and "true"',
            "xms_edov is text",
            claims=having(xms_edov="1"),
        ),
        quirk(
            "microsoft.lifetime-as-text",
            "learn.microsoft.com/en-us/previous-versions/azure/active-directory/azuread-dev/"
            "v1-protocols-oauth-code",
            "expires_in is text",
            token=changed("expires_in", str),
        ),
    ),
    unauthorized=Response.json(
        {"error": {"code": "InvalidAuthenticationToken", "message": "Access token has expired."}}, status=401
    ),
    forbidden=Response.json(
        {"error": {"code": "Authorization_RequestDenied", "message": "Insufficient privileges."}}, status=403
    ),
    throttled=Response.json(
        {"error": {"code": "TooManyRequests", "message": "Too many requests"}}, status=429, retry_after="10"
    ),
)
