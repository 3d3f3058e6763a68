"""Who signed in with Google, and what is not taken for Google's word."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from connectors_core.errors import IdTokenRejected, IssuerMismatch, ScopeRequired
from connectors_core.hub import Hub
from connectors_core.profile import IdentityKey
from connectors_core.testing.provider import Client, Provider, case

from .conftest import CALENDAR, CALLBACK, EMAIL, ISSUER, PROFILE, Connect, Sender, sign_in, visit


async def test_it_ends_with_the_profile_and_googles_issuer(
    hub: Hub, connect: Connect, google: Provider, sender: Sender
):
    connect({"offlineAccess": True})
    completed = await sign_in(hub, google)
    assert completed.identity == IdentityKey(ISSUER, "alice-1")
    profile = completed.profile
    assert (profile.name, profile.email, profile.email_verified) == (
        "Alice Example",
        "alice@example.test",
        True,
    )
    assert profile.avatar == "https://provider.test/alice.png"
    assert completed.tokens.refresh_token
    assert sender.urls == [
        "https://oauth2.googleapis.com/token",
        "https://www.googleapis.com/oauth2/v3/certs",
    ]


async def test_the_secret_goes_into_the_body(hub: Hub, connect: Connect, google: Provider):
    connect()
    await sign_in(hub, google)
    assert google.requests.last("token").client_authentication == "client_secret_post"


@pytest.mark.parametrize("iss", [ISSUER, "accounts.google.com"])
async def test_both_spellings_of_the_issuer_are_one_identity(
    hub: Hub, connect: Connect, google: Provider, claiming: Callable[..., None], iss: str
):
    connect()
    claiming(iss=iss)
    completed = await sign_in(hub, google)
    assert completed.identity == IdentityKey(ISSUER, "alice-1")
    assert (completed.tokens.claims or {})["iss"] == ISSUER


@pytest.mark.parametrize("iss", ["http://accounts.google.com", f"{ISSUER}/", "https://accounts.google.evil"])
async def test_no_other_issuer_is_accepted(
    hub: Hub, connect: Connect, google: Provider, claiming: Callable[..., None], iss: str
):
    connect()
    claiming(iss=iss)
    with pytest.raises(IdTokenRejected) as raised:
        await sign_in(hub, google)
    assert raised.value.claim == "iss"


async def test_another_iss_in_the_callback_stops_it_before_the_code_is_sent(
    hub: Hub, connect: Connect, google: Provider
):
    connect()
    started = await hub.begin("google", redirect_uri=CALLBACK)
    landing = await visit(google, started.uri)
    assert ("iss", ISSUER) in landing.parameters
    swapped = [(n, "https://other.example" if n == "iss" else v) for n, v in landing.parameters]
    with pytest.raises(IssuerMismatch):
        await hub.complete(swapped, connector="google", binding=started.binding)
    assert google.requests.count("token") == 0


async def test_a_callback_without_iss_is_good(hub: Hub, connect: Connect, google: Provider):
    connect()
    google.callback_iss = "off"
    assert (await sign_in(hub, google)).profile.id == "alice-1"


async def test_userinfo_fills_in_what_a_scope_in_its_long_spelling_promises(
    hub: Hub, connect: Connect, google: Provider
):
    connect()
    google.claims_in_id_token = False

    def in_long(token: dict[str, Any], _: Provider) -> dict[str, Any]:
        return {**token, "scope": f"openid {EMAIL} {PROFILE}"}

    google.active.append(case("long", "a test", "scope", None, token=in_long))
    completed = await sign_in(hub, google)
    assert completed.tokens.scopes == {"openid", EMAIL, PROFILE}, "as Google states them"
    assert completed.profile.email == "alice@example.test"
    assert google.requests.count("userinfo") == 1


async def test_a_token_is_served_in_either_spelling_of_its_scopes(
    hub: Hub, connect: Connect, google: Provider
):
    config = {"clientId": "client-1", "clientSecret": Client().secret, "scope": "openid email profile"}
    hub.add("google", config=config, token_storage=True)

    def in_long(token: dict[str, Any], _: Provider) -> dict[str, Any]:
        return {**token, "scope": f"openid {EMAIL} {PROFILE}"}

    google.active.append(case("long", "a test", "scope", None, token=in_long))
    await hub.link(await sign_in(hub, google), owner="user-1")
    for scopes in ("email profile", f"openid {EMAIL}", PROFILE):
        await hub.access_token("google", owner="user-1", scopes=scopes)
    with pytest.raises(ScopeRequired) as caught:
        await hub.access_token("google", owner="user-1", scopes=f"email {CALENDAR}")
    assert caught.value.missing == {CALENDAR}


async def test_a_sign_in_without_these_scopes_asks_userinfo_nothing(
    hub: Hub, connect: Connect, google: Provider
):
    connect({"scope": "openid"})
    assert (await sign_in(hub, google)).profile.email is None
    assert google.requests.count("userinfo") == 0


async def test_an_e_mail_address_is_as_verified_as_google_says(
    hub: Hub, connect: Connect, google: Provider, claiming: Callable[..., None]
):
    connect()
    claiming(email_verified=False)
    assert (await sign_in(hub, google)).profile.email_verified is False


async def test_a_sign_in_shows_no_secret(
    hub: Hub, connect: Connect, google: Provider, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    connector = connect({"offlineAccess": True})
    completed = await sign_in(hub, google)
    shown = " ".join((caplog.text, repr(completed), repr(connector), repr(connector.config)))
    assert not [secret for secret in google.secrets() if secret in shown]
