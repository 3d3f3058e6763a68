"""What Facebook does in its own way."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from urllib.parse import parse_qs, urlsplit

import pytest

from connectors_core.errors import InvalidResponse, ReauthorizationRequired, TokenEndpointError
from connectors_core.testing.profiles.facebook import FACEBOOK, GRAPH, LONG_LIVED
from connectors_core.testing.provider import Client, Response
from tests.connectors.facebook.test_conformance import TestFacebook as Kit
from tests.connectors.facebook.test_conformance import TestLongLivedTokens as LongLived

EXCHANGE = f"POST {GRAPH}/oauth/access_token?grant_type=fb_exchange_token"
REFUSED = {"error": {"message": "Invalid token", "type": "OAuthException", "code": 190}}


def play(act, kit=Kit):
    async def played():
        async with kit()._acting() as actor:
            await act(actor, actor.hub.connector("tested").connector)

    asyncio.run(played())


def proof(token):
    return hmac.new(Client().secret.encode(), token.encode(), hashlib.sha256).hexdigest()


def test_scopes_go_with_commas():
    async def act(actor, connector):
        assert parse_qs(urlsplit((await actor.begin()).uri).query)["scope"] == ["public_profile,email"]
        assert (await actor.sign_in()).tokens.scopes == {"public_profile", "email"}

    play(act)


def test_each_call_proves_the_app():
    async def act(actor, connector):
        tokens = (await actor.sign_in()).tokens
        await connector.revoke(tokens)
        asked = [urlsplit(url) for url in actor.emulation.urls[-2:]]
        assert [url.path for url in asked] == ["/v23.0/me", "/v23.0/me/permissions"]
        assert [parse_qs(url.query)["appsecret_proof"] for url in asked] == [[proof(tokens.access_token)]] * 2

    play(act)


def test_no_address_is_verified():
    async def act(actor, connector):
        actor.emulation.unlike = {f"{GRAPH}/me": {**FACEBOOK.person.claims, "verified": True}}
        assert (await actor.sign_in()).profile.email_verified is None

    play(act)


def test_tokens_are_exchanged_for_long_lived_ones_where_configured():
    async def long(actor, connector):
        tokens = (await actor.sign_in()).tokens
        assert tokens.expires_at == actor.provider.clock() + LONG_LIVED
        assert tokens.scopes == {"public_profile", "email"}

    async def short(actor, connector):
        await actor.sign_in()
        assert actor.provider.requests.count("token") == 1

    play(long, LongLived)
    play(short)


def test_a_refused_exchange_is_an_error_without_the_token():
    async def act(actor, connector):
        actor.emulation.responses = {EXCHANGE: Response.json(REFUSED, status=400)}
        with pytest.raises(TokenEndpointError) as raised:
            await actor.sign_in()
        assert raised.value.error_description == "Invalid token"

    play(act, LongLived)


def test_there_is_no_refresh():
    async def act(actor, connector):
        with pytest.raises(ReauthorizationRequired):
            await connector.refresh((await actor.sign_in()).tokens)

    play(act)


def test_a_refused_revocation_is_an_error():
    async def act(actor, connector):
        tokens = (await actor.sign_in()).tokens
        actor.emulation.unlike = {f"DELETE {GRAPH}/me/permissions": Response.json(REFUSED, status=400)}
        with pytest.raises(InvalidResponse):
            await connector.revoke(tokens)

    play(act)
