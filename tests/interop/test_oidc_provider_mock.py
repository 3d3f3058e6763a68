"""Against PyPI `oidc-provider-mock`, written in Python on Authlib and Flask: the demo's provider."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from connectors_core.errors import AccessDenied, InvalidGrant, InvalidTokenResponse, TokenEndpointError
from tests.interop.conftest import REDIRECT_URI, python_server

SERVER = """
import json, logging, oidc_provider_mock
from werkzeug.serving import make_server
logging.getLogger("werkzeug").setLevel(logging.ERROR)
app = oidc_provider_mock.app(require_client_registration=True, require_nonce=True)
server = make_server("127.0.0.1", 0, app, threaded=True)
print(json.dumps({"issuer": f"http://localhost:{server.port}"}), flush=True)
server.serve_forever()
"""


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with python_server("oidc_provider_mock", SERVER) as issuer:
        yield issuer


@pytest.fixture
async def registered(issuer, browser):
    """Register a client by RFC 7591 and a person by the provider's own interface."""
    claims = {"name": "Alice Example", "email": "alice@example.test", "email_verified": True}
    await browser.http.put(f"{issuer}/users/alice", json=claims)

    async def register(method: str) -> dict[str, str]:
        asked = {"redirect_uris": [REDIRECT_URI], "token_endpoint_auth_method": method}
        answer = (await browser.http.post(f"{issuer}/oauth2/clients", json=asked)).json()
        return {"issuer": issuer, "clientId": answer["client_id"], "clientSecret": answer["client_secret"]}

    return register


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_a_person_signs_in(registered, open_hub, sign_in, method):
    async with open_hub(**await registered(method), tokenEndpointAuthMethod=method) as hub:
        completed = await sign_in(hub)
        profile = completed.profile
        assert (profile.id, profile.name, profile.email) == ("alice", "Alice Example", "alice@example.test")
        assert profile.email_verified is True


async def test_a_wrong_secret_is_refused(registered, open_hub, sign_in):
    config = await registered("client_secret_basic") | {"clientSecret": "fake-wrong-secret"}
    async with open_hub(**config) as hub:
        with pytest.raises(TokenEndpointError) as refused:
            await sign_in(hub)
    assert refused.value.error == "invalid_client"
    assert "fake-wrong-secret" not in str(refused.value)


async def test_the_person_says_no(registered, open_hub, browser):
    async with open_hub(**await registered("client_secret_basic")) as hub:
        started = await hub.begin("interop", redirect_uri=REDIRECT_URI)
        denied = await browser.http.post(started.uri, data={"action": "deny"})
        landed = httpx.URL(denied.headers["location"]).params
        sent = httpx.URL(started.uri).params
        answer = [*landed.multi_items(), *([] if "state" in landed else [("state", sent["state"])])]
        with pytest.raises(AccessDenied):
            await hub.complete(answer, connector="interop", binding=started.binding)


async def test_tokens_are_refreshed_until_they_are_revoked(issuer, registered, open_hub, sign_in, browser):
    async with open_hub(**await registered("client_secret_basic")) as hub:
        tokens = (await sign_in(hub)).tokens
        connector = hub.connector("interop").connector
        assert (await connector.refresh(tokens)).access_token != tokens.access_token
        await browser.http.post(f"{issuer}/users/alice/revoke-tokens")
        with pytest.raises((InvalidGrant, InvalidTokenResponse)):
            await connector.refresh(tokens)


async def test_a_code_serves_once(registered, open_hub, browser):
    """A stolen code under a fresh state is refused by the provider, and reported as such."""
    async with open_hub(**await registered("client_secret_basic")) as hub:
        started = await hub.begin("interop", redirect_uri=REDIRECT_URI)
        landed = await browser.go(started.uri)
        await hub.complete(landed.parameters, connector="interop", binding=started.binding)
        again = await hub.begin("interop", redirect_uri=REDIRECT_URI)
        state = httpx.URL(again.uri).params["state"]
        replay = [(name, state if name == "state" else value) for name, value in landed.parameters]
        with pytest.raises(InvalidGrant):
            await hub.complete(replay, connector="interop", binding=again.binding)
