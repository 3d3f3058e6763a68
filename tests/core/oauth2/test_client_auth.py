from __future__ import annotations

import json
from base64 import b64decode, b64encode
from urllib.parse import parse_qsl, unquote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from connectors_core.errors import ConfigurationError, ConnectorMisconfigured
from connectors_core.metadata import ServerMetadata
from connectors_core.oauth2 import (
    ClientAuthentication,
    SigningKey,
    choose_auth_method,
    read_signing_key,
    sign_jwt,
)
from connectors_core.oauth2.client_auth import ASSERTION_TYPE

NOW = 1_700_000_000.5
URL = "https://as.example/token"
text = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20)
RSA = RSAKey.generate_key(2048)
P256 = ECKey.generate_key("P-256")
P384 = ECKey.generate_key("P-384")
ED25519 = OKPKey.generate_key("Ed25519")


def client(method, **changes):
    settings = {"client_id": "client", "client_secret": "not-a-real-secret", **changes}
    return ClientAuthentication(method=method, **settings)


def sign(authentication, body="grant_type=x"):
    headers, form = authentication.authenticate(URL, {"Accept": "application/json"}, body, now=NOW)
    assert headers["Accept"] == "application/json"
    return headers, dict(parse_qsl(form, keep_blank_values=True, strict_parsing=True))


@given(client_id=text, client_secret=text)
def test_basic_form_encodes_id_and_secret_first(client_id, client_secret):
    headers, form = sign(client("client_secret_basic", client_id=client_id, client_secret=client_secret))
    pair = b64decode(headers["Authorization"].removeprefix("Basic ")).decode("ascii")
    assert [unquote_plus(part) for part in pair.split(":")] == [client_id, client_secret]
    assert form == {"grant_type": "x"}


def test_basic_is_that_of_rfc_6749_section_2_3_1_for_special_characters():
    headers, _ = sign(client("client_secret_basic", client_id="a:b", client_secret="c d%+&é"))
    assert b64decode(headers["Authorization"][6:]) == b"a%3Ab:c+d%25%2B%26%C3%A9"


def test_basic_without_encoding_sends_id_and_secret_as_they_are():
    headers, _ = sign(client("client_secret_basic", client_secret="a/b+c=", encode_basic=False))
    assert headers["Authorization"] == "Basic " + b64encode(b"client:a/b+c=").decode()


@given(client_id=text, client_secret=text)
def test_post_puts_id_and_secret_into_the_form(client_id, client_secret):
    headers, form = sign(client("client_secret_post", client_id=client_id, client_secret=client_secret))
    assert "Authorization" not in headers
    assert form == {"grant_type": "x", "client_id": client_id, "client_secret": client_secret}


def test_a_public_client_sends_its_id_alone():
    headers, form = sign(client("none"))
    assert "Authorization" not in headers
    assert form == {"grant_type": "x", "client_id": "client"}


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_client_secret_jwt_is_signed_with_the_secret(algorithm):
    secret = "not-a-real-secret-" * 5
    authentication = client(
        "client_secret_jwt", client_secret=secret, secret_algorithm=algorithm, audience="https://as.example"
    )
    _, form = sign(authentication)
    assert form["client_assertion_type"] == ASSERTION_TYPE
    assert form["client_id"] == "client"
    assert "client_secret" not in form
    token = jwt.decode(form["client_assertion"], OctKey.import_key(secret), algorithms=[algorithm])
    jti = token.claims.pop("jti")
    assert len(jti) >= 22
    assert token.header["alg"] == algorithm
    assert token.claims == {
        "iss": "client",
        "sub": "client",
        "aud": "https://as.example",
        "iat": int(NOW),
        "exp": int(NOW) + 60,
    }


def test_a_short_secret_warns_nobody():
    sign(client("client_secret_jwt", client_secret="short"))


def test_every_assertion_is_new():
    authentication = client("client_secret_jwt")
    assert sign(authentication)[1] != sign(authentication)[1]


def test_the_audience_is_the_url_where_no_issuer_is_known():
    _, form = sign(client("client_secret_jwt"))
    claims = jwt.decode(form["client_assertion"], OctKey.import_key("not-a-real-secret")).claims
    assert claims["aud"] == URL


@pytest.mark.parametrize(
    ("key", "algorithm", "expected"),
    [
        (RSA, None, "RS256"),
        (RSA, "PS256", "PS256"),
        (P256, None, "ES256"),
        (P384, None, "ES384"),
        (ED25519, "Ed25519", "Ed25519"),
    ],
)
@pytest.mark.parametrize("form", ["pem", "jwk"])
def test_private_key_jwt_is_signed_with_the_key(key, algorithm, expected, form):
    text = key.as_pem(private=True).decode() if form == "pem" else json.dumps(key.as_dict(private=True))
    signing_key = read_signing_key(text, algorithm=algorithm, kid="k1")
    _, fields = sign(client("private_key_jwt", client_secret=None, signing_key=signing_key))
    token = jwt.decode(fields["client_assertion"], key, algorithms=[expected])
    assert token.header == {"typ": "JWT", "alg": expected, "kid": "k1"}
    assert token.claims["sub"] == "client"


def test_ed25519_signs_as_eddsa_without_a_warning():
    key = read_signing_key(ED25519.as_pem(private=True).decode())
    assert key.algorithm == "EdDSA"
    sign(client("private_key_jwt", signing_key=key))


def test_a_jwk_says_its_own_algorithm_and_kid():
    document = {**RSA.as_dict(private=True), "alg": "PS512", "kid": "mine"}
    key = read_signing_key(json.dumps(document))
    assert (key.algorithm, key.kid) == ("PS512", "mine")


@pytest.mark.parametrize(
    ("name", "text", "algorithm"),
    [
        ("nothing", "", None),
        ("rubbish", "canary", None),
        ("broken PEM", "-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----", None),
        ("a public key", RSA.as_pem(private=False).decode(), None),
        ("a public JWK", json.dumps(P256.as_dict(private=False)), None),
        ("a secret", json.dumps({"kty": "oct", "k": "Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5"}), None),
        ("no key type", '{"k": "canary"}', None),
        ("bad numbers", '{"kty": "RSA", "n": "!", "e": "AQAB", "d": "canary"}', None),
        ("another key's algorithm", P256.as_pem(private=True).decode(), "RS256"),
        ("no signature", RSA.as_pem(private=True).decode(), "none"),
        ("X25519", json.dumps(OKPKey.generate_key("X25519").as_dict(private=True)), None),
    ],
)
def test_not_a_signing_key(name, text, algorithm):
    with pytest.raises(ConfigurationError) as caught:
        read_signing_key(text, algorithm=algorithm, path=("clientAssertionKey",))
    assert caught.value.problems[0].path == ("clientAssertionKey",)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("basic without a secret", {"method": "client_secret_basic", "client_secret": None}),
        ("post with an empty secret", {"method": "client_secret_post", "client_secret": ""}),
        ("an assertion without a secret", {"method": "client_secret_jwt", "client_secret": None}),
        ("an unknown algorithm", {"method": "client_secret_jwt", "secret_algorithm": "none"}),
        ("no signing key", {"method": "private_key_jwt"}),
        ("an unknown method", {"method": "tls_client_auth"}),
    ],
)
def test_a_method_that_cannot_work_is_a_configuration_error(name, settings):
    with pytest.raises(ConfigurationError):
        client(**settings)


def test_a_secret_that_basic_cannot_carry_is_a_configuration_error():
    with pytest.raises(ConfigurationError) as caught:
        sign(client("client_secret_basic", client_secret="canary€", encode_basic=False))
    assert "canary" not in str(caught.value)


def test_its_repr_shows_neither_secret_nor_key():
    key = read_signing_key(P256.as_pem(private=True).decode())
    shown = repr(client("client_secret_basic", client_secret="canary", signing_key=key))
    assert "canary" not in shown
    assert "ECKey" not in shown


LISTED = ("client_secret_post", "client_secret_basic", "private_key_jwt")


@pytest.mark.parametrize(
    ("name", "listed", "discovered", "explicit", "secret", "key", "expected"),
    [
        (
            "explicit wins over the list",
            ("none",),
            True,
            "client_secret_post",
            True,
            False,
            "client_secret_post",
        ),
        ("basic before post", LISTED, True, None, True, False, "client_secret_basic"),
        ("basic before post, typed in", LISTED, False, None, True, False, "client_secret_basic"),
        ("post alone", ("client_secret_post",), True, None, True, False, "client_secret_post"),
        ("silence of a discovered server", None, True, None, True, False, "client_secret_basic"),
        ("endpoints typed in", None, False, None, True, False, "client_secret_post"),
        ("no secret", LISTED, True, None, False, False, "none"),
        ("a key", LISTED, True, None, False, True, "private_key_jwt"),
        ("a key and silence", None, True, None, False, True, "private_key_jwt"),
        ("a key that is not listed", ("client_secret_post",), True, None, True, True, "client_secret_post"),
        ("the assertion at last", ("client_secret_jwt",), True, None, True, False, "client_secret_jwt"),
    ],
)
def test_the_method_chosen(name, listed, discovered, explicit, secret, key, expected):
    server = ServerMetadata(token_endpoint_auth_methods_supported=listed, discovered=discovered)
    assert choose_auth_method(server, explicit=explicit, has_secret=secret, has_signing_key=key) == expected


def test_a_server_that_takes_nothing_we_can_do_is_told():
    server = ServerMetadata(token_endpoint_auth_methods_supported=("tls_client_auth",), discovered=True)
    with pytest.raises(ConnectorMisconfigured):
        choose_auth_method(server, explicit=None, has_secret=True)


def test_a_jwt_of_our_own_is_signed_with_the_key():
    key = ECKey.generate_key("P-256")
    signed = sign_jwt({"iss": "team"}, SigningKey(key, "ES256", "k-1"))
    token = jwt.decode(signed, key, algorithms=["ES256"])
    assert (token.header["kid"], token.claims) == ("k-1", {"iss": "team"})


@pytest.mark.parametrize(("claims", "algorithm"), [({"when": object()}, "ES256"), ({}, "RS256")])
def test_a_jwt_that_cannot_be_signed_is_a_configuration_error(claims, algorithm):
    with pytest.raises(ConfigurationError):
        sign_jwt(claims, SigningKey(ECKey.generate_key("P-256"), algorithm))
