"""A credential of One Tap or of an app of ours, without a code."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from connectors_core.connector import VerifiesCredential
from connectors_core.errors import IdTokenRejected
from connectors_core.hub import Hub
from connectors_core.oauth2 import BearerApi
from connectors_core.profile import IdentityKey
from connectors_core.testing.provider import Provider

from .conftest import ISSUER, Connect, Sender


async def test_it_is_verified_and_says_who_it_is_without_a_token(
    connect: Connect, google: Provider, sender: Sender
):
    connector = connect()
    tokens = await connector.verify_credential(google.credential(nonce="n-1"), nonce="n-1")
    assert (tokens.access_token, tokens.refresh_token) == ("", None)
    profile = await connector.profile(BearerApi.of(connector, tokens), tokens)
    assert profile.email == "alice@example.test"
    assert connector.identity(profile, tokens) == IdentityKey(ISSUER, "alice-1")
    assert sender.urls == ["https://www.googleapis.com/oauth2/v3/certs"]


async def test_the_bare_issuer_is_the_same_person(
    connect: Connect, google: Provider, claiming: Callable[..., None]
):
    connector = connect()
    claiming(iss="accounts.google.com")
    tokens = await connector.verify_credential(google.credential(nonce="n-1"), nonce="n-1")
    assert (tokens.claims or {})["iss"] == ISSUER


@pytest.mark.parametrize("nonce", [None, "n-2"])
async def test_its_nonce_must_be_the_one_that_was_sent(connect: Connect, google: Provider, nonce: str | None):
    connector = connect()
    with pytest.raises(IdTokenRejected) as raised:
        await connector.verify_credential(google.credential(nonce="n-1"), nonce=nonce)
    assert raised.value.claim == "nonce"


async def test_an_app_of_ours_is_an_audience_when_it_is_listed(hub: Hub, connect: Connect, google: Provider):
    google.register("ios-app")
    credential = google.credential("ios-app", nonce="n-1")
    unlisted = connect()
    with pytest.raises(IdTokenRejected) as raised:
        await unlisted.verify_credential(credential, nonce="n-1")
    assert raised.value.claim == "aud"
    config = {"clientId": "client-1", "clientSecret": "s", "additionalAudiences": ["ios-app"]}
    listed = hub.add("apps", type="google", target="apps", config=config).connector
    assert isinstance(listed, VerifiesCredential)
    assert (await listed.verify_credential(credential, nonce="n-1")).claims


async def test_another_apps_azp_is_refused(connect: Connect, google: Provider, claiming: Callable[..., None]):
    connector = connect()
    claiming(azp="somebody-elses-app")
    with pytest.raises(IdTokenRejected):
        await connector.verify_credential(google.credential(nonce="n-1"), nonce="n-1")
