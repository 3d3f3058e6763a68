"""What GitHub does in its own way."""

from __future__ import annotations

import asyncio

import pytest

from connectors_core.errors import InvalidGrant, IssuerMismatch
from connectors_core.profile import IdentityKey
from connectors_core.testing.provider import Response
from tests.connectors.github.test_conformance import TestGitHub as Kit
from tests.connectors.github.test_conformance import TestGitHubApp as App

EMAILS = "https://api.github.com/user/emails"


def play(act, kit=Kit):
    async def played():
        async with kit()._acting() as actor:
            await act(actor)

    asyncio.run(played())


@pytest.mark.parametrize("answer", [Response.json({"message": "no"}, status=404), [], {"a": 1}, [None, 7]])
def test_without_addresses_there_is_none(answer):
    """A GitHub App without the permission is answered by 403 or 404; the public address is not taken."""

    async def act(actor):
        actor.emulation.unlike = {EMAILS: answer}
        profile = (await actor.sign_in()).profile
        assert (profile.id, profile.email, profile.email_verified) == ("583231", None, None)

    play(act)


@pytest.mark.parametrize("verified", [False, None])
def test_the_primary_address_keeps_what_github_says_of_it(verified):
    async def act(actor):
        others = [{"email": "other@example.org", "primary": False, "verified": True}]
        primary = [{"email": "p@example.org", "primary": True, "verified": verified}]
        actor.emulation.unlike = {EMAILS: others + primary}
        profile = (await actor.sign_in()).profile
        assert (profile.email, profile.email_verified) == ("p@example.org", verified)

    play(act)


def test_people_are_known_by_issuer_and_number():
    async def act(actor):
        assert (await actor.sign_in()).identity == IdentityKey("https://github.com/login/oauth", "583231")

    play(act)


def test_github_can_be_asked_to_let_people_choose():
    async def act(actor):
        github = actor.hub.connector("tested").connector
        assert await github.select_account_parameters({}) == {"prompt": "select_account"}

    play(act)


def test_the_callbacks_issuer_is_compared():
    async def act(actor):
        actor.provider.deviate("callback.iss-wrong-unannounced")
        with pytest.raises(IssuerMismatch):
            await actor.sign_in()

    play(act)


def test_an_error_with_status_200_is_an_error():
    async def act(actor):
        actor.provider.answer_next("token", Response.json({"error": "bad_verification_code"}))
        with pytest.raises(InvalidGrant):
            await actor.sign_in()

    play(act)


def test_a_refresh_token_is_used_once():
    async def act(actor):
        connector = actor.hub.connector("tested").connector
        tokens = (await actor.sign_in()).tokens
        renewed = await connector.refresh(tokens)
        assert renewed.refresh_token not in (None, tokens.refresh_token)
        with pytest.raises(InvalidGrant):
            await connector.refresh(tokens)

    play(act, App)


def test_scopes_are_read_with_commas_and_with_what_they_include():
    async def act(actor):
        connector = actor.hub.connector("tested").connector
        assert (await actor.sign_in()).tokens.scopes == {"read:user", "user:email"}
        assert connector.missing_scopes({"user:email", "gist"}, {"user"}) == {"gist"}
        assert connector.missing_scopes({"user"}, {"user:email"}) == {"user"}

    play(act)
