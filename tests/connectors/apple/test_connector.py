"""What Apple does in its own way."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs, urlsplit

import pytest
from connectors_apple.client_secret import LIFETIME, RENEWED
from connectors_apple.connector import read_name

from connectors_core.connector import read_config
from connectors_core.errors import ConfigurationError
from connectors_core.testing.provider.keys import read_compact
from tests.connectors.apple.test_conformance import TestApple as Kit


def play(act, **changes):
    kit = type("Kit", (Kit,), changes)()

    async def played():
        async with kit._acting() as actor:
            await act(actor, actor.hub.connector("tested").connector)

    asyncio.run(played())


def test_the_answer_is_asked_for_as_a_form():
    async def act(actor, connector):
        sent = parse_qs(urlsplit((await actor.begin()).uri).query)
        assert sent["response_mode"] == ["form_post"]
        assert sent["scope"] == ["openid name email"]

    play(act)


def test_apple_is_not_asked_for_what_it_does_not_know():
    async def act(actor, connector):
        assert await connector.select_account_parameters({}) == {}

    play(act)


def test_the_client_secret_is_made_once_and_anew_shortly_before_it_ends():
    async def act(actor, connector):
        def secret():
            return actor.provider.requests.last("token").parameters["client_secret"]

        await actor.sign_in()
        first = secret()
        claims = read_compact(first)[1]
        assert (claims["aud"], claims["exp"] - claims["iat"]) == ("https://appleid.apple.com", LIFETIME)
        actor.advance(LIFETIME - RENEWED - 1)
        await actor.sign_in()
        assert secret() == first
        actor.advance(2)
        await actor.sign_in()
        assert read_compact(secret())[1]["iat"] == claims["iat"] + LIFETIME - RENEWED + 1

    play(act)


def test_the_secret_and_the_key_are_not_shown():
    async def act(actor, connector):
        await actor.sign_in()
        secret = actor.provider.requests.last("token").parameters["client_secret"]
        assert secret not in repr(connector.secret) + repr(vars(connector))
        assert "PRIVATE" not in repr(connector.secret) + repr(connector.config)

    play(act)


def test_the_name_comes_once():
    async def act(actor, connector):
        assert (await actor.sign_in()).profile.name == "Alice Example"
        actor.callback = {}
        assert (await actor.sign_in()).profile.name is None

    play(act)


def test_the_address_comes_from_the_id_token_alone():
    async def act(actor, connector):
        actor.provider.claims_of = {}
        assert (await actor.sign_in()).profile.email is None

    play(act)


@pytest.mark.parametrize("flag", [True, "true"])
def test_flags_are_read_as_text_too(flag):
    async def act(actor, connector):
        assert (await actor.sign_in()).profile.email_verified is True

    play(act, claims={"email_verified": flag})


@pytest.mark.parametrize(
    ("user", "name"),
    [
        ('{"name": {"firstName": "Alice", "lastName": "Example"}}', "Alice Example"),
        ('{"name": {"firstName": " Alice ", "lastName": null}}', "Alice"),
        ('{"name": {"firstName": 7, "lastName": ["x"]}}', ""),
        ('{"name": "Alice"}', ""),
        ("[]", ""),
        ("", ""),
        ("{", ""),
        ("[" * 100_000, ""),
        ('{"name": {}, "name": {"firstName": "Eve"}}', ""),
    ],
)
def test_a_name_is_read_from_anything(user, name):
    assert read_name(user) == name


@pytest.mark.parametrize(
    "change",
    [{"privateKey": "none"}, {"keyId": "short"}, {"teamId": "lower12345"}, {"clientSecret": "fake"}],
)
def test_a_configuration_that_cannot_work_is_refused(change):
    async def act(actor, connector):
        config = {"clientId": "client-1", **Kit.config, **change}
        with pytest.raises(ConfigurationError, match=next(iter(change))):
            type(connector)(
                read_config(type(connector).Config, config), connector_id="x", runtime=connector.runtime
            )

    play(act)


def test_revoking_reaches_apple():
    async def act(actor, connector):
        await connector.revoke((await actor.sign_in()).tokens)
        assert [sent.status for sent in actor.provider.requests.of("revoke")] == [200, 200]

    play(act)
