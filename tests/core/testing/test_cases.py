"""Every named case through the real engine: the expected code, our own exceptions, no secret shown."""

import logging
import traceback
from contextlib import asynccontextmanager, nullcontext

import pytest

from connectors_core.errors import ConnectorError, NotSent
from connectors_core.flow import Completed
from connectors_core.http import HttpSender
from connectors_core.hub import Hub
from connectors_core.metadata import ConnectorMetadata
from connectors_core.oidc import OIDCConfig, OIDCConnector
from connectors_core.profile import IdentityKey
from connectors_core.registry import Registry
from connectors_core.testing.grid import SLOW
from connectors_core.testing.provider import CASES, Client, make_tls
from connectors_core.testing.scenarios import Actor

UNTIL_THE_DEADLINE = SLOW


class Config(OIDCConfig):
    issuer: str


class Connector(OIDCConnector):
    id = "tested"
    metadata = ConnectorMetadata(name={"en": "Tested"})
    Config = Config
    config: Config
    scopes = ("openid", "profile", "email", "offline_access")

    def configured(self):
        return {"issuer": self.config.issuer}


@asynccontextmanager
async def acting(provider, clock, *, sockets=False, slow=False):
    registry = Registry()
    registry.register(Connector)
    transport = None if sockets else provider.transport()
    sender = HttpSender(transport=transport, deadline=0.5 if slow else 10.0)
    config = {"clientId": "client-1", "clientSecret": Client().secret, "issuer": provider.issuer}
    async with Hub(registry, sender=sender, clock=clock, allow_private_network=True) as hub:
        hub.add("tested", type="tested", config=config)
        hub.add("other", type="tested", target="other", config=config)
        try:
            yield Actor(hub=hub, provider=provider, advance=clock.advance)
        finally:
            await sender.aclose()


async def meet(actor, case, caplog):
    """Play one case, and hold its outcome against what every case promises."""
    caplog.set_level(logging.DEBUG)
    error, outcome = None, None
    try:
        outcome = await actor.meet(case)
    except ConnectorError as raised:
        error = raised
    told = "".join(traceback.format_exception(error)) if error else ""
    assert (error.code if error else None) == case.expected, told
    if isinstance(outcome, Completed):
        assert outcome.identity == IdentityKey(actor.provider.issuer, "alice-1")
        assert outcome.profile.email == "alice@example.test"
        assert outcome.profile.email_verified is (
            None if case.name == "userinfo.email-verified-text" else True
        )
    shown = [told, repr(error), repr(vars(error)) if error else "", caplog.text]
    assert not [secret for secret in actor.held() if any(secret in text for text in shown)]
    codes = [r.parameters["code"] for r in actor.provider.requests.of("token") if "code" in r.parameters]
    assert len(codes) == len(set(codes)), "a code was sent twice"
    urls = " ".join(r.request.query for r in actor.provider.requests if r.endpoint != "authorize")
    assert not [secret for secret in actor.held() if secret in urls]


async def test_a_sign_in_goes_well_without_deviations(provider, clock):
    async with acting(provider, clock) as actor:
        completed = await actor.sign_in()
    assert completed.profile.email == "alice@example.test"
    assert completed.profile.email_verified is True
    assert completed.identity.subject == "alice-1"


async def test_a_warm_sign_in_is_one_request(provider, clock):
    async with acting(provider, clock) as actor:
        await actor.sign_in()
        provider.requests.clear()
        await actor.sign_in()
    assert [recorded.endpoint for recorded in provider.requests] == ["authorize", "token"]


async def test_a_warm_sign_in_opens_no_connection(provider_server, clock):
    async with acting(provider_server, clock, sockets=True) as actor:
        await actor.sign_in()
        opened = provider_server.server.opened
        await actor.sign_in()
    assert provider_server.server.opened == opened


async def test_over_tls_with_an_authority_of_ones_own(provider, tmp_path):
    context, trusted = make_tls(tmp_path)
    async with provider.serving(tls=context):
        for ca_file, expected in ((str(trusted), None), (None, NotSent)):
            registry = Registry()
            registry.register(Connector)
            sender = HttpSender(ca_file=ca_file)
            config = {"clientId": "client-1", "clientSecret": Client().secret, "issuer": provider.issuer}
            async with Hub(registry, sender=sender, clock=provider.clock) as hub:
                hub.add("tested", type="tested", config=config, private_hosts=["localhost"])
                actor = Actor(hub=hub, provider=provider, advance=lambda seconds: None)
                with pytest.raises(expected) if expected else nullcontext():
                    await actor.sign_in()
            await sender.aclose()


@pytest.mark.parametrize("name", CASES)
async def test_case(name, provider, clock, caplog):
    async with acting(provider, clock, slow=name in UNTIL_THE_DEADLINE) as actor:
        await meet(actor, CASES[name], caplog)


@pytest.mark.parametrize("name", CASES)
async def test_case_over_sockets(name, provider_server, clock, caplog):
    async with acting(provider_server, clock, sockets=True, slow=name in UNTIL_THE_DEADLINE) as actor:
        await meet(actor, CASES[name], caplog)
