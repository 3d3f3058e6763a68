"""The connector at Google as its profile plays it: scopes, consent, revocation in Google's own way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from connectors_google import Google

from connectors_core.flow import Completed
from connectors_core.http import HttpSender
from connectors_core.hub import Hub
from connectors_core.profile import Profile
from connectors_core.registry import Registry
from connectors_core.testing.plugin import Clock
from connectors_core.testing.profiles import profile
from connectors_core.testing.profiles.google import GOOGLE, LONG, SCOPES
from connectors_core.testing.provider import Client, Provider
from connectors_core.transaction import Purpose

CALLBACK = "https://host.test/callback"
CALENDAR = f"{SCOPES}calendar.readonly"
SIGN_IN = {"openid", *LONG.values()}


@pytest.fixture
def google(clock: Clock) -> Provider:
    return profile("google").provider(clock=clock)


@pytest.fixture
async def hub(google: Provider, clock: Clock) -> AsyncIterator[Hub]:
    registry = Registry()
    registry.register(Google)
    async with Hub(registry, sender=HttpSender(transport=google.transport()), clock=clock) as hub:
        yield hub


@pytest.fixture
def connect(hub: Hub) -> Callable[..., Google]:
    def connect(**changes: Any) -> Google:
        config = {"clientId": "client-1", "clientSecret": Client().secret, "offlineAccess": True, **changes}
        connector = hub.add("google", config=config).connector
        assert isinstance(connector, Google)
        return connector

    return connect


async def sign_in(hub: Hub, google: Provider, **asked: Any) -> Completed:
    started = await hub.begin("google", redirect_uri=CALLBACK, **asked)
    landing = await google.visit(started.uri)
    owner = asked.get("owner")
    return await hub.complete(landing.query, connector="google", binding=started.binding, owner=owner)


async def more(hub: Hub, google: Provider, *scopes: str) -> Completed:
    return await sign_in(hub, google, scopes=scopes, purpose=Purpose.TOKENS, owner="user:1")


async def test_a_sign_in_reads_the_profile(hub: Hub, google: Provider, connect: Callable[..., Google]):
    connect()
    completed = await sign_in(hub, google)
    claims: Mapping[str, Any] = GOOGLE.person.claims
    assert completed.profile == Profile(
        id=GOOGLE.person.sub,
        name=claims["name"],
        avatar=claims["picture"],
        email=claims["email"],
        email_verified=True,
        raw=completed.profile.raw,
    )
    assert completed.tokens.scopes == SIGN_IN


async def test_a_refresh_token_comes_with_the_first_consent_and_with_one_that_is_asked_for(
    hub: Hub, google: Provider, connect: Callable[..., Google]
):
    connect()
    given = [(await sign_in(hub, google)).tokens.refresh_token is not None for _ in range(2)]
    assert given == [True, False]
    assert (await sign_in(hub, google, refresh_token_stored=False)).tokens.refresh_token
    assert not (await sign_in(hub, google, refresh_token_stored=True)).tokens.refresh_token


async def test_no_refresh_token_comes_unless_it_is_asked_for(
    hub: Hub, google: Provider, connect: Callable[..., Google]
):
    connect(offlineAccess=False)
    assert (await sign_in(hub, google)).tokens.refresh_token is None


async def test_a_refresh_keeps_its_token_and_reads_scopes_in_either_spelling(
    hub: Hub, google: Provider, connect: Callable[..., Google]
):
    connector = connect()
    tokens = (await sign_in(hub, google)).tokens
    renewed = await connector.refresh(tokens)
    assert (renewed.refresh_token, renewed.scopes) == (None, SIGN_IN)
    assert (await connector.refresh(tokens, scopes=[LONG["email"]])).scopes == {LONG["email"]}


async def test_more_scope_covers_what_was_granted_before(
    hub: Hub, google: Provider, connect: Callable[..., Google]
):
    connect(scope="openid email")
    await sign_in(hub, google)
    completed = await more(hub, google, CALENDAR)
    assert completed.tokens.scopes == {"openid", LONG["email"], CALENDAR}
    assert completed.tokens.refresh_token, "new scopes are consented to"


async def test_an_unticked_scope_is_told_by_the_answer(
    hub: Hub, google: Provider, connect: Callable[..., Google]
):
    connector = connect()
    google.refused_scopes = frozenset({CALENDAR, "email"})
    completed = await more(hub, google, CALENDAR)
    assert connector.missing_scopes({"email", CALENDAR}, completed.tokens.scopes) == {CALENDAR}


async def test_an_unknown_scope_ends_on_a_page(hub: Hub, google: Provider, connect: Callable[..., Google]):
    connect(scope="openid no-such-scope")
    started = await hub.begin("google", redirect_uri=CALLBACK)
    with pytest.raises(LookupError, match="invalid_scope"):
        await google.visit(started.uri)


async def test_revoking_one_token_ends_every_grant(
    hub: Hub, google: Provider, connect: Callable[..., Google]
):
    connector = connect()
    first, second = (await sign_in(hub, google)).tokens, (await sign_in(hub, google)).tokens
    await connector.revoke(second)
    assert all(grant.revoked for grant in google.ledger.grants)
    await connector.revoke(first)
    assert [sent.status for sent in google.requests.of("revoke")] == [200, 400]
    assert (await sign_in(hub, google)).tokens.refresh_token, "as if for the first time"


@pytest.mark.parametrize("quirk", GOOGLE.sometimes, ids=lambda quirk: quirk.name)
async def test_what_happens_to_some(quirk, hub: Hub, google: Provider, connect: Callable[..., Google]):
    connector = connect()
    for name, value in quirk.settings.items():
        setattr(google, name, value)
    google.active.append(quirk)
    completed = await sign_in(hub, google)
    assert completed.identity.issuer == "https://accounts.google.com"
    assert completed.profile.email_verified is (quirk.name != "google.unverified-address")
    assert (completed.tokens.refresh_expires_at is not None) is (quirk.name == "google.time-based-access")
    await connector.refresh(completed.tokens)


async def test_it_is_a_server_on_a_loopback_port_too(hub: Hub, clock: Clock, google: Provider):
    registry = Registry()
    registry.register(Google)
    async with google.serving() as server, Hub(registry, clock=clock, allow_private_network=True) as other:
        config = {"clientId": "client-1", "clientSecret": Client().secret, "issuer": server.issuer}
        other.add("google", config=config)
        started = await other.begin("google", redirect_uri=CALLBACK)
        async with httpx.AsyncClient() as browser:
            landed = urlsplit((await browser.get(started.uri)).headers["location"])
        completed = await other.complete(landed.query, connector="google", binding=started.binding)
        assert completed.profile.id == GOOGLE.person.sub
        assert dict(parse_qsl(landed.query))["iss"] == server.issuer


async def test_consent_is_remembered_on_pages(google: Provider):
    google.consent = "page"
    uri = google.url("authorize")
    asked = {
        "client_id": "client-1",
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "scope": f"openid email {CALENDAR}",
        "state": "s",
    }
    async with httpx.AsyncClient(transport=google.transport()) as browser:
        page = (await browser.get(uri, params=asked)).text
        assert f'value="{CALENDAR}"' in page
        assert 'value="email"' not in page, "sign-in is not unticked"
        allowed = {**asked, "person": GOOGLE.person.sub, "granted": CALENDAR, "decision": "allow"}
        assert (await browser.post(uri, data=allowed)).status_code == 302
        assert (await browser.get(uri, params=asked)).status_code == 302
        assert (await browser.get(uri, params=asked | {"prompt": "none"})).status_code == 302
        assert (await browser.get(uri, params=asked | {"prompt": "consent"})).status_code == 200
