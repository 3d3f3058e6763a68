from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from importlib.resources import files
from typing import Any

import connectors_oidc
import pytest
from connectors_oidc import OIDC, OIDCProviderConfig
from pydantic.alias_generators import to_camel

from connectors_core.access.rotation import Rotation
from connectors_core.errors import ConfigurationError
from connectors_core.hub.keeping import urls_of
from tests.canary import Canary
from tests.core.oidc.op import ISSUER

Connect = Callable[..., OIDC]
ENDPOINTS = {
    "issuer": ...,
    "authorizationEndpoint": f"{ISSUER}/authorize",
    "tokenEndpoint": f"{ISSUER}/token",
    "idTokenVerificationConfig": {"jwksUri": f"{ISSUER}/jwks", "issuer": ISSUER},
}


def test_the_distribution_registers_the_type_and_carries_its_pictures_and_guide() -> None:
    (entry,) = entry_points(group="connectors_core.types", name="oidc")
    assert entry.load() is OIDC
    for name in (OIDC.metadata.logo, OIDC.metadata.logo_dark, OIDC.metadata.readme):
        assert name is not None
        assert (files(connectors_oidc) / name).read_bytes()


def test_the_guide_names_every_field() -> None:
    guide = (files(connectors_oidc) / "README.md").read_text("utf-8")
    schema = OIDCProviderConfig.model_json_schema()
    fields = {*schema["properties"]}.union(
        *(model.get("properties", ()) for model in schema["$defs"].values())
    )
    assert [name for name in sorted(fields) if name not in guide] == []


@pytest.mark.parametrize(
    ("changes", "place", "message"),
    [
        ({"issuer": ...}, "tokenEndpoint", "unless issuer is given"),
        ({"issuer": "http://op.example"}, "issuer", "https"),
        ({"issuer": f"{ISSUER}?a=1"}, "issuer", "no query"),
        ({"clientid": "x"}, "clientid", "not a known key"),
        ({"clientId": ...}, "clientId", "required"),
        ({**ENDPOINTS, "tokenEndpoint": ...}, "tokenEndpoint", "beside authorizationEndpoint"),
        ({"tokenEndpoint": f"{ISSUER}/token"}, "tokenEndpoint", "needs authorizationEndpoint"),
        ({"userInfoEndpoint": f"{ISSUER}/me"}, "userInfoEndpoint", "needs authorizationEndpoint"),
        ({**ENDPOINTS, "idTokenVerificationConfig": {"issuer": ISSUER}}, "idTokenVerification", "jwksUri"),
        ({"idTokenVerificationConfig": {"jwksUri": f"{ISSUER}/jwks"}}, "idTokenVerification", "discovered"),
        ({**ENDPOINTS, "authenticationEndpoint": f"{ISSUER}/a"}, "", "keep one"),
        ({"tokenEndpointAuthMethod": "tls_client_auth"}, "tokenEndpointAuthMethod", "client_secret_basic"),
        ({"clientSecretJwtSigningAlgorithm": "RS256"}, "clientSecretJwtSigningAlgorithm", "HS256"),
        ({"idTokenVerificationConfig": {"algorithms": ["none"]}}, "algorithms", "RS256"),
        ({"idTokenVerificationConfig": {"algorithms": []}}, "algorithms", "RS256"),
        ({"idTokenVerificationConfig": {"crit": {"b64": True}}}, "crit", "none is processed"),
        ({"idTokenVerificationConfig": {"clockTolerance": "soon"}}, "clockTolerance", "duration"),
        ({"idTokenVerificationConfig": {"maxTokenAge": -1}}, "maxTokenAge", "seconds"),
        ({"idTokenVerificationConfig": {"currentDate": "2024-01-01T00:00:00"}}, "currentDate", "timezone"),
        ({"authRequestOptionalConfig": {"responseType": "id_token"}}, "responseType", "other flows"),
        ({"authRequestOptionalConfig": {"grantType": "implicit"}}, "grantType", "other flows"),
        ({"authRequestOptionalConfig": {"responseMode": "fragment"}}, "responseMode", "form_post"),
        ({"authRequestOptionalConfig": {"maxAge": -1}}, "maxAge", "greater"),
        (
            {**ENDPOINTS, "authRequestOptionalConfig": {"tokenEndpoint": f"{ISSUER}/other"}},
            "authRequestOptionalConfig",
            "must equal",
        ),
        ({"customConfig": {"state": "x"}}, "customConfig", "set by the connector"),
        ({"customConfig": {"nonce": "x"}}, "customConfig", "nonce"),
        ({"customConfig": {"grant_type": "x"}}, "customConfig", "grant_type"),
        (
            {"customConfig": {"display": "a"}, "authRequestOptionalConfig": {"display": "b"}},
            "customConfig",
            "already",
        ),
        ({"customConfig": {"a": 1}}, "customConfig", "string"),
        ({"claimsSource": "anywhere"}, "claimsSource", "userinfo"),
        ({"noncePolicy": "never"}, "noncePolicy", "not-sent"),
        ({"profileMap": {"id": ""}}, "profileMap.id", "at least 1"),
        ({"profileMap": {"name": "a..b"}}, "profileMap.name", "path"),
        (
            {"clientSecret": "canary-short", "idTokenVerificationConfig": {"algorithms": ["HS256"]}},
            "clientSecret",
            "32",
        ),
        ({"clientSecret": ..., "tokenEndpointAuthMethod": "client_secret_basic"}, "clientSecret", "required"),
        ({"tokenEndpointAuthMethod": "private_key_jwt"}, "tokenEndpointAuthMethod", "signing key"),
        ({"privateKey": "canary-no-key-at-all"}, "privateKey", "not a private key"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_without_secrets(
    connect: Connect, canary: Canary, changes: dict[str, Any], place: str, message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        connect(changes)
    places = [
        ".".join(to_camel(part) if "_" in part else part for part in problem.path)
        for problem in caught.value.problems
    ]
    assert any(place in each for each in places)
    canary.check(caught.value)


def test_all_mistakes_are_told_at_once(connect: Connect) -> None:
    with pytest.raises(ConfigurationError) as caught:
        connect({"issuer": "x", "noncePolicy": "x", "authRequestOptionalConfig": {"maxAge": "x"}, "y": 1})
    assert len(caught.value.problems) == 4


def test_snake_case_says_the_same(connect: Connect) -> None:
    connector = connect(
        {
            "auth_request_optional_config": {"max_age": 5},
            "id_token_verification_config": {"clock_tolerance": "5s"},
        }
    )
    assert (connector.max_age, connector.leeway) == (5, 5.0)


def test_a_configuration_shows_no_secret(connect: Connect, canary: Canary) -> None:
    connector = connect({"authRequestOptionalConfig": {"idTokenHint": "canary-hint"}})
    canary.check(connector, connector.config, connector.config.model_dump_json())


@pytest.mark.parametrize("rotation", ["none", "overlap", "strict", "grace:30"])
def test_what_becomes_of_a_used_refresh_token_is_said_by_the_configuration(
    connect: Connect, rotation: str
) -> None:
    plain, told = connect(), connect({"rotation": rotation, "revocation": "grant"})
    assert (plain.rotation, plain.revocation) == ("strict", "token")
    assert (told.rotation, told.revocation) == (rotation, "grant")
    grace = 30.0 if rotation == "grace:30" else 0.0
    assert Rotation.read(told.rotation) == Rotation(rotation.partition(":")[0], grace)
    assert urls_of(plain) == urls_of(told), "grants live on when it is corrected"


@pytest.mark.parametrize(
    "changes", [{"rotation": "grace"}, {"rotation": "grace:0"}, {"rotation": "often"}, {"revocation": "all"}]
)
def test_a_word_for_it_that_nobody_knows_is_refused(connect: Connect, changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(changes))):
        connect(changes)
