"""What the connector can do, how it renews and revokes, and how it presents itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connectors_core.connector import EndsSession, Refreshes, Revokes, VerifiesCredential, VouchesForAddresses
from connectors_core.errors import InvalidGrant, TokenEndpointError
from connectors_core.hub import Hub
from connectors_core.testing.provider import Provider, Response
from connectors_core.tokens import TokenSet

from .conftest import CALENDAR, EMAIL, ISSUER, PROFILE, Connect, sign_in


def test_the_connector_renews_and_revokes_and_takes_credentials(connect: Connect):
    connector = connect()
    for ability in (Refreshes, Revokes, VerifiesCredential, EndsSession):
        assert isinstance(connector, ability)


@pytest.mark.parametrize(
    ("claims", "domains"),
    [
        ({"hd": "ACME.example"}, {"gmail.com", "acme.example"}),
        ({}, {"gmail.com"}),
        (None, {"gmail.com"}),
    ],
)
def test_google_vouches_for_its_own_addresses_and_the_organisation_s(
    connect: Connect, claims: dict[str, Any] | None, domains: set[str]
):
    connector = connect()
    assert isinstance(connector, VouchesForAddresses)
    assert domains == connector.email_domains(TokenSet(access_token="", claims=claims))


async def test_google_has_no_logout_endpoint(connect: Connect):
    end = connect().end_session_uri(id_token_hint=None, post_logout_redirect_uri=None, state=None)
    assert await end is None


async def test_a_refresh_goes_to_google_and_keeps_its_person_in_either_spelling(
    hub: Hub, connect: Connect, google: Provider, claiming: Callable[..., None]
):
    connector = connect({"offlineAccess": True})
    tokens = (await sign_in(hub, google)).tokens
    claiming(iss="accounts.google.com")
    renewed = await connector.refresh(tokens)
    assert renewed.access_token != tokens.access_token
    assert (renewed.claims or {})["iss"] == ISSUER
    assert google.requests.last("token").parameters["grant_type"] == "refresh_token"


async def test_a_refresh_token_that_died_in_test_mode_is_an_invalid_grant(
    hub: Hub, connect: Connect, google: Provider
):
    connector = connect({"offlineAccess": True})
    tokens = (await sign_in(hub, google)).tokens
    expired = {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}
    google.answer_next("token", Response.json(expired, status=400))
    with pytest.raises(InvalidGrant):
        await connector.refresh(tokens)


async def test_revoking_twice_in_one_is_googles_way_and_no_error(
    hub: Hub, connect: Connect, google: Provider
):
    connector = connect({"offlineAccess": True})
    tokens = (await sign_in(hub, google)).tokens
    google.answer_next("revoke", Response.json({}), processed=True)
    google.answer_next("revoke", Response.json({"error": "invalid_token"}, status=400))
    await connector.revoke(tokens)
    first = google.requests.of("revoke")[0]
    assert first.parameters["token"] == tokens.refresh_token
    with pytest.raises(InvalidGrant):
        await connector.refresh(tokens)


async def test_a_revocation_that_failed_is_told(hub: Hub, connect: Connect, google: Provider):
    connector = connect()
    tokens = (await sign_in(hub, google)).tokens
    google.answer_next("revoke", Response.json({"error": "invalid_request"}, status=400))
    with pytest.raises(TokenEndpointError):
        await connector.revoke(tokens)


def test_missing_scopes_compares_whatever_the_spelling(connect: Connect):
    missing = connect().missing_scopes
    assert missing(["openid", "email", PROFILE], ["openid", EMAIL, "profile"]) == set()
    assert missing([EMAIL, CALENDAR], ["openid", "email"]) == {CALENDAR}
    assert missing(["calendar.readonly"], [CALENDAR]) == {"calendar.readonly"}, "no other is spelled twice"


def test_it_presents_itself_with_a_logo_and_a_guide(hub: Hub, connect: Connect):
    connect()
    entry = hub.connector("google")
    logo = entry.logo()
    assert not isinstance(logo, str)
    assert logo is not None
    assert logo.media_type == "image/svg+xml"
    assert (entry.target, entry.name["en"], entry.connector.relaxations()) == ("google", "Google", ())
