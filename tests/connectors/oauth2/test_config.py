from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest
from connectors_oauth2 import OAuth2ProviderConfig
from connectors_oauth2.config import ProfileMapConfig

from connectors_core.connector import read_config
from connectors_core.errors import ConfigurationError
from connectors_core.testing.provider import SigningKey

from .conftest import ENDPOINTS

SECRET = "not-a-real-secret"
PLAIN = {**ENDPOINTS, "clientId": "client-1", "clientSecret": SECRET}

LOGTO: dict[str, Any] = {
    "authorizationEndpoint": "https://provider.test/authorize",
    "tokenEndpoint": "https://provider.test/token",
    "userInfoEndpoint": "https://provider.test/user",
    "clientId": "client-1",
    "clientSecret": SECRET,
    "tokenEndpointAuthMethod": "client_secret_post",
    "clientSecretJwtSigningAlgorithm": "HS256",
    "tokenEndpointResponseType": "json",
    "responseType": "code",
    "grantType": "authorization_code",
    "scope": "read:user",
    "customConfig": {"prompt": "select_account"},
    "profileMap": {"id": "sub", "avatar": "picture"},
}
"""What Logto stores for its OAuth 2.0 connector."""


def read(**changes: Any) -> OAuth2ProviderConfig:
    data = {name: value for name, value in {**PLAIN, **changes}.items() if value is not ...}
    return read_config(OAuth2ProviderConfig, data)


def problems(**changes: Any) -> dict[str, str]:
    with pytest.raises(ConfigurationError) as raised:
        read(**changes)
    assert SECRET not in str(raised.value)
    return {".".join(problem.path): problem.message for problem in raised.value.problems}


def test_a_configuration_of_logto_pastes_in_unchanged():
    config = read_config(OAuth2ProviderConfig, LOGTO)
    assert config.user_info_endpoint == LOGTO["userInfoEndpoint"]
    assert config.custom_config == LOGTO["customConfig"]
    mapped = config.profile_map.model_dump(include={"id", "name", "avatar", "email", "phone"})
    assert mapped == {
        "id": "sub",
        "name": "name",
        "avatar": "picture",
        "email": "email",
        "phone": "phone",
    }


def test_snake_case_is_read_too():
    snake = {
        "authorization_endpoint": "https://a.example/authorize",
        "token_endpoint": "https://a.example/token",
        "user_info_endpoint": "https://a.example/me",
        "client_id": "client-1",
        "profile_map": {"email_verified": "verified"},
    }
    config = read_config(OAuth2ProviderConfig, snake)
    assert config.authorization_endpoint == "https://a.example/authorize"
    assert config.profile_map.email_verified == "verified"


def test_the_guides_other_name_of_the_authorization_endpoint_is_read():
    config = read(authorizationEndpoint=..., authenticationEndpoint="https://a.example/authorize")
    assert config.authorization_endpoint == "https://a.example/authorize"
    assert problems(authenticationEndpoint="https://a.example/authorize") == {
        "authenticationEndpoint": "is not a known key"
    }


def test_endpoints_are_required_without_an_issuer():
    missing = dict.fromkeys(ENDPOINTS, ...)
    told = problems(**missing, clientId=...)
    assert told == {
        "clientId": "is required",
        **dict.fromkeys(ENDPOINTS, "is required, unless issuer is given and publishes it"),
    }
    assert read(**missing, issuer="https://a.example").token_endpoint is None


@pytest.mark.parametrize("field", [*ENDPOINTS, "issuer", "revocationEndpoint"])
@pytest.mark.parametrize(
    "url", ["http://a.example/x", "ftp://a.example", "a.example", "https://u:p@a.example"]
)
def test_an_endpoint_is_an_https_url(field: str, url: str):
    assert problems(**{field: url}).keys() == {field}


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("responseType", "token", "must be code: the other flows"),
        ("responseType", "code id_token", "must be code: the other flows"),
        ("grantType", "implicit", "must be authorization_code: no other grant"),
        ("grantType", "password", "must be authorization_code: no other grant"),
    ],
)
def test_another_flow_is_an_error_that_says_why(field: str, value: str, why: str):
    assert problems(**{field: value})[field].startswith(why)


def test_what_the_connector_sets_itself_cannot_be_customised():
    custom = {"state": "x", "redirect_uri": "x", "client_id": "x", "grant_type": "x", "scope": "x", "p": "ok"}
    told = problems(customConfig=custom)["customConfig"]
    assert all(name in told for name in custom if name != "p")
    assert "set by the connector itself" in told
    assert problems(customConfig={"n": 1}).keys() == {"customConfig.n"}


@pytest.mark.parametrize(
    "method", ["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt"]
)
def test_a_method_needs_what_it_proves(method: str):
    told = problems(tokenEndpointAuthMethod=method, clientSecret=...)
    needed = "privateKey" if method == "private_key_jwt" else "clientSecret"
    assert told == {"tokenEndpointAuthMethod": f"needs {needed}"}


def test_an_empty_client_secret_makes_no_public_client():
    assert problems(clientSecret="").keys() == {"clientSecret"}


def test_an_unknown_method_or_algorithm_is_refused():
    told = problems(
        tokenEndpointAuthMethod="tls_client_auth",
        clientSecretJwtSigningAlgorithm="none",
        tokenEndpointResponseType="xml",
        clientAssertionAudience="anybody",
        scopeSeparator="and",
    )
    assert told.keys() == {
        "tokenEndpointAuthMethod",
        "clientSecretJwtSigningAlgorithm",
        "tokenEndpointResponseType",
        "clientAssertionAudience",
        "scopeSeparator",
    }


def test_a_private_key_must_be_one_and_fit_its_algorithm():
    key = SigningKey.make("ES256", kid="k").private_jwk()
    text = json.dumps(key)
    assert problems(privateKey=SECRET) == {"privateKey": "is not a private key in PEM or JWK form"}
    told = problems(privateKey=text, privateKeyJwtSigningAlgorithm="RS256")
    assert told.keys() == {"privateKeyJwtSigningAlgorithm"}
    assert key["d"] not in str(told)
    assert read(privateKey=text).signing_key() is not None
    assert key["d"] not in repr(read(privateKey=text))


@pytest.mark.parametrize("paths", [{"id": ""}, {"name": "a..b"}, {"email": "a[b]"}, {"mail": "email"}])
def test_a_profile_map_is_made_of_paths(paths: dict[str, str]):
    assert all(name.startswith("profileMap") for name in problems(profileMap=paths))


def test_the_schema_marks_secrets_and_describes_fields():
    properties = OAuth2ProviderConfig.model_json_schema(by_alias=True)["properties"]
    assert {"authorizationEndpoint", "tokenEndpoint", "userInfoEndpoint", "profileMap"} <= properties.keys()
    for name in ("clientSecret", "privateKey"):
        assert any(kind.get("writeOnly") for kind in properties[name]["anyOf"])
    fields = OAuth2ProviderConfig.model_fields
    assert all(fields[name].description for name in fields.keys() - {"profile_map"})


def test_every_field_stands_in_the_guide():
    guide = files("connectors_oauth2").joinpath("README.md").read_text()
    rows = " ".join(line.split("|")[1] for line in guide.splitlines() if line.startswith("| `"))
    mapped = [f".{field.alias}" for field in ProfileMapConfig.model_fields.values()]
    own = [str(field.alias) for name, field in OAuth2ProviderConfig.model_fields.items()]
    names = [name for name in (*own, *mapped) if name != "profileMap"]
    assert not [name for name in names if f"{name}`" not in rows]
