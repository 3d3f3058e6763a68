from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from connectors_oauth2 import OAuth2

from connectors_core.access.rotation import Rotation
from connectors_core.connector import Refreshes, Revokes, VerifiesCredential
from connectors_core.errors import (
    ConfigurationError,
    ConnectorMisconfigured,
    DiscoveryRejected,
    InvalidResponse,
    InvalidTokenResponse,
    IssuerMismatch,
    ProfileInvalid,
    TokenEndpointError,
)
from connectors_core.hub import Hub
from connectors_core.profile import IdentityKey
from connectors_core.testing.provider import Client, Provider, Response, case

from .conftest import CALLBACK, ENDPOINTS
from .test_config import LOGTO

Connect = Callable[..., OAuth2]
SignIn = Callable[..., Any]
ISSUER = "https://provider.test"
DISCOVERED = {**dict.fromkeys(ENDPOINTS, ...), "issuer": ISSUER, "userInfoEndpoint": f"{ISSUER}/user"}


async def asked_for(hub: Hub, **asked: Any) -> dict[str, str]:
    started = await hub.begin("acme", redirect_uri=CALLBACK, **asked)
    return dict(parse_qsl(urlsplit(started.uri).query, keep_blank_values=True, strict_parsing=True))


def answering(server: Provider, answer: Any) -> None:
    """Let the userinfo endpoint say this instead."""
    server.active.append(case("answer", "this test", "userinfo", None, userinfo=lambda own, _: answer))


class TestASignIn:
    async def test_it_ends_with_the_mapped_profile(self, connect: Connect, sign_in: SignIn, server: Provider):
        connect({"scope": "read:user", "profileMap": {"name": "login", "avatar": "avatar_url"}})
        completed = await sign_in()
        profile = completed.profile
        assert (profile.id, profile.name) == ("4711", "alice-1")
        assert profile.avatar == "https://provider.test/alice.png"
        assert (profile.email, profile.email_verified) == ("alice@example.test", None)
        assert completed.identity == IdentityKey("urn:connectors:acme", "4711")
        assert [r.endpoint for r in server.requests if r.endpoint != "authorize"] == ["token", "user"]

    async def test_a_configuration_of_logto_works_unchanged(
        self, hub: Hub, sign_in: SignIn, server: Provider
    ):
        hub.add("acme", type="oauth2", config={**LOGTO, "clientSecret": Client().secret})
        answering(server, {"sub": "a-1", "picture": "https://a.example/a.png", "email": "a@a.example"})
        profile = (await sign_in()).profile
        assert (profile.id, profile.avatar, profile.email_verified) == (
            "a-1",
            "https://a.example/a.png",
            None,
        )
        request = server.requests.last("authorize").parameters
        assert (request["scope"], request["prompt"]) == ("read:user", "select_account")

    async def test_pkce_is_sent_unless_a_reason_turns_it_off(
        self, connect: Connect, sign_in: SignIn, server: Provider
    ):
        connect()
        await sign_in()
        assert server.requests.last("authorize").parameters["code_challenge_method"] == "S256"
        assert "code_verifier" in server.requests.last("token").parameters

    async def test_pkce_off(self, connect: Connect, sign_in: SignIn, server: Provider):
        server.pkce = "refused"
        connector = connect({"pkceOffBecause": "answers code_challenge with an error page"})
        await sign_in()
        assert "code_verifier" not in server.requests.last("token").parameters
        (relaxation,) = connector.relaxations()
        assert (relaxation.name, relaxation.reason) == (
            "pkce_off",
            "answers code_challenge with an error page",
        )

    async def test_an_endpoints_own_query_is_kept(self, hub: Hub, connect: Connect):
        connect({"authorizationEndpoint": "https://provider.test/authorize?policy=b2c%20x"})
        started = await hub.begin("acme", redirect_uri=CALLBACK)
        assert started.uri.startswith("https://provider.test/authorize?policy=b2c%20x&response_type=code&")

    async def test_it_shows_no_secret(
        self, connect: Connect, sign_in: SignIn, server: Provider, caplog: pytest.LogCaptureFixture
    ):
        caplog.set_level(logging.DEBUG)
        connector = connect()
        completed = await sign_in()
        shown = " ".join((caplog.text, repr(completed), repr(connector), repr(connector.config)))
        assert not [secret for secret in server.secrets() if secret in shown]


class TestScopes:
    async def test_none_are_sent_where_none_are_configured(self, hub: Hub, connect: Connect):
        connect()
        assert "scope" not in await asked_for(hub)

    @pytest.mark.parametrize(
        ("scope", "separator", "sent"),
        [
            ("read:user  user:email", " ", "read:user user:email"),
            ("read:user user:email", ",", "read:user,user:email"),
            ("read:user,user:email", ",", "read:user,user:email"),
            ("read:user\tuser:email", "|", "read:user|user:email"),
        ],
    )
    async def test_they_are_joined_by_the_separator(
        self, hub: Hub, connect: Connect, scope: str, separator: str, sent: str
    ):
        connect({"scope": scope, "scopeSeparator": separator})
        assert (await asked_for(hub))["scope"] == sent

    async def test_what_is_asked_for_later_comes_behind(self, hub: Hub, connect: Connect):
        connect({"scope": "read:user"})
        assert (await asked_for(hub, scopes=["calendar"]))["scope"] == "read:user calendar"

    async def test_granted_ones_are_read_with_the_separator_too(
        self, connect: Connect, sign_in: SignIn, server: Provider
    ):
        connect({"scope": "read:user", "scopeSeparator": ","})
        granted = case(
            "scope", "this test", "scope", None, token=lambda t, _: {**t, "scope": "read:user,email"}
        )
        server.active.append(granted)
        assert (await sign_in()).tokens.scopes == {"read:user", "email"}


class TestTokenResponses:
    @pytest.mark.parametrize("answer", ["json", "form"])
    async def test_they_are_read_by_content(
        self, connect: Connect, sign_in: SignIn, server: Provider, answer: str
    ):
        server.token_answer = answer
        connect()
        tokens = (await sign_in()).tokens
        assert tokens.access_token
        assert tokens.expires_at == server.clock() + 3600

    @pytest.mark.parametrize(
        ("configured", "answer", "good"),
        [
            ("json", "json", True),
            ("query-string", "form", True),
            ("json", "form", False),
            ("query-string", "json", False),
        ],
    )
    async def test_or_as_configured_and_then_no_other_way(
        self, connect: Connect, sign_in: SignIn, server: Provider, configured: str, answer: str, good: bool
    ):
        server.token_answer = answer
        connect({"tokenEndpointResponseType": configured})
        if good:
            assert (await sign_in()).tokens.access_token
        else:
            with pytest.raises(InvalidTokenResponse):
                await sign_in()

    async def test_a_mislabelled_answer_is_read_as_configured(
        self, connect: Connect, sign_in: SignIn, server: Provider
    ):
        server.token_answer = "form"
        plain = {"content-type": "application/json"}
        mislabelled = case(
            "label",
            "this test",
            "label",
            None,
            answer_token=lambda response, _: replace(response, headers=plain),
        )
        server.active.append(mislabelled)
        connect({"tokenEndpointResponseType": "query-string"})
        assert (await sign_in()).tokens.access_token

    async def test_an_error_with_status_200_is_one(self, connect: Connect, sign_in: SignIn, server: Provider):
        server.errors_with_200 = True
        connect({"clientSecret": "another-fake-secret"})
        with pytest.raises(TokenEndpointError) as raised:
            await sign_in()
        assert raised.value.error == "invalid_client"


class TestCustomConfig:
    async def test_it_goes_to_every_request_but_userinfo_under_its_own_names(
        self, connect: Connect, sign_in: SignIn, server: Provider
    ):
        connector = connect({"customConfig": {"audience": "https://api.example/?a=b&c", "accessType": "Ö"}})
        tokens = (await sign_in()).tokens
        await connector.refresh(tokens)
        for request in (server.requests.last("authorize"), *server.requests.of("token")):
            assert request.parameters["audience"] == "https://api.example/?a=b&c"
            assert request.parameters["accessType"] == "Ö"
        assert server.requests.count("token") == 2
        assert "audience" not in server.requests.last("user").parameters

    async def test_a_caller_may_override_it_and_nothing_reserved(self, hub: Hub, connect: Connect):
        connect({"customConfig": {"prompt": "consent"}})
        assert (await asked_for(hub, parameters={"prompt": "none"}))["prompt"] == "none"


class TestTheProfile:
    @pytest.mark.parametrize(
        ("mapping", "field", "value"),
        [
            ({"id": "data.uid"}, "id", "7"),
            ({"id": ["nothing", "data.uid"]}, "id", "7"),
            ({"name": "data.nick | data.first"}, "name", "Jane"),
            ({"avatar": "data.images[1].url"}, "avatar", "https://a.example/2.png"),
            ({"avatar": "data.images.0.url"}, "avatar", "https://a.example/1.png"),
            ({"email": "dotted.key"}, "email", "dotted@a.example"),
            ({"phone": "data.phones[0]"}, "phone", "+15550100"),
            ({"name": "data.uid"}, "name", None),
            ({"email": "data.images"}, "email", None),
        ],
    )
    async def test_it_is_mapped_by_paths_indices_and_alternatives(
        self,
        connect: Connect,
        sign_in: SignIn,
        server: Provider,
        mapping: dict[str, Any],
        field: str,
        value: str | None,
    ):
        images = [{"url": "https://a.example/1.png"}, {"url": "https://a.example/2.png"}]
        data = {"uid": 7, "first": "Jane", "images": images, "phones": ["+15550100"]}
        answering(server, {"data": data, "dotted.key": "dotted@a.example", "id": 1})
        connect({"profileMap": mapping})
        assert getattr((await sign_in()).profile, field) == value

    async def test_its_defaults_are_the_fields_own_names(
        self, connect: Connect, sign_in: SignIn, server: Provider
    ):
        told = {"id": "1", "name": "N", "avatar": "https://a.example/a", "email": "a@b.example", "phone": "1"}
        answering(server, {**told, "email_verified": True, "emailVerified": True})
        connect()
        profile = (await sign_in()).profile
        assert {name: getattr(profile, name) for name in told} == told
        assert (profile.email_verified, profile.phone_verified) == (None, None), "nothing is mapped to them"

    async def test_without_an_id_nobody_signed_in(self, connect: Connect, sign_in: SignIn, server: Provider):
        answering(server, {"uid": 7})
        connect()
        with pytest.raises(ProfileInvalid):
            await sign_in()

    @pytest.mark.parametrize(
        ("flag", "config", "verified"),
        [
            (True, {}, True),
            (False, {}, False),
            (None, {}, None),
            ("true", {}, None),
            (1, {}, None),
            ("true", {"acceptStringTypedBooleans": True}, True),
            ("false", {"acceptStringTypedBooleans": True}, False),
            (None, {"trustUnverifiedEmail": True}, True),
            (False, {"trustUnverifiedEmail": True}, False),
        ],
    )
    async def test_an_address_is_verified_where_a_flag_or_the_setting_says_so(
        self,
        connect: Connect,
        sign_in: SignIn,
        server: Provider,
        flag: object,
        config: dict[str, bool],
        verified: bool | None,
    ):
        answering(server, {"id": 1, "email": "a@b.example", "checked": {"email": flag, "phone": flag}})
        connector = connect({"profileMap": {"emailVerified": "checked.email"}, **config})
        assert (await sign_in()).profile.email_verified is verified
        assert len(connector.relaxations()) == len(config)

    async def test_a_phone_number_has_a_flag_of_its_own(
        self, connect: Connect, sign_in: SignIn, server: Provider
    ):
        answering(server, {"id": 1, "phone": "+15550100", "checked": True})
        connect({"profileMap": {"phoneVerified": "checked"}})
        assert (await sign_in()).profile.phone_verified is True


class TestAnIssuer:
    async def test_endpoints_are_discovered_from_it(
        self, connect: Connect, sign_in: SignIn, server: Provider
    ):
        connect(DISCOVERED)
        completed = await sign_in()
        assert completed.identity == IdentityKey(ISSUER, "4711")
        paths = [request.path for request in server.requests.of("discovery")]
        assert paths[-1] == "/.well-known/oauth-authorization-server"
        assert server.requests.last("token").client_authentication == "client_secret_basic"

    async def test_an_openid_providers_document_gives_userinfo_too(
        self, connect: Connect, sign_in: SignIn, server: Provider
    ):
        server.openid = True
        connect({**DISCOVERED, "userInfoEndpoint": ..., "scope": "profile", "profileMap": {"id": "sub"}})
        assert (await sign_in()).profile.id == "alice-1"
        assert server.requests.count("userinfo") == 1

    async def test_what_is_typed_in_stands_over_what_is_discovered(
        self, hub: Hub, connect: Connect, server: Provider
    ):
        connect({**DISCOVERED, "authorizationEndpoint": "https://login.test/authorize"})
        started = await hub.begin("acme", redirect_uri=CALLBACK)
        assert started.uri.startswith("https://login.test/authorize?")
        assert server.requests.count("discovery") > 0

    async def test_nothing_is_discovered_where_all_is_typed_in(
        self, connect: Connect, sign_in: SignIn, server: Provider
    ):
        connect({"issuer": ISSUER})
        completed = await sign_in()
        assert completed.identity.issuer == ISSUER
        assert server.requests.count("discovery") == 0

    async def test_another_servers_document_is_refused(self, hub: Hub, connect: Connect, server: Provider):
        other = case(
            "iss", "this test", "issuer", None, metadata=lambda m, _: {**m, "issuer": "https://o.test"}
        )
        server.active.append(other)
        connect(DISCOVERED)
        with pytest.raises(DiscoveryRejected):
            await hub.begin("acme", redirect_uri=CALLBACK)

    async def test_a_document_without_userinfo_needs_it_typed_in(self, connect: Connect, sign_in: SignIn):
        connect({**DISCOVERED, "userInfoEndpoint": ...})
        with pytest.raises(ConnectorMisconfigured, match="userinfo_endpoint"):
            await sign_in()

    async def test_the_callbacks_iss_is_held_against_it(
        self, hub: Hub, connect: Connect, sign_in: SignIn, server: Provider
    ):
        server.callback_iss = "unannounced"
        connect({"issuer": "https://another.test"})
        with pytest.raises(IssuerMismatch):
            await sign_in()
        assert server.requests.count("token") == 0


class TestTokens:
    def test_the_connector_renews_and_revokes(self, connect: Connect):
        connector = connect()
        assert isinstance(connector, Refreshes)
        assert isinstance(connector, Revokes)
        assert not isinstance(connector, VerifiesCredential)

    async def test_a_refresh_uses_the_same_authentication(
        self, connect: Connect, sign_in: SignIn, server: Provider
    ):
        connector = connect({"tokenEndpointAuthMethod": "client_secret_basic"})
        tokens = (await sign_in()).tokens
        renewed = await connector.refresh(tokens)
        assert renewed.access_token != tokens.access_token
        methods = [request.client_authentication for request in server.requests.of("token")]
        assert methods == ["client_secret_basic"] * 2

    @pytest.mark.parametrize("config", [{"revocationEndpoint": f"{ISSUER}/revoke"}, DISCOVERED])
    async def test_tokens_are_revoked_where_the_endpoint_is_known(
        self, connect: Connect, sign_in: SignIn, server: Provider, config: dict[str, Any]
    ):
        connector = connect(config)
        await connector.revoke((await sign_in()).tokens)
        assert server.requests.count("revoke") == 2

    async def test_and_else_that_is_told(self, connect: Connect, sign_in: SignIn):
        connector = connect()
        with pytest.raises(ConnectorMisconfigured, match="revocation_endpoint"):
            await connector.revoke((await sign_in()).tokens)


def test_it_presents_itself_with_logos_for_both_grounds(hub: Hub, connect: Connect):
    connect()
    light, dark = (hub.connector("acme").logo(dark=dark) for dark in (False, True))
    assert light is not None
    assert dark is not None
    assert light != dark


async def test_a_broken_answer_of_userinfo_is_no_sign_in(connect: Connect, sign_in: SignIn, server: Provider):
    connect()
    server.answer_next("user", Response.json({"message": "no"}, status=403))
    with pytest.raises(InvalidResponse, match="answered 403"):
        await sign_in()


@pytest.mark.parametrize("rotation", ["none", "overlap", "strict", "grace:30"])
def test_what_becomes_of_a_used_refresh_token_is_said_by_the_configuration(
    connect: Connect, rotation: str
) -> None:
    told = connect({"rotation": rotation, "revocation": "grant"})
    assert (told.rotation, told.revocation) == (rotation, "grant")
    grace = 30.0 if rotation == "grace:30" else 0.0
    assert Rotation.read(told.rotation) == Rotation(rotation.partition(":")[0], grace)


@pytest.mark.parametrize(
    "changes", [{"rotation": "grace"}, {"rotation": "grace:0"}, {"rotation": "often"}, {"revocation": "all"}]
)
def test_a_word_for_it_that_nobody_knows_is_refused(connect: Connect, changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(changes))):
        connect(changes)


def test_it_counts_as_strict_where_nothing_is_said(connect: Connect) -> None:
    connector = connect()
    assert (connector.rotation, connector.revocation) == ("strict", "token")
