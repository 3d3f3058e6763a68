"""npm `oidc-provider`, rotation always, reuse ends the grant: 200 callers in 4 processes, one refresh."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.refresh_storm import Workers
from benchmarks.storm_worker import keep, open_vault
from connectors_core.errors import InvalidGrant
from connectors_core.storage.migrations import upgrade
from connectors_core.testing.provider import SigningKey
from tests.interop.conftest import REDIRECT_URI, node_server

SECRET = "fake secret of the storm, 64 bytes or more, as the provider wants it ......"
CLIENT = {
    "client_id": "client-1",
    "client_secret": SECRET,
    "token_endpoint_auth_method": "client_secret_basic",
    "redirect_uris": [REDIRECT_URI],
    "grant_types": ["authorization_code", "refresh_token"],
}


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    keys = [SigningKey.make("RS256", kid="RS256-0").private_jwk()]
    with node_server(
        "oidc_provider_server.mjs", "oidc-provider", {"clients": [CLIENT], "keys": keys}
    ) as issuer:
        yield issuer


async def test_two_hundred_callers_send_one_refresh_and_the_grant_lives(
    issuer: str, open_hub: Any, sign_in: Any, tmp_path: Path
) -> None:
    config = {"client_id": "client-1", "client_secret": SECRET}
    async with open_hub(issuer=issuer, scope="openid offline_access", **config) as hub:
        tokens = (await sign_in(hub)).tokens
        connector = hub.connector("interop").connector
        endpoint = (await connector.server_metadata()).token_endpoint
        upgrade(url := f"sqlite:///{tmp_path / 'storm.db'}")
        database, vault = await open_vault(url)
        await keep(database, vault, "identity-1", replace(tokens, expires_at=1.0))
        order = {
            "identity": "identity-1",
            "endpoint": endpoint,
            "rotation": "strict",
            "lease": 15.0,
            "deadline": 10.0,
            "patience": 20.0,
            "seconds": 0.0,
            "callers": 50,
            "min_ttl": 0.0,
            "config": config,
        }
        workers = Workers(url)
        try:
            await workers.fill()
            tallies = await workers.run(order)
        finally:
            await workers.stop()
        assert [tally["calls"] for tally in tallies] == [50] * 4
        assert not any(tally["failed"] or tally["dead"] or tally["expired"] for tally in tallies)
        assert sum(tally["sent"] for tally in tallies) == 1

        stored = await vault.open("default", "identity-1")
        await database.aclose()
        assert stored is not None
        assert stored.state.generation == 2
        assert stored.tokens.refresh_token not in (None, tokens.refresh_token)
        assert await connector.refresh(stored.tokens), "the grant is alive"
        with pytest.raises(InvalidGrant):
            await connector.refresh(tokens)
