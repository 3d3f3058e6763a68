from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from connectors_oidc import OIDC
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from connectors_core.errors import IdTokenRejected
from connectors_core.oauth2 import BearerApi
from connectors_core.profile import IdentityKey, Profile
from connectors_core.transaction import Callback
from tests.core.oidc.op import (
    CLIENT,
    CODE,
    ISSUER,
    NONCE,
    NOW,
    Provider,
    claims_of,
    granted,
    query,
    sign,
    tokens,
    transaction,
)

SECRET = "canary-secret-" + "0" * 52
FULL = {"name": "Jane", "email": "jane@example.com", "email_verified": True}
Connect = Callable[..., OIDC]
SignIn = Callable[..., Any]


@pytest.fixture
def sign_in(provider: Provider, ec: ECKey) -> SignIn:
    async def sign_in(connector: OIDC, *, header: Any = None, token: str = "", **claims: Any) -> Profile:
        id_token = token or sign(claims_of(**{**FULL, **claims}), ec, **(header or {}))
        provider.documents["/token"] = granted(id_token)
        pending = transaction(scopes=connector.scopes_to_request(None))
        received = await connector.exchange(Callback(code=CODE), pending)
        return await connector.profile(BearerApi.of(connector, received), received)

    return sign_in


def form(provider: Provider) -> dict[str, str]:
    (request,) = [request for request in provider.requests if request.url.path == "/token"]
    return query(f"?{request.content.decode()}")


async def asked(connector: OIDC, **changes: Any) -> dict[str, str]:
    scopes = connector.scopes_to_request(None)
    return query(await connector.authorization_uri(transaction(**{"scopes": scopes, **changes})))


def names(connector: OIDC) -> list[str]:
    return [relaxation.name for relaxation in connector.relaxations()]


async def test_issuer_discovers_everything(connect: Connect, provider: Provider, sign_in: SignIn) -> None:
    connector = connect()
    assert await asked(connector) == {
        "response_type": "code",
        "client_id": CLIENT,
        "redirect_uri": "https://host.example/callback/acme-main",
        "scope": "openid profile email",
        "state": "canary-state-0123456789",
        "nonce": NONCE,
        "code_challenge": (await asked(connector))["code_challenge"],
        "code_challenge_method": "S256",
    }
    assert (await sign_in(connector)).name == "Jane"
    assert names(connector) == []


@pytest.mark.parametrize(
    "name", ["authorizationEndpoint", "authenticationEndpoint", "authorization_endpoint"]
)
async def test_typed_in_endpoints_take_the_place_of_discovery(
    connect: Connect, provider: Provider, sign_in: SignIn, logto: dict[str, Any], name: str
) -> None:
    endpoint = logto.pop("authorizationEndpoint")
    connector = connect({**logto, name: endpoint, "userInfoEndpoint": f"{ISSUER}/userinfo"})
    uri = await connector.authorization_uri(transaction())
    assert uri.startswith(f"{ISSUER}/authorize?")
    assert (await sign_in(connector, name=...)).name == "Userinfo"
    assert [request.url.path for request in provider.requests] == ["/token", "/jwks", "/userinfo"]


async def test_a_logto_configuration_without_an_issuer_works_and_is_flagged(
    connect: Connect, sign_in: SignIn, logto: dict[str, Any]
) -> None:
    connector = connect(logto)
    assert (await sign_in(connector, iss="https://any.example")).email == "jane@example.com"
    assert names(connector) == ["issuer_unchecked"]
    logto["idTokenVerificationConfig"] |= {"issuer": ISSUER}
    assert names(connect(logto)) == []
    with pytest.raises(IdTokenRejected, match="iss"):
        await sign_in(connect(logto), iss="https://any.example")


async def test_a_typed_in_issuer_is_held_against_the_callback(
    connect: Connect, logto: dict[str, Any]
) -> None:
    logto["idTokenVerificationConfig"] |= {"issuer": ISSUER}
    assert (await connect(logto).callback_issuer()).issuer == ISSUER
    logto["idTokenVerificationConfig"] |= {"issuer": [ISSUER, "op.example"]}
    assert (await connect(logto).callback_issuer()).issuer is None


async def test_several_issuers_may_be_accepted(connect: Connect, sign_in: SignIn) -> None:
    connector = connect({"idTokenVerificationConfig": {"issuer": [ISSUER, "op.example"]}})
    for iss in (ISSUER, "op.example"):
        assert await sign_in(connector, iss=iss)
    with pytest.raises(IdTokenRejected, match="iss"):
        await sign_in(connector, iss="other.example")


@pytest.mark.parametrize(
    ("scope", "sent"),
    [("email", "openid email"), ("email\n openid", "email openid"), ("", "openid"), ("a\tb", "openid a b")],
)
async def test_scope_ends_up_with_openid(connect: Connect, scope: str, sent: str) -> None:
    assert (await asked(connect({"scope": scope})))["scope"] == sent


async def test_offline_access_asks_for_consent_unless_a_refresh_token_is_stored(connect: Connect) -> None:
    connector = connect({"scope": "openid offline_access"})
    assert (await asked(connector))["prompt"] == "consent"
    assert (await asked(connector, refresh_token_stored=False))["prompt"] == "consent"
    assert "prompt" not in await asked(connector, refresh_token_stored=True)


@pytest.mark.parametrize(
    ("option", "value", "parameter", "sent"),
    [
        ("responseMode", "form_post", "response_mode", "form_post"),
        ("responseMode", "query", "response_mode", "query"),
        ("display", "popup", "display", "popup"),
        ("prompt", "login consent", "prompt", "login consent"),
        ("maxAge", 300, "max_age", "300"),
        ("maxAge", "300", "max_age", "300"),
        ("uiLocales", "ja en", "ui_locales", "ja en"),
        ("idTokenHint", "aaa.bbb.ccc", "id_token_hint", "aaa.bbb.ccc"),
        ("loginHint", "jane@example.com", "login_hint", "jane@example.com"),
        ("acrValues", "urn:mace:silver", "acr_values", "urn:mace:silver"),
    ],
)
async def test_options_of_the_request_are_sent_to_the_authorization_endpoint_alone(
    connect: Connect, provider: Provider, sign_in: SignIn, option: str, value: Any, parameter: str, sent: str
) -> None:
    connector = connect({"authRequestOptionalConfig": {option: value}})
    assert (await asked(connector))[parameter] == sent
    await sign_in(connector, auth_time=NOW)
    assert parameter not in form(provider)


async def test_the_token_endpoint_among_the_options_is_never_sent(
    connect: Connect, logto: dict[str, Any]
) -> None:
    assert "token_endpoint" not in await asked(connect(logto))


async def test_max_age_is_held_against_auth_time(connect: Connect, sign_in: SignIn) -> None:
    connector = connect({"authRequestOptionalConfig": {"maxAge": 300}})
    assert await sign_in(connector, auth_time=NOW - 300)
    for auth_time in (NOW - 361, ...):
        with pytest.raises(IdTokenRejected, match="auth_time"):
            await sign_in(connector, auth_time=auth_time)


async def test_custom_parameters_go_verbatim_to_authorization_and_token_requests(
    connect: Connect, provider: Provider, sign_in: SignIn
) -> None:
    connector = connect({"customConfig": {"audience": "https://api.example", "acmeFlag": "1 & 2"}})
    assert {"audience": "https://api.example", "acmeFlag": "1 & 2"}.items() <= (
        await asked(connector)
    ).items()
    await sign_in(connector)
    assert form(provider)["acmeFlag"] == "1 & 2"
    provider.requests.clear()
    provider.documents["/token"] = granted(None)
    await connector.refresh(tokens(refresh_token="canary-refresh-token"))
    assert form(provider)["acmeFlag"] == "1 & 2"


def basic(connector_id: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{connector_id}:{secret}".encode()).decode()


@pytest.mark.parametrize(
    ("changes", "authorization", "secret"),
    [
        ({}, basic("client-1", SECRET), None),
        ({"tokenEndpointAuthMethod": "client_secret_basic"}, basic("client-1", SECRET), None),
        ({"tokenEndpointAuthMethod": "client_secret_post"}, None, SECRET),
        ({"clientSecret": ..., "tokenEndpointAuthMethod": "none"}, None, None),
        ({"clientSecret": ...}, None, None),
        ({"clientSecret": "canary-a b"}, basic("client-1", "canary-a+b"), None),
        (
            {"clientSecret": "canary-a b", "encodeBasicCredentials": False},
            basic("client-1", "canary-a b"),
            None,
        ),
    ],
)
async def test_the_client_authenticates_as_configured(
    connect: Connect,
    provider: Provider,
    sign_in: SignIn,
    changes: dict[str, Any],
    authorization: str | None,
    secret: str | None,
) -> None:
    await sign_in(connect(changes))
    (request,) = [request for request in provider.requests if request.url.path == "/token"]
    assert request.headers.get("Authorization") == authorization
    assert form(provider).get("client_secret") == secret


async def test_typed_in_endpoints_get_the_secret_by_post(
    connect: Connect, provider: Provider, sign_in: SignIn, logto: dict[str, Any]
) -> None:
    await sign_in(connect({**logto, "tokenEndpointAuthMethod": ...}))
    assert form(provider)["client_secret"] == SECRET


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
async def test_the_secret_signs_an_assertion_with_the_configured_algorithm(
    connect: Connect, provider: Provider, sign_in: SignIn, algorithm: str
) -> None:
    await sign_in(
        connect(
            {
                "tokenEndpointAuthMethod": "client_secret_jwt",
                "clientSecretJwtSigningAlgorithm": algorithm,
            }
        )
    )
    assertion = form(provider)["client_assertion"]
    decoded = jwt.decode(assertion, OctKey(SECRET.encode(), SECRET.encode()), algorithms=[algorithm])
    assert decoded.claims["aud"] == ISSUER


@pytest.mark.parametrize(
    ("audience", "expected", "relaxed"),
    [
        ("issuer", ISSUER, []),
        ("token_endpoint", f"{ISSUER}/token", ["assertion_audience_token_endpoint"]),
    ],
)
async def test_the_clients_own_key_signs_an_assertion(
    connect: Connect, provider: Provider, sign_in: SignIn, audience: str, expected: str, relaxed: list[str]
) -> None:
    own = ECKey.generate_key("P-384")
    connector = connect(
        {
            "clientSecret": ...,
            "tokenEndpointAuthMethod": "private_key_jwt",
            "privateKey": json.dumps(own.as_dict(private=True)),
            "privateKeyId": "mine",
            "privateKeyJwtSigningAlgorithm": "ES384",
            "clientAssertionAudience": audience,
        }
    )
    await sign_in(connector)
    decoded = jwt.decode(form(provider)["client_assertion"], own, algorithms=["ES384"])
    assert decoded.claims["aud"] == expected
    assert decoded.header["kid"] == "mine"
    assert names(connector) == relaxed


async def test_a_reason_turns_pkce_off(connect: Connect, provider: Provider, sign_in: SignIn) -> None:
    connector = connect({"pkceOffBecause": "Acme refuses it"})
    assert "code_challenge" not in await asked(connector)
    await sign_in(connector)
    assert "code_verifier" not in form(provider)
    assert names(connector) == ["pkce_off"]


@pytest.mark.parametrize(
    ("verification", "good", "bad", "claim"),
    [
        ({"audience": "api"}, {"aud": "api"}, {"aud": "other"}, "aud"),
        ({"audience": ["api", "web"]}, {"aud": ["web", "api"]}, {"aud": ["other"]}, "aud"),
        ({"audience": "api"}, {"aud": CLIENT}, {"aud": []}, "aud"),
        ({"clockTolerance": "5 minutes"}, {"exp": NOW - 299}, {"exp": NOW - 300}, "exp"),
        ({"clockTolerance": 0}, {"exp": NOW + 1}, {"exp": NOW}, "exp"),
        ({"maxTokenAge": "1 minute", "clockTolerance": 0}, {"iat": NOW - 60}, {"iat": NOW - 61}, "iat"),
        ({"subject": "jane"}, {"sub": "jane"}, {"sub": "john"}, "sub"),
        ({"currentDate": "2001-09-09T01:46:40Z"}, {"exp": 1e9, "iat": 1e9}, {"exp": 9e8, "iat": 9e8}, "exp"),
        ({"crit": {}}, {}, {"exp": 1}, "exp"),
    ],
)
async def test_verification_options_decide_which_id_tokens_pass(
    connect: Connect,
    provider: Provider,
    sign_in: SignIn,
    verification: dict[str, Any],
    good: dict[str, Any],
    bad: dict[str, Any],
    claim: str,
) -> None:
    connector = connect({"claimsSource": "id_token", "idTokenVerificationConfig": verification})
    assert await sign_in(connector, **good)
    with pytest.raises(IdTokenRejected) as caught:
        await sign_in(connector, **bad)
    assert caught.value.claim == claim


@pytest.mark.parametrize(
    ("verification", "relaxed"),
    [
        ({"clockTolerance": 60}, []),
        ({"clockTolerance": "2m"}, ["leeway"]),
        ({"currentDate": "2024-01-01T00:00:00Z"}, ["clock_fixed"]),
        ({"algorithms": ["HS256"]}, ["symmetric_id_token"]),
    ],
)
def test_what_weakens_verification_is_listed(
    connect: Connect, verification: dict[str, Any], relaxed: list[str]
) -> None:
    assert names(connect({"idTokenVerificationConfig": verification})) == relaxed


async def test_typ_is_required_where_configured(connect: Connect, sign_in: SignIn) -> None:
    connector = connect({"idTokenVerificationConfig": {"typ": "JWT"}})
    assert await sign_in(connector, header={"typ": "JWT"})
    with pytest.raises(IdTokenRejected, match="typ"):
        await sign_in(connector)


async def test_algorithms_are_those_configured(connect: Connect, sign_in: SignIn) -> None:
    assert await sign_in(connect({"idTokenVerificationConfig": {"algorithms": ["ES256", "RS256"]}}))
    with pytest.raises(IdTokenRejected, match="alg"):
        await sign_in(connect({"idTokenVerificationConfig": {"algorithms": ["RS256"]}}))
    secret = OctKey(SECRET.encode(), SECRET.encode())
    token = sign(claims_of(**FULL), secret, algorithm="HS512")
    assert await sign_in(connect({"idTokenVerificationConfig": {"algorithms": ["HS512"]}}), token=token)
    with pytest.raises(IdTokenRejected, match="alg"):
        await sign_in(connect(), token=token)


async def test_keys_come_from_the_typed_in_url(
    connect: Connect, provider: Provider, sign_in: SignIn, logto: dict[str, Any]
) -> None:
    logto["idTokenVerificationConfig"] |= {"jwksUri": f"{ISSUER}/keys?v=2"}
    provider.documents["/keys"] = provider.documents.pop("/jwks")
    await sign_in(connect(logto))
    assert provider.requests[-1].url.raw_path == b"/keys?v=2"


@pytest.mark.parametrize(
    ("policy", "sent", "without", "with_another", "relaxed"),
    [
        ("required", True, False, False, []),
        ("if-present", True, True, False, ["nonce_if_present"]),
        ("not-sent", False, True, False, ["nonce_not_sent"]),
    ],
)
async def test_the_nonce_policy_decides_what_is_sent_and_what_passes(
    connect: Connect,
    sign_in: SignIn,
    policy: str,
    sent: bool,
    without: bool,
    with_another: bool,
    relaxed: list[str],
) -> None:
    connector = connect({"noncePolicy": policy})
    assert ("nonce" in await asked(connector)) is sent
    assert names(connector) == relaxed
    for nonce, passes in ((..., without), ("another", with_another)):
        if passes:
            assert await sign_in(connector, nonce=nonce)
        else:
            with pytest.raises(IdTokenRejected, match="nonce"):
                await sign_in(connector, nonce=nonce)


@pytest.mark.parametrize(
    ("source", "claims", "requests", "name"),
    [
        ("auto", {}, 0, "Jane"),
        ("auto", {"name": ...}, 1, "Userinfo"),
        ("id_token", {"name": ...}, 0, None),
        ("userinfo", {}, 1, "Userinfo"),
        ("both", {}, 1, "Userinfo"),
    ],
)
async def test_the_claims_source_decides_who_is_asked(
    connect: Connect, provider: Provider, sign_in: SignIn, source: str, claims: Any, requests: int, name: str
) -> None:
    assert (await sign_in(connect({"claimsSource": source}), **claims)).name == name
    assert provider.asked("/userinfo") == requests


@pytest.mark.parametrize(
    ("changes", "flag", "verified"),
    [
        ({}, "true", None),
        ({"acceptStringTypedBooleanClaims": True}, "true", True),
        ({"acceptStringTypedBooleanClaims": True}, "false", False),
        ({"acceptStringTypedBooleanClaims": True}, True, True),
        ({}, ..., None),
        ({"trustUnverifiedEmail": True}, ..., True),
        ({"trustUnverifiedEmail": True}, False, False),
        ({"trustUnverifiedEmail": True, "acceptStringTypedBooleanClaims": True}, "false", False),
        ({"trustUnverifiedEmail": True}, True, True),
    ],
)
async def test_an_address_is_verified_where_the_provider_or_the_operator_says_so(
    connect: Connect, sign_in: SignIn, changes: dict[str, Any], flag: Any, verified: bool | None
) -> None:
    connector = connect({"claimsSource": "id_token", **changes})
    assert (await sign_in(connector, email_verified=flag)).email_verified is verified
    assert len(names(connector)) == len(changes)


@pytest.mark.parametrize(
    "claims",
    [{"phone_number": "+81 3", "phone_number_verified": True}, {"phone": "+81 3", "phone_verified": True}],
)
async def test_phone_is_read_under_both_names(connect: Connect, sign_in: SignIn, claims: Any) -> None:
    profile = await sign_in(connect(), **claims)
    assert (profile.phone, profile.phone_verified) == ("+81 3", True)


async def test_the_profile_map_says_where_fields_stand_and_identities_stay_with_sub(
    connect: Connect, sign_in: SignIn
) -> None:
    connector = connect(
        {
            "profileMap": {
                "id": "oid",
                "name": "acme.names[0].text | nickname",
                "avatar": ["photo", "picture"],
                "email": "",
                "phone": "tel",
                "phoneVerified": "tel_ok",
            }
        }
    )
    profile = await sign_in(
        connector,
        oid=7,
        acme={"names": [{"text": "花子"}]},
        picture="https://op.example/p.png",
        tel="+81 3",
        tel_ok=False,
    )
    assert (profile.id, profile.name, profile.avatar) == ("7", "花子", "https://op.example/p.png")
    assert (profile.email, profile.phone, profile.phone_verified) == (None, "+81 3", False)
    assert connector.identity(profile, tokens(claims_of())) == IdentityKey(ISSUER, "248289761001")


async def test_additional_audiences_are_accepted_from_native_apps(connect: Connect, ec: ECKey) -> None:
    credential = sign(claims_of(aud="native-1", azp="native-1"), ec)
    connector = connect({"additionalAudiences": ["native-1"]})
    assert (await connector.verify_credential(credential, nonce=NONCE)).claims
    with pytest.raises(IdTokenRejected, match="aud"):
        await connect().verify_credential(credential, nonce=NONCE)
