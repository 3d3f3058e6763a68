"""Against npm `oidc-provider`, a certified implementation in JavaScript: the core of Logto."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from connectors_core.errors import AccessDenied, InvalidGrant, LoginRequired
from connectors_core.testing.provider import SigningKey
from connectors_core.testing.provider.keys import read_compact
from tests.interop.conftest import REDIRECT_URI, node_server

SECRET = "fake secret+with%every:kind/of~character=! of 64 bytes or more ........."
ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")


def key(algorithm: str, *, number: int = 0) -> SigningKey:
    return SigningKey.make(algorithm, kid=f"{algorithm}-{number}", number=number)


def client(client_id: str, method: str, **more: Any) -> dict[str, Any]:
    secret = {} if method in ("none", "private_key_jwt") else {"client_secret": SECRET}
    return {
        "client_id": client_id,
        "token_endpoint_auth_method": method,
        "redirect_uris": [REDIRECT_URI],
        "post_logout_redirect_uris": ["http://127.0.0.1:9/bye"],
        "grant_types": ["authorization_code", "refresh_token"],
        **secret,
        **more,
    }


CLIENTS = [
    *(client(m, m) for m in ("client_secret_basic", "client_secret_post", "none")),
    *(
        client(alg, "client_secret_jwt", token_endpoint_auth_signing_alg=alg)
        for alg in ("HS256", "HS384", "HS512")
    ),
    *(
        client(
            f"private-{alg}",
            "private_key_jwt",
            token_endpoint_auth_signing_alg=alg,
            jwks={"keys": [key(alg, number=9).jwk()]},
        )
        for alg in ALGORITHMS
    ),
    *(client(f"id-{alg}", "client_secret_basic", id_token_signed_response_alg=alg) for alg in ALGORITHMS),
    client("id-HS256", "client_secret_basic", id_token_signed_response_alg="HS256"),
]
KEYS = [key(algorithm).private_jwk() for algorithm in ALGORITHMS]


def configuration(path: str = "") -> dict[str, Any]:
    return {"path": path, "clients": CLIENTS, "keys": KEYS}


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with node_server("oidc_provider_server.mjs", "oidc-provider", configuration()) as issuer:
        yield issuer


@pytest.fixture(scope="module")
def issuer_with_path() -> Iterator[str]:
    with node_server("oidc_provider_server.mjs", "oidc-provider", configuration("/tenant/one")) as issuer:
        yield issuer


async def check(hub, sign_in) -> Any:
    completed = await sign_in(hub)
    profile = completed.profile
    assert (profile.id, profile.name) == ("alice", "Alice Example")
    assert (profile.email, profile.email_verified) == ("alice@example.test", True)
    assert completed.identity.issuer == completed.tokens.claims["iss"]
    return completed


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_a_client_authenticates_by_secret(issuer, open_hub, sign_in, method):
    async with open_hub(
        issuer=issuer, clientId=method, clientSecret=SECRET, tokenEndpointAuthMethod=method
    ) as hub:
        await check(hub, sign_in)


async def test_the_method_is_chosen_from_the_metadata(issuer, open_hub, sign_in):
    async with open_hub(issuer=issuer, clientId="client_secret_basic", clientSecret=SECRET) as hub:
        await check(hub, sign_in)


async def test_a_public_client_signs_in_with_pkce_alone(issuer, open_hub, sign_in):
    async with open_hub(issuer=issuer, clientId="none", tokenEndpointAuthMethod="none") as hub:
        await check(hub, sign_in)


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
async def test_a_client_authenticates_by_an_assertion_of_its_secret(issuer, open_hub, sign_in, algorithm):
    async with open_hub(
        issuer=issuer,
        clientId=algorithm,
        clientSecret=SECRET,
        tokenEndpointAuthMethod="client_secret_jwt",
        clientSecretJwtSigningAlgorithm=algorithm,
    ) as hub:
        await check(hub, sign_in)


@pytest.mark.parametrize("audience", ["issuer", "token_endpoint"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_a_client_authenticates_by_an_assertion_of_its_key(
    issuer, open_hub, sign_in, algorithm, audience
):
    async with open_hub(
        issuer=issuer,
        clientId=f"private-{algorithm}",
        tokenEndpointAuthMethod="private_key_jwt",
        privateKey=json.dumps(key(algorithm, number=9).private_jwk()),
        clientAssertionAudience=audience,
    ) as hub:
        await check(hub, sign_in)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_id_tokens_of_each_algorithm_are_verified(issuer, open_hub, sign_in, algorithm):
    async with open_hub(issuer=issuer, clientId=f"id-{algorithm}", clientSecret=SECRET) as hub:
        completed = await check(hub, sign_in)
        assert read_compact(completed.tokens.id_token)[0]["alg"] == algorithm


async def test_an_id_token_signed_with_the_secret_is_verified_where_configured(issuer, open_hub, sign_in):
    async with open_hub(
        issuer=issuer,
        clientId="id-HS256",
        clientSecret=SECRET,
        idTokenVerificationConfig={"algorithms": ["HS256"]},
    ) as hub:
        await check(hub, sign_in)


async def test_form_post_brings_the_answer_in_a_form(issuer, open_hub, browser):
    async with open_hub(
        issuer=issuer,
        clientId="client_secret_basic",
        clientSecret=SECRET,
        authRequestOptionalConfig={"responseMode": "form_post"},
    ) as hub:
        started = await hub.begin("interop", redirect_uri=REDIRECT_URI)
        landed = await browser.go(started.uri)
        assert landed.method == "POST"
        completed = await hub.complete(landed.parameters, connector="interop", binding=started.binding)
        assert completed.profile.id == "alice"


async def test_the_answer_names_its_issuer(issuer, open_hub, browser):
    """RFC 9207: announced in the metadata, and checked."""
    async with open_hub(issuer=issuer, clientId="client_secret_basic", clientSecret=SECRET) as hub:
        started = await hub.begin("interop", redirect_uri=REDIRECT_URI)
        landed = await browser.go(started.uri)
        assert dict(landed.parameters)["iss"] == issuer
        metadata = await hub.connector("interop").connector.server_metadata()
        assert metadata.authorization_response_iss_parameter_supported


async def test_an_issuer_with_a_path(issuer_with_path, open_hub, sign_in):
    assert issuer_with_path.endswith("/tenant/one")
    async with open_hub(issuer=issuer_with_path, clientId="client_secret_basic", clientSecret=SECRET) as hub:
        completed = await check(hub, sign_in)
        assert completed.identity.issuer == issuer_with_path


async def test_keys_rotate_between_two_sign_ins(issuer_with_path, open_hub, sign_in):
    async with open_hub(issuer=issuer_with_path, clientId="client_secret_basic", clientSecret=SECRET) as hub:
        await check(hub, sign_in)
        rotated = [key(algorithm, number=1).private_jwk() for algorithm in ALGORITHMS]
        origin = issuer_with_path.removesuffix("/tenant/one")
        async with httpx.AsyncClient() as http:
            await http.post(f"{origin}/control/keys", json={"keys": rotated})
        await check(hub, sign_in)


async def test_tokens_are_refreshed_rotated_and_revoked(issuer, open_hub, sign_in):
    async with open_hub(
        issuer=issuer,
        clientId="client_secret_basic",
        clientSecret=SECRET,
        scope="openid email offline_access",
    ) as hub:
        first = (await sign_in(hub)).tokens
        connector = hub.connector("interop").connector
        second = await connector.refresh(first)
        assert second.refresh_token not in (None, first.refresh_token)
        assert second.claims["sub"] == first.claims["sub"]
        await connector.revoke(second)
        with pytest.raises(InvalidGrant):
            await connector.refresh(second)


async def test_reuse_of_a_rotated_refresh_token_ends_the_grant(issuer, open_hub, sign_in):
    async with open_hub(
        issuer=issuer,
        clientId="client_secret_post",
        clientSecret=SECRET,
        tokenEndpointAuthMethod="client_secret_post",
        scope="openid offline_access",
    ) as hub:
        first = (await sign_in(hub)).tokens
        connector = hub.connector("interop").connector
        second = await connector.refresh(first)
        for dead in (first, second):
            with pytest.raises(InvalidGrant):
                await connector.refresh(dead)


async def test_the_person_says_no(issuer, open_hub, browser):
    async with open_hub(issuer=issuer, clientId="client_secret_basic", clientSecret=SECRET) as hub:
        started = await hub.begin("interop", redirect_uri=REDIRECT_URI)
        landed = await browser.go(started.uri, leave_by="/abort")
        with pytest.raises(AccessDenied):
            await hub.complete(landed.parameters, connector="interop", binding=started.binding)


async def test_prompt_none_without_a_session_asks_for_a_login(issuer, open_hub, browser):
    async with open_hub(issuer=issuer, clientId="client_secret_basic", clientSecret=SECRET) as hub:
        started = await hub.begin("interop", redirect_uri=REDIRECT_URI, parameters={"prompt": "none"})
        landed = await browser.go(started.uri)
        with pytest.raises(LoginRequired):
            await hub.complete(landed.parameters, connector="interop", binding=started.binding)


async def test_max_age_brings_auth_time(issuer, open_hub, sign_in):
    async with open_hub(issuer=issuer, clientId="client_secret_basic", clientSecret=SECRET) as hub:
        completed = await sign_in(hub, parameters={"max_age": "600"})
        assert completed.tokens.claims["auth_time"]


async def test_the_provider_ends_its_session_and_sends_the_browser_back(issuer, open_hub, sign_in, browser):
    async with open_hub(issuer=issuer, clientId="client_secret_basic", clientSecret=SECRET) as hub:
        completed = await sign_in(hub)
        uri = await hub.connector("interop").connector.end_session_uri(
            id_token_hint=completed.tokens.id_token,
            post_logout_redirect_uri="http://127.0.0.1:9/bye",
            state="bye-1",
        )
        landed = await browser.go(uri, until="http://127.0.0.1:9/bye")
        assert landed.parameters == [("state", "bye-1")]
