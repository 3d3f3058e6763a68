"""The conformance classes fail connectors that do what none may."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import pytest

from connectors_core.connector import CallbackIssuer
from connectors_core.errors import ProfileInvalid
from connectors_core.metadata import ConnectorMetadata, ServerMetadata
from connectors_core.oauth2 import OAuth2Connector, ProfileMap
from connectors_core.oidc import OIDCConnector
from connectors_core.profile import Profile
from connectors_core.testing.conformance import OAuth2Conformance, OIDCConformance
from connectors_core.testing.emulation import Place
from connectors_core.testing.provider import CASES, Response

ME = "https://api.acme.example/me"
ALICE: Mapping[str, Any] = {"id": 7, "name": "Alice", "mail": {"address": "a@example.org", "verified": True}}


class Acme(OAuth2Connector):
    id = "acme"
    metadata = ConnectorMetadata(name={"en": "Acme"})
    server = ServerMetadata(
        issuer="https://acme.example",
        authorization_endpoint="https://acme.example/authorize?flow=web",
        token_endpoint="https://acme.example/token",
        userinfo_endpoint=ME,
    )
    profile_map = ProfileMap(email="mail.address", email_verified="mail.verified")


class Good(OAuth2Conformance):
    connector = Acme
    responses = {ME: ALICE}
    expected = Profile(id="7", name="Alice", email="a@example.org", email_verified=True)


class TestGood(Good):
    pass


class Careless(Acme):
    """Reads as if every answer were as in the documentation."""

    async def profile(self, api, tokens):
        me = await api.get_json(ME)
        return Profile(id=str(me["id"]), name=me["name"], email=me["mail"]["address"], email_verified=True)


class Default(Acme):
    """Takes something else where there is no id."""

    async def profile(self, api, tokens):
        me = await self.fetch_userinfo(tokens, self.server)
        try:
            return self.profile_map.read(me)
        except ProfileInvalid:
            return self.profile_map.read({**me, "id": "0"})


class Talkative(Acme):
    """Shows the code, and puts the token into a URL."""

    async def exchange(self, callback, transaction):
        logging.getLogger("acme").warning("redeeming %s", callback.code)
        return await super().exchange(callback, transaction)

    async def profile(self, api, tokens):
        return self.profile_map.read(await api.get_json(ME, params={"token": tokens.access_token}))


class Trusting(Acme):
    """Compares no issuer."""

    async def callback_issuer(self):
        return CallbackIssuer()


class Stuck(Acme):
    """The same state for everybody."""

    def request_parameters(self, transaction, server):
        return {**super().request_parameters(transaction, server), "code_challenge": "x" * 43}


def of(kind: type[OAuth2Connector], **attributes: Any) -> Good:
    return type("Tested", (Good,), {"connector": kind, **attributes})()


@pytest.mark.parametrize(
    ("kind", "test"),
    [
        (Careless, "any_answer_is_contained"),
        (Careless, "unverified_email_stays_unverified"),
        (Default, "missing_id_is_an_error"),
        (Talkative, "keeps_secrets_out_of_urls"),
        (Stuck, "authorization_request"),
    ],
)
def test_what_a_connector_does_wrong_is_noticed(kind: type[OAuth2Connector], test: str) -> None:
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        getattr(of(kind), f"test_{test}")()


def test_a_secret_in_the_log_is_noticed(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(AssertionError):
        of(Talkative).test_case(CASES["token_endpoint.html"], caplog)
    caplog.clear()


def test_an_issuer_that_is_not_compared_is_noticed(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(AssertionError):
        of(Trusting).test_case(CASES["callback.iss-wrong"], caplog)


def test_an_expected_profile_that_does_not_come_is_noticed() -> None:
    with pytest.raises(AssertionError):
        of(Acme, expected=Profile(id="7", name="Bob")).test_signs_in()


def test_a_verified_address_needs_a_member_that_says_so() -> None:
    with pytest.raises(AssertionError, match="email_verified_by"):
        of(Acme, email_verified_by=("no-such-member",)).test_unverified_email_stays_unverified()


def test_an_id_that_stands_in_no_response_must_be_explained() -> None:
    with pytest.raises(AssertionError, match="id_keys"):
        of(Acme, expected=Profile(id="8")).test_missing_id_is_an_error()


class Discovered(OIDCConnector):
    id = "discovered"
    metadata = ConnectorMetadata(name={"en": "Discovered"})
    issuer = "https://id.acme.example/realm"


class Unchecked(Discovered):
    """Takes the ID token of any issuer."""

    issuer_unchecked_because = "for this test"

    def accepted_issuers(self, claims, server):
        return None


class Oidc(OIDCConformance):
    connector = Discovered
    claims = {"name": "Alice", "email": "a@example.org", "email_verified": True}
    expected = Profile(id="alice-1", name="Alice", email="a@example.org", email_verified=True)


class TestDiscovered(Oidc):
    pass


def test_an_id_token_that_is_not_checked_is_noticed(caplog: pytest.LogCaptureFixture) -> None:
    tested = type("Tested", (Oidc,), {"connector": Unchecked})()
    with pytest.raises(AssertionError):
        tested.test_case(CASES["id_token.iss-other"], caplog)


@pytest.mark.parametrize(
    ("text", "request_line", "fits"),
    [
        ("https://a.example/x", ("GET", "https://a.example/x", []), True),
        ("https://a.example/x", ("GET", "https://a.example/x", [("page", "2")]), True),
        ("https://a.example/x?page=2", ("GET", "https://a.example/x", [("page", "2"), ("n", "9")]), True),
        ("https://a.example/x?page=2", ("GET", "https://a.example/x", [("page", "1")]), False),
        ("https://a.example/x", ("POST", "https://a.example/x", []), False),
        ("DELETE https://a.example/x", ("DELETE", "https://a.example/x", []), True),
    ],
)
def test_a_response_is_for_a_method_a_url_and_parameters(
    text: str, request_line: tuple[str, str, list[tuple[str, str]]], fits: bool
) -> None:
    assert Place.read(text).fits(*request_line) is fits


def test_the_more_particular_response_answers() -> None:
    pages = {ME: Response.json({}, status=500), f"{ME}?full=1": ALICE}
    tested = of(type("Full", (Acme,), {"userinfo_parameters": {"full": "1"}}), responses=pages)
    tested.test_signs_in()
