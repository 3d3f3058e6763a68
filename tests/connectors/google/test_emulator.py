"""An issuer of one's own in Google's place."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from connectors_core.errors import IdTokenRejected
from connectors_core.hub import Hub
from connectors_core.profile import IdentityKey
from connectors_core.testing.plugin import Clock
from connectors_core.testing.provider import Provider

from .conftest import ISSUER, Connect, Sender, make_google, sign_in


@pytest.fixture
def google(clock: Clock) -> Provider:
    return make_google(clock, "http://localhost:4000")


async def test_another_issuer_is_discovered_and_serves_everything(
    hub: Hub, connect: Connect, google: Provider, sender: Sender
):
    connector = connect({"issuer": google.issuer})
    completed = await sign_in(hub, google)
    assert completed.identity == IdentityKey(google.issuer, "alice-1")
    await connector.revoke(completed.tokens)
    assert all(url.startswith("http://localhost:4000/") for url in sender.urls)
    assert google.requests.count("discovery") == 1


@pytest.mark.parametrize("iss", [ISSUER, "accounts.google.com"])
async def test_it_cannot_speak_for_google(
    hub: Hub, connect: Connect, google: Provider, claiming: Callable[..., None], iss: str
):
    connect({"issuer": google.issuer})
    claiming(iss=iss)
    with pytest.raises(IdTokenRejected) as raised:
        await sign_in(hub, google)
    assert raised.value.claim == "iss"
