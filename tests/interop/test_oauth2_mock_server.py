"""Against npm `oauth2-mock-server`: algorithms beyond its metadata, a public client, odd scopes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors_core.errors import IdTokenRejected
from connectors_core.testing.provider import SigningKey
from connectors_core.testing.provider.keys import read_compact
from tests.interop.conftest import node_server

ALGORITHMS = ("RS384", "RS512", "PS384", "PS512", "ES384", "ES512", "EdDSA")
EXPECTED = {"algorithms": list(ALGORITHMS)}
KEYS = [SigningKey.make(alg, kid=alg).private_jwk() for alg in ALGORITHMS]


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with node_server("oauth2_mock_server.mjs", "oauth2-mock-server", {"keys": KEYS}) as issuer:
        yield issuer


async def test_id_tokens_of_every_key_are_verified(issuer, open_hub, sign_in):
    seen = set()
    async with open_hub(issuer=issuer, clientId="any", idTokenVerificationConfig=EXPECTED) as hub:
        for _ in range(2 * len(ALGORITHMS)):
            completed = await sign_in(hub)
            assert completed.identity.subject == "johndoe"
            seen.add(read_compact(completed.tokens.id_token)[0]["alg"])
    assert seen == set(ALGORITHMS)


async def test_an_algorithm_that_was_not_configured_is_refused(issuer, open_hub, sign_in):
    async with open_hub(
        issuer=issuer, clientId="any", idTokenVerificationConfig={"algorithms": ["ES256"]}
    ) as hub:
        with pytest.raises(IdTokenRejected, match="alg"):
            await sign_in(hub)


async def test_userinfo_alone_with_an_unverified_address(issuer, open_hub, sign_in):
    async with open_hub(
        issuer=issuer, clientId="any", idTokenVerificationConfig=EXPECTED, claimsSource="userinfo"
    ) as hub:
        profile = (await sign_in(hub)).profile
        assert (profile.id, profile.name) == ("johndoe", "John Doe")
        assert (profile.email, profile.email_verified) == ("john@example.test", False)


async def test_scopes_other_than_asked_are_reported_as_granted(issuer, open_hub, sign_in):
    async with open_hub(issuer=issuer, clientId="any", idTokenVerificationConfig=EXPECTED) as hub:
        tokens = (await sign_in(hub)).tokens
        assert tokens.scopes == {"dummy"}
        assert "openid" in tokens.requested
