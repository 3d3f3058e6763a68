"""Every named case through the real engine: the expected code, our own exceptions, no secret shown."""

import logging
import traceback

import pytest

from connectors_core.errors import ConnectorError
from connectors_core.http import HttpSender
from connectors_core.hub import Hub
from connectors_core.metadata import ConnectorMetadata
from connectors_core.oidc import OIDCConnector
from connectors_core.registry import Registry
from connectors_core.testing.provider import CASES, Client
from connectors_core.testing.scenarios import Actor

UNTIL_THE_DEADLINE = {"token_endpoint.trickle", "token_endpoint.silence"}


class Connector(OIDCConnector):
    id = "tested"
    metadata = ConnectorMetadata(name={"en": "Tested"})
    issuer = "https://provider.test"
    scopes = ("openid", "profile", "email", "offline_access")


@pytest.fixture
async def actor(provider, clock, request):
    registry = Registry()
    registry.register(Connector)
    slow = getattr(request, "param", "") in UNTIL_THE_DEADLINE
    sender = HttpSender(transport=provider.transport(), deadline=0.2 if slow else 10.0)
    config = {"clientId": "client-1", "clientSecret": Client().secret}
    async with Hub(registry, sender=sender, clock=clock) as hub:
        hub.add("tested", type="tested", config=config)
        hub.add("other", type="tested", target="other", config=config)
        yield Actor(hub=hub, provider=provider, advance=clock.advance)


async def test_a_sign_in_goes_well_without_deviations(actor):
    completed = await actor.sign_in()
    assert completed.profile.email == "alice@example.test"
    assert completed.profile.email_verified is True
    assert completed.identity.subject == "alice-1"
    assert actor.provider.requests.count("token") == 1
    assert actor.provider.requests.count("userinfo") == 0


@pytest.mark.parametrize(
    ("name", "actor"), [(name, name) for name in CASES], indirect=["actor"], ids=list(CASES)
)
async def test_case(name, actor, caplog):
    case = CASES[name]
    caplog.set_level(logging.DEBUG)
    error = None
    try:
        await actor.meet(case)
    except ConnectorError as raised:
        error = raised
    told = "".join(traceback.format_exception(error)) if error else ""
    assert (error.code if error else None) == case.expected, told
    shown = [told, repr(error), repr(vars(error)) if error else "", caplog.text]
    leaked = [secret for secret in actor.held() if any(secret in text for text in shown)]
    assert not leaked
    assert actor.provider.requests.count("token") <= 2, "no code is sent twice"
    codes = [r.parameters["code"] for r in actor.provider.requests.of("token") if "code" in r.parameters]
    assert len(codes) == len(set(codes))
