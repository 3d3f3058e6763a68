"""Against PyPI `django-oauth-toolkit`, on oauthlib and Django: plain OAuth 2.0 and OpenID Connect."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from connectors_core.errors import InvalidGrant
from connectors_core.metadata import ConnectorMetadata, ServerMetadata
from connectors_core.oauth2 import OAuth2Config, OAuth2Connector, ProfileMap
from connectors_core.testing.provider.keys import private_key
from tests.interop.conftest import REDIRECT_URI, cannot, running

SECRET = "fake secret+with%every:kind/of~character=! of more than 32 bytes"


class PlainConfig(OAuth2Config):
    issuer: str
    token_endpoint_auth_method: str | None = None


class Plain(OAuth2Connector):
    """Plain OAuth 2.0 with endpoints typed in and a profile of its own shape."""

    id = "plain"
    metadata = ConnectorMetadata(name={"en": "Plain"})
    Config = PlainConfig
    config: PlainConfig
    scopes = ("read",)
    profile_map = ProfileMap(id="id", name="login", email="contact.emails[0]")

    def configured(self) -> Mapping[str, Any]:
        base = self.config.issuer
        server = ServerMetadata(
            authorization_endpoint=f"{base}/authorize/",
            token_endpoint=f"{base}/token/",
            revocation_endpoint=f"{base}/revoke_token/",
            userinfo_endpoint=f"{base.removesuffix('/o')}/me",
        )
        return {"server": server, "token_endpoint_auth_method": self.config.token_endpoint_auth_method}


def client(client_id: str, **more: Any) -> dict[str, Any]:
    return {
        "client_id": client_id,
        "client_secret": SECRET,
        "client_type": "confidential",
        "authorization_grant_type": "authorization-code",
        "redirect_uris": REDIRECT_URI,
        "algorithm": "RS256",
        **more,
    }


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    if importlib.util.find_spec("oauth2_provider") is None:
        cannot("needs the Python package django-oauth-toolkit: pip install django-oauth-toolkit")
    pem = private_key("RSA").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    clients = [
        client("confidential"),
        client("public", client_type="public", client_secret=""),
        client("symmetric", algorithm="HS256", hash_client_secret=False),
    ]
    configuration = json.dumps({"clients": clients, "rsa_key": pem.decode()})
    with running([sys.executable, "django_oauth_toolkit_server.py", configuration]) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, "the server did not start"
        yield json.loads(line)["issuer"]


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", None])
async def test_plain_oauth_with_endpoints_typed_in(issuer, open_hub, sign_in, method):
    async with open_hub(
        Plain, issuer=issuer, clientId="confidential", clientSecret=SECRET, tokenEndpointAuthMethod=method
    ) as hub:
        completed = await sign_in(hub)
        profile = completed.profile
        assert (profile.id, profile.name, profile.email) == ("1", "alice", "a@example.test")
        assert profile.email_verified is None
        assert completed.identity.issuer == "urn:connectors:interop"
        assert completed.tokens.claims is None


async def test_a_public_client_of_plain_oauth(issuer, open_hub, sign_in):
    async with open_hub(Plain, issuer=issuer, clientId="public", tokenEndpointAuthMethod="none") as hub:
        assert (await sign_in(hub)).profile.id == "1"


async def test_openid_connect_with_an_issuer_that_has_a_path(issuer, open_hub, sign_in):
    async with open_hub(issuer=issuer, clientId="confidential", clientSecret=SECRET) as hub:
        completed = await sign_in(hub)
        assert completed.identity.issuer == issuer
        assert completed.profile.email == "alice@example.test"
        assert completed.profile.email_verified is True


async def test_an_id_token_signed_with_the_secret(issuer, open_hub, sign_in):
    async with open_hub(
        issuer=issuer,
        clientId="symmetric",
        clientSecret=SECRET,
        idTokenVerificationConfig={"algorithms": ["HS256"]},
    ) as hub:
        assert (await sign_in(hub)).profile.id == "1"


async def test_refresh_tokens_rotate_and_reuse_ends_the_family(issuer, open_hub, sign_in):
    async with open_hub(Plain, issuer=issuer, clientId="confidential", clientSecret=SECRET) as hub:
        first = (await sign_in(hub)).tokens
        connector = hub.connector("interop").connector
        second = await connector.refresh(first)
        assert second.refresh_token not in (None, first.refresh_token)
        for dead in (first, second):
            with pytest.raises(InvalidGrant):
                await connector.refresh(dead)


async def test_revocation(issuer, open_hub, sign_in):
    async with open_hub(Plain, issuer=issuer, clientId="confidential", clientSecret=SECRET) as hub:
        tokens = (await sign_in(hub)).tokens
        connector = hub.connector("interop").connector
        await connector.revoke(tokens)
        with pytest.raises(InvalidGrant):
            await connector.refresh(tokens)
