"""LinkedIn (Sign In with LinkedIn using OpenID Connect), by its documentation of 2025."""

from __future__ import annotations

from typing import Any

from ...metadata import ServerMetadata
from ..provider import Person, Provider, Response, Scenario
from ..provider.cases.case import having, without
from .profile import ProviderProfile, quirk

DOCS = "learn.microsoft.com/en-us/linkedin"
SIGN_IN = f"{DOCS}/consumer/integrations/self-serve/sign-in-with-linkedin-v2"
CODE_FLOW = f"{DOCS}/shared/authentication/authorization-code-flow"


def _no_code(error: dict[str, Any], provider: Provider) -> dict[str, Any]:
    if error["error"] != "invalid_grant":
        return error
    told = "Unable to retrieve access token: appid/redirect uri/code verifier does not match"
    return {"error": "invalid_request", "error_description": f"{told} authorization code"}


LINKEDIN = ProviderProfile(
    name="linkedin",
    openid=True,
    server=ServerMetadata(
        issuer="https://www.linkedin.com/oauth",
        authorization_endpoint="https://www.linkedin.com/oauth/v2/authorization",
        token_endpoint="https://www.linkedin.com/oauth/v2/accessToken",
        userinfo_endpoint="https://api.linkedin.com/v2/userinfo",
        jwks_uri="https://www.linkedin.com/oauth/openid/jwks",
    ),
    more_scope="w_member_social",
    person=Person(
        sub="782bbtaQ",
        claims={
            "name": "Alice Example",
            "given_name": "Alice",
            "family_name": "Example",
            "picture": "https://media.licdn-ei.com/dms/image/alice",
            "locale": {"country": "US", "language": "en"},
            "email": "alice@example.org",
            "email_verified": True,
        },
    ),
    quirks=(
        quirk(
            "linkedin.no-nonce",
            f"{SIGN_IN}#id-token-validation (names no nonce); providers of Logto and Auth.js send none",
            "the nonce of the request is passed over: none comes back in the ID token",
            request=without("nonce"),
        ),
        quirk(
            "linkedin.no-pkce-with-a-secret",
            f"{DOCS}/shared/authentication/authorization-code-flow-native",
            "PKCE is for native clients that were approved: elsewhere it is refused",
            settings={"pkce": "refused", "auth_methods": ("client_secret_post",)},
        ),
        quirk(
            "linkedin.scopes-with-commas",
            'met in token responses ("scope": "email,openid,profile"); no document says so',
            "granted scopes are separated by commas",
            settings={
                "granted_scope_separator": ",",
                "scopes_supported": ("openid", "profile", "email", "w_member_social"),
            },
        ),
        quirk(
            "linkedin.months",
            f"{CODE_FLOW}#access-token-response",
            "access tokens live for two months, refresh tokens are for approved partners",
            settings={"refresh_tokens": "never", "access_token_lifetime": 5183999},
        ),
        quirk(
            "linkedin.locale-is-an-object",
            f"{SIGN_IN}#api-request-to-retreive-member-details",
            "locale is an object of country and language, in the ID token too",
            claims=having(locale={"country": "US", "language": "en"}, auth_time=None),
        ),
        quirk(
            "linkedin.spent-code",
            f"{CODE_FLOW}#api-error-details",
            "a code that is not good is invalid_request",
            "provider_error",
            scenario=Scenario.SPENT_CODE,
            error=_no_code,
        ),
        quirk(
            "linkedin.denied-in-its-own-words",
            f"{CODE_FLOW}#application-is-rejected",
            "who cancels comes back with user_cancelled_login or user_cancelled_authorize",
            "access_denied",
            scenario=Scenario.DENIED,
            authorization=lambda pairs, provider: [
                (name, "user_cancelled_login" if value == "access_denied" else value) for name, value in pairs
            ],
        ),
    ),
    sometimes=(
        quirk(
            "linkedin.no-address",
            f"{SIGN_IN}#response-body-schema",
            "email and email_verified are optional",
            claims=without("email", "email_verified"),
            userinfo=without("email", "email_verified"),
        ),
    ),
    unauthorized=Response.json(
        {"serviceErrorCode": 65600, "message": "Invalid access token", "status": 401}, status=401
    ),
    forbidden=Response.json(
        {"serviceErrorCode": 100, "message": "Not enough permissions to access: userinfo", "status": 403},
        status=403,
    ),
    throttled=Response.json(
        {"serviceErrorCode": 101, "message": "Resource level throttle DAY limit is reached", "status": 429},
        status=429,
    ),
)
