"""What a connector can do, what its configuration may be, and whom it takes for the issuer."""

from __future__ import annotations

import pytest

from connectors_core.connector import (
    CallbackIssuer,
    EndsSession,
    Refreshes,
    Revokes,
    VerifiesCredential,
    read_config,
)
from connectors_core.errors import ConfigurationError, ConnectorMisconfigured
from connectors_core.oauth2 import OAuth2Config, ProfileMap
from connectors_core.profile import IdentityKey, Profile
from connectors_core.transaction import Callback

from .conftest import ISSUER, SERVER, TOKENS, typed_in


def test_capabilities(make):
    connector = make()
    assert isinstance(connector, Refreshes)
    assert isinstance(connector, Revokes)
    assert not isinstance(connector, EndsSession)
    assert not isinstance(connector, VerifiesCredential)


def test_a_connector_holds_no_flow_state_and_shows_no_secret(make):
    connector = make()
    with pytest.raises(AttributeError):
        connector.state = "x"
    assert "not-a-real-secret" not in f"{connector!r} {connector.config!r}"


def test_the_config_reads_camel_case_too():
    assert OAuth2Config.model_validate({"clientId": "a", "clientSecret": "b"}).client_id == "a"


@pytest.mark.parametrize("key", ["clientId", "clientSecret"])
def test_an_empty_client_id_or_secret_is_none(key):
    with pytest.raises(ConfigurationError) as caught:
        read_config(OAuth2Config, {"clientId": "client", key: ""})
    assert [problem.path for problem in caught.value.problems] == [(key,)]


def test_configuration_may_decide_attributes(make):
    def configured(self):
        return {"scope_separator": ",", "scopes": (self.config.client_id,)}

    connector = make(configured=configured)
    assert (connector.scope_separator, connector.scopes) == (",", ("client",))
    with pytest.raises(ConnectorMisconfigured):
        make(configured=lambda self: {"scope_seperator": ","})
    with pytest.raises(ConfigurationError):
        make(configured=lambda self: {"token_parameters": {"code": "x"}})


def test_neither_server_nor_issuer_is_a_configuration_error(make):
    with pytest.raises(ConfigurationError):
        make(server=None)


async def test_an_issuer_that_cannot_be_one_is_not_asked(make, transaction):
    for issuer in ("http://as.example", "https://as.example?x", ""):
        with pytest.raises(ConnectorMisconfigured):
            await make(server=None, issuer=issuer).authorization_uri(transaction())


@pytest.mark.parametrize("url", ["http://as.example/x", "https://as.example/x#f", "as.example", "", None])
async def test_every_endpoint_is_checked_again_when_it_is_used(url, make, transaction):
    callback = Callback(code="c")
    for name, use in (
        ("authorization_endpoint", lambda c: c.authorization_uri(transaction())),
        ("token_endpoint", lambda c: c.exchange(callback, transaction())),
        ("token_endpoint", lambda c: c.refresh(TOKENS)),
        ("userinfo_endpoint", lambda c: c.profile(None, TOKENS)),
        ("revocation_endpoint", lambda c: c.revoke(TOKENS)),
    ):
        with pytest.raises(ConnectorMisconfigured):
            await use(make(server=typed_in(**{name: url})))


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        (SERVER, CallbackIssuer(None, False)),
        (typed_in(issuer=ISSUER), CallbackIssuer(ISSUER, False)),
        (
            typed_in(issuer=ISSUER, authorization_response_iss_parameter_supported=True),
            CallbackIssuer(ISSUER, True),
        ),
    ],
)
async def test_the_callback_issuer(server, expected, make):
    assert await make(server=server).callback_issuer() == expected


def test_an_identity_is_the_issuers_or_this_connectors_own(make):
    profile = Profile(id="5", email="a@x")
    assert make().identity(profile, TOKENS) == IdentityKey("urn:connectors:acme-main", "5")
    for attributes in ({"server": typed_in(issuer=ISSUER)}, {"server": None, "issuer": ISSUER}):
        assert make(**attributes).identity(profile, TOKENS) == IdentityKey(ISSUER, "5")


def test_relaxations_are_listed_with_their_reasons(make):
    assert make().relaxations() == ()
    connector = make(
        pkce_off_because="the server answers 400 to code_challenge",
        encode_basic_credentials=False,
        client_assertion_audience="token_endpoint",
        bearer_aliases=("user",),
        profile_map=ProfileMap(
            string_booleans=True, trust_email_because="own directory", trust_phone_because="SIM"
        ),
    )
    listed = {relaxation.name: relaxation for relaxation in connector.relaxations()}
    assert set(listed) == {
        "assertion_audience_token_endpoint",
        "basic_credentials_unencoded",
        "pkce_off",
        "string_booleans",
        "token_type_aliases",
        "unstated_email_trusted",
        "unstated_phone_trusted",
    }
    assert listed["pkce_off"].reason == "the server answers 400 to code_challenge"
    assert all(relaxation.gives_up for relaxation in listed.values())
