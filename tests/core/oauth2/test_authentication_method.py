"""How a connector authenticates its client: which method it takes, and for whom an assertion is."""

from __future__ import annotations

from base64 import b64decode

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from connectors_core.errors import ConfigurationError
from connectors_core.oauth2 import read_signing_key
from connectors_core.transaction import Callback

from .conftest import DISCOVERED, GRANT, ISSUER, SERVER, TOKENS


async def test_discovery_serves_the_endpoints_and_the_method(make, sender, caches, transaction):
    caches.published[ISSUER] = DISCOVERED
    sender.answers = [httpx.Response(200, json=GRANT)]
    connector = make(server=None, issuer=ISSUER)
    assert (await connector.authorization_uri(transaction())).startswith("https://as.example/authorize?")
    await connector.exchange(Callback(code="c"), transaction())
    header = sender.requests[0].headers["Authorization"]
    assert b64decode(header.removeprefix("Basic ")) == b"client:not-a-real-secret"
    assert "client_secret" not in sender.form()


@pytest.mark.parametrize(
    ("name", "server", "attributes", "secret", "expected"),
    [
        ("typed in", SERVER, {}, "s", "client_secret_post"),
        ("typed in, public", SERVER, {}, None, "none"),
        ("discovered, silent", DISCOVERED, {}, "s", "client_secret_basic"),
        (
            "explicit",
            DISCOVERED,
            {"token_endpoint_auth_method": "client_secret_post"},
            "s",
            "client_secret_post",
        ),
    ],
)
def test_client_authentication(name, server, attributes, secret, expected, make):
    connector = make(config={"client_secret": secret}, server=server, **attributes)
    assert connector.client_authentication(server).method == expected


@pytest.mark.parametrize(
    "method", ["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt"]
)
@pytest.mark.parametrize("server", [SERVER, None])
def test_a_method_without_what_it_needs_is_refused_before_any_request(method, server, make):
    with pytest.raises(ConfigurationError):
        make(config={"client_secret": None}, server=server, issuer=ISSUER, token_endpoint_auth_method=method)


@pytest.mark.parametrize(
    ("audience", "server", "expected"),
    [
        ("issuer", DISCOVERED, ISSUER),
        ("token_endpoint", DISCOVERED, "https://as.example/token"),
        ("issuer", SERVER, "https://as.example/token"),
    ],
)
@pytest.mark.parametrize("method", ["client_secret_jwt", "private_key_jwt"])
async def test_an_assertion_is_for(audience, server, expected, method, make, sender, transaction):
    key = ECKey.generate_key("P-256")
    sender.answers = [httpx.Response(200, json=GRANT)]
    connector = make(
        server=server,
        token_endpoint_auth_method=method,
        client_assertion_audience=audience,
        signing_key=read_signing_key(key.as_pem(private=True).decode()),
    )
    await connector.exchange(Callback(code="c"), transaction())
    verifier = key if method == "private_key_jwt" else OctKey.import_key("not-a-real-secret")
    algorithm = "ES256" if method == "private_key_jwt" else "HS256"
    token = jwt.decode(sender.form()["client_assertion"], verifier, algorithms=[algorithm])
    assert token.claims["aud"] == expected
    assert "client_secret" not in sender.form()


async def test_an_assertion_for_revocation_has_the_audience_of_the_token_endpoint(make, sender):
    sender.answers = [httpx.Response(200)]
    await make(token_endpoint_auth_method="client_secret_jwt").revoke(TOKENS)
    token = jwt.decode(sender.form()["client_assertion"], OctKey.import_key("not-a-real-secret"))
    assert token.claims["aud"] == "https://as.example/token"
