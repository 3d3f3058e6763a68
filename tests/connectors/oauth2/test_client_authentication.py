from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from connectors_oauth2 import OAuth2
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from connectors_core.testing.provider import Provider, SigningKey

from .conftest import ENDPOINTS

Connect = Callable[..., OAuth2]
SignIn = Callable[..., Any]
ISSUER = "https://provider.test"


def assertion(server: Provider) -> tuple[dict[str, Any], dict[str, Any]]:
    parts = server.requests.last("token").parameters["client_assertion"].split(".")[:2]
    header, claims = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in parts)
    return header, claims


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_a_secret_is_sent_as_configured(
    connect: Connect, sign_in: SignIn, server: Provider, method: str
):
    connect({"tokenEndpointAuthMethod": method})
    server.register("client-1", method=method)
    await sign_in()
    assert server.requests.last("token").client_authentication == method


async def test_typed_in_endpoints_get_it_in_the_body(connect: Connect, sign_in: SignIn, server: Provider):
    connect()
    await sign_in()
    assert server.requests.last("token").client_authentication == "client_secret_post"


@pytest.mark.parametrize("encoded", [True, False])
async def test_basic_credentials_are_encoded_unless_configured(
    connect: Connect, sign_in: SignIn, server: Provider, encoded: bool
):
    server.basic_encoded = encoded
    secret = "not:a real%secret+of+mine"
    server.register("client-1", secret=secret)
    config = {"clientSecret": secret, "tokenEndpointAuthMethod": "client_secret_basic"}
    connector = connect({**config, "encodeBasicCredentials": encoded})
    assert (await sign_in()).profile.id == "4711"
    names = [relaxation.name for relaxation in connector.relaxations()]
    assert names == ([] if encoded else ["basic_credentials_unencoded"])


async def test_a_public_client_sends_its_id_alone(connect: Connect, sign_in: SignIn, server: Provider):
    server.register("client-1", method="none")
    connect({"clientSecret": ..., "tokenEndpointAuthMethod": "none"})
    await sign_in()
    assert server.requests.last("token").client_authentication == "none"


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
async def test_a_secret_signs_an_assertion(
    connect: Connect, sign_in: SignIn, server: Provider, algorithm: str
):
    server.register("client-1", method="client_secret_jwt")
    jwt = {"tokenEndpointAuthMethod": "client_secret_jwt", "clientSecretJwtSigningAlgorithm": algorithm}
    connect({**jwt, "issuer": ISSUER})
    await sign_in()
    header, claims = assertion(server)
    assert (header["alg"], claims["aud"]) == (algorithm, ISSUER)


@pytest.mark.parametrize("form", ["jwk", "pem"])
async def test_a_private_key_signs_an_assertion(
    connect: Connect, sign_in: SignIn, server: Provider, form: str
):
    key = SigningKey.make("ES256", kid="ours")
    pem = key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    text = json.dumps(key.private_jwk()) if form == "jwk" else pem
    server.register("client-1", method="private_key_jwt", key=key)
    more = {"privateKeyId": "named"} if form == "pem" else {}
    connect({"clientSecret": ..., "privateKey": text, "issuer": ISSUER, **more})
    await sign_in()
    assert server.requests.last("token").client_authentication == "private_key_jwt"
    assert assertion(server)[0]["kid"] == ("named" if more else "ours")


async def test_the_algorithm_of_a_private_key_is_as_configured(
    connect: Connect, sign_in: SignIn, server: Provider
):
    key = SigningKey.make("PS256", kid="ours")
    server.register("client-1", method="private_key_jwt", key=key)
    jwk = {name: value for name, value in key.private_jwk().items() if name != "alg"}
    connect(
        {
            "privateKey": json.dumps(jwk),
            "privateKeyJwtSigningAlgorithm": "PS256",
            "tokenEndpointAuthMethod": "private_key_jwt",
            "issuer": ISSUER,
        }
    )
    await sign_in()
    assert assertion(server)[0]["alg"] == "PS256"


@pytest.mark.parametrize(
    ("config", "relaxed"),
    [
        ({"issuer": ISSUER, "clientAssertionAudience": "token_endpoint"}, True),
        ({}, False),
    ],
)
async def test_the_token_endpoint_is_the_audience_where_asked_for_or_no_issuer_is_known(
    connect: Connect, sign_in: SignIn, server: Provider, config: dict[str, str], relaxed: bool
):
    server.register("client-1", method="client_secret_jwt", assertion_audience="token_endpoint")
    connector = connect({"tokenEndpointAuthMethod": "client_secret_jwt", **config})
    await sign_in()
    assert assertion(server)[1]["aud"] == ENDPOINTS["tokenEndpoint"]
    assert bool(connector.relaxations()) is relaxed
