"""What a configuration hands to the functions beneath."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ... import errors
from ...oauth2 import (
    ClientAuthentication,
    ProfileMap,
    append_query,
    build_code_request,
    build_refresh_request,
    choose_auth_method,
    read_json,
    read_signing_key,
    s256_code_challenge,
    sign_jwt,
)
from ..provider import SigningKey
from .mistake import doing, misuse, table, typed_in


def _secret(**options: Any) -> ClientAuthentication:
    known: Mapping[str, Any] = {"method": "client_secret_basic", "client_id": "c", "client_secret": "fake"}
    return ClientAuthentication(**{**known, **options})


EC = SigningKey.make("ES256", kid="k")
REQUEST: Mapping[str, Any] = {
    "endpoint": "https://a.example/token",
    "authentication": _secret(),
    "now": 0.0,
}
CODE: Mapping[str, Any] = {"code": "c", "redirect_uri": "https://host.test/callback", "code_verifier": None}
OCTETS = json.dumps({"kty": "oct", "k": "ZmFrZS1zZWNyZXQ"})
table(
    "operator",
    errors.ConfigurationError,
    no_key=("gives text for a key", doing(lambda: read_signing_key("not a key"))),
    array_for_key=("gives an array for a key", doing(lambda: read_signing_key("{]"))),
    secret_for_key=("gives a secret for a private key", doing(lambda: read_signing_key(OCTETS))),
    public_key=("gives a public key", doing(lambda: read_signing_key(json.dumps(EC.jwk())))),
    key_of_other_algorithm=(
        "names an algorithm that the key cannot do",
        doing(lambda: read_signing_key(EC.pem(), algorithm="RS256")),
    ),
    unsayable_claims=(
        "signs what is no JSON",
        doing(lambda: sign_jwt({"when": object()}, read_signing_key(EC.pem()))),
    ),
    no_secret=("gives no secret", doing(lambda: _secret(client_secret=None))),
    unsayable_id=(
        "gives half of a character as client id",
        doing(lambda: _secret(client_id="\ud800").authenticate("https://a.example", {}, "", now=0.0)),
    ),
    reserved_token_parameter=(
        "sets the code by a parameter of its own",
        doing(lambda: build_code_request(**REQUEST, **CODE, parameters={"code": "mine"})),
    ),
    reserved_refresh_parameter=(
        "sets the refresh token by a parameter of its own",
        doing(
            lambda: build_refresh_request(
                **REQUEST, refresh_token="fake", scope=None, parameters={"refresh_token": "mine"}
            )
        ),
    ),
    no_path=("maps a profile by what is no path", doing(lambda: ProfileMap(name="a..b"))),
)
misuse("operator.unsayable-code", "redeems half of a character", errors.ConnectorMisconfigured)(
    doing(lambda: build_code_request(**REQUEST, **{**CODE, "code": "\ud800"}))
)
misuse("operator.no-common-method", "has no method that the server takes", errors.ConnectorMisconfigured)(
    doing(
        lambda: choose_auth_method(
            replace(typed_in(), token_endpoint_auth_methods_supported=("tls_client_auth",)),
            explicit=None,
            has_secret=True,
        )
    )
)
table(
    "operator",
    ValueError,
    no_json=("gives JSON that ends early", doing(lambda: read_json(b"{"))),
    half_character=(
        "gives half of a character as a parameter",
        doing(lambda: append_query("https://a.example", {"a": "\ud800"})),
    ),
    verifier=("gives a verifier that is not ASCII", doing(lambda: s256_code_challenge("\xe9" * 43))),
)
