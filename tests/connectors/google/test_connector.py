from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from connectors_google import Google

from connectors_core.connector import EndsSession, Refreshes, Revokes, VerifiesCredential, VouchesForAddresses
from connectors_core.errors import (
    ConfigurationError,
    IdTokenRejected,
    InvalidGrant,
    IssuerMismatch,
    ScopeRequired,
    TokenEndpointError,
)
from connectors_core.flow import Completed
from connectors_core.hub import Hub
from connectors_core.oauth2 import BearerApi
from connectors_core.profile import IdentityKey
from connectors_core.testing.plugin import Clock
from connectors_core.testing.provider import Client, Landing, Provider, Response, case
from connectors_core.tokens import TokenSet
from connectors_core.transaction import Purpose

from .conftest import ENDPOINTS, ISSUER, SCOPES, Sender, make_google

Connect = Callable[..., Google]
CALLBACK = "https://host.test/callback"
EMAIL, PROFILE, CALENDAR = (
    f"{SCOPES}{name}" for name in ("userinfo.email", "userinfo.profile", "calendar.readonly")
)


async def visit(provider: Provider, uri: str) -> Landing:
    endpoint, _, query = uri.partition("?")
    return await provider.visit(f"{provider.url(ENDPOINTS.get(endpoint, 'authorize'))}?{query}")


async def sign_in(hub: Hub, provider: Provider, **asked: Any) -> Completed:
    started = await hub.begin("google", redirect_uri=CALLBACK, **asked)
    landing = await visit(provider, started.uri)
    return await hub.complete(
        landing.query, connector="google", binding=started.binding, owner=asked.get("owner")
    )


async def asked_for(hub: Hub, **asked: Any) -> dict[str, str]:
    started = await hub.begin("google", redirect_uri=CALLBACK, **asked)
    return dict(parse_qsl(urlsplit(started.uri).query, keep_blank_values=True, strict_parsing=True))


class TestTheAuthorizationRequest:
    async def test_it_goes_to_google_with_the_default_scopes_and_nothing_special(
        self, hub: Hub, connect: Connect, sender: Sender
    ):
        connect()
        started = await hub.begin("google", redirect_uri=CALLBACK)
        assert started.uri.startswith("https://accounts.google.com/o/oauth2/v2/auth?")
        sent = await asked_for(hub)
        assert sent["scope"] == "openid profile email"
        assert (sent["client_id"], sent["response_type"]) == ("client-1", "code")
        assert sent["code_challenge_method"] == "S256"
        assert sent["nonce"]
        assert not {"prompt", "access_type", "hd", "include_granted_scopes"} & sent.keys()
        assert sender.urls == [], "typed-in endpoints need no discovery"

    @pytest.mark.parametrize(
        ("scope", "sent"),
        [
            ("", "openid profile email"),
            (" \n ", "openid profile email"),
            ("email", "openid email"),
            (f"openid\t{EMAIL}\n{CALENDAR}", f"openid {EMAIL} {CALENDAR}"),
            (f"{EMAIL} openid email {PROFILE} profile", f"openid {EMAIL} {PROFILE}"),
        ],
    )
    async def test_a_scope_replaces_the_default_and_openid_stays(
        self, hub: Hub, connect: Connect, scope: str, sent: str
    ):
        connect({"scope": scope})
        assert (await asked_for(hub))["scope"] == sent

    async def test_scopes_asked_for_later_come_behind_and_none_comes_twice(self, hub: Hub, connect: Connect):
        connect()
        sent = await asked_for(hub, scopes=[EMAIL, CALENDAR, CALENDAR, "openid"])
        assert sent["scope"] == f"openid profile email {CALENDAR}"

    async def test_offline_access_is_refused_when_it_is_asked_for_later_too(self, hub: Hub, connect: Connect):
        connect({"offlineAccess": True})
        with pytest.raises(ConfigurationError, match="set offlineAccess"):
            await asked_for(hub, scopes=["offline_access"])

    @pytest.mark.parametrize(
        "prompts", [["none"], ["consent"], ["select_account"], ["consent", "select_account"]]
    )
    async def test_prompts_are_sent_in_their_order(self, hub: Hub, connect: Connect, prompts: list[str]):
        connect({"prompts": prompts})
        assert (await asked_for(hub))["prompt"] == " ".join(prompts)

    @pytest.mark.parametrize(
        ("offline", "prompts", "stored", "prompt"),
        [
            (True, [], False, "consent"),
            (True, [], True, None),
            (True, [], None, None),
            (True, ["select_account"], False, "select_account consent"),
            (True, ["consent"], False, "consent"),
            (True, ["consent"], True, "consent"),
            (True, ["none"], False, "none"),
            (False, [], False, None),
            (False, ["select_account"], False, "select_account"),
        ],
    )
    async def test_consent_is_asked_for_where_no_refresh_token_is_known_to_be_stored(
        self,
        hub: Hub,
        connect: Connect,
        offline: bool,
        prompts: list[str],
        stored: bool | None,
        prompt: str | None,
    ):
        connect({"offlineAccess": offline, "prompts": prompts})
        sent = await asked_for(hub, refresh_token_stored=stored)
        assert sent.get("access_type") == ("offline" if offline else None)
        assert sent.get("prompt") == prompt

    async def test_a_callers_own_prompt_gets_the_consent_too(self, hub: Hub, connect: Connect):
        connect({"offlineAccess": True})
        login = {"prompt": "select_account", "login_hint": "alice@example.test"}
        sent = await asked_for(hub, parameters=login, refresh_token_stored=False)
        assert (sent["prompt"], sent["login_hint"]) == ("select_account consent", "alice@example.test")

    @pytest.mark.parametrize(
        ("prompts", "prompt"),
        [
            ([], "select_account"),
            (["consent"], "consent select_account"),
            (["select_account"], "select_account"),
            (["none"], "none"),
        ],
    )
    async def test_google_can_be_asked_to_let_people_choose(
        self, hub: Hub, connect: Connect, prompts: list[str], prompt: str
    ):
        connect({"prompts": prompts})
        assert (await asked_for(hub, select_account=True))["prompt"] == prompt

    async def test_the_hosted_domain_is_sent(self, hub: Hub, connect: Connect):
        connect({"hostedDomain": "Example.com"})
        assert (await asked_for(hub))["hd"] == "example.com"

    @pytest.mark.parametrize(
        ("configured", "purpose", "sent"),
        [
            (None, Purpose.SIGN_IN, None),
            (None, Purpose.LINK, None),
            (None, Purpose.TOKENS, "true"),
            (True, Purpose.SIGN_IN, "true"),
            (False, Purpose.TOKENS, None),
        ],
    )
    async def test_granted_scopes_are_included_as_configured_and_else_where_more_is_asked_for(
        self, hub: Hub, connect: Connect, configured: bool | None, purpose: Purpose, sent: str | None
    ):
        connect({} if configured is None else {"includeGrantedScopes": configured})
        owner = None if purpose is Purpose.SIGN_IN else "user:1"
        request = await asked_for(hub, purpose=purpose, owner=owner)
        assert request.get("include_granted_scopes") == sent


class TestASignIn:
    async def test_it_ends_with_the_profile_and_googles_issuer(
        self, hub: Hub, connect: Connect, google: Provider, sender: Sender
    ):
        connect({"offlineAccess": True})
        completed = await sign_in(hub, google)
        assert completed.identity == IdentityKey(ISSUER, "alice-1")
        profile = completed.profile
        assert (profile.name, profile.email, profile.email_verified) == (
            "Alice Example",
            "alice@example.test",
            True,
        )
        assert profile.avatar == "https://provider.test/alice.png"
        assert completed.tokens.refresh_token
        assert sender.urls == [
            "https://oauth2.googleapis.com/token",
            "https://www.googleapis.com/oauth2/v3/certs",
        ]

    async def test_the_secret_goes_into_the_body(self, hub: Hub, connect: Connect, google: Provider):
        connect()
        await sign_in(hub, google)
        assert google.requests.last("token").client_authentication == "client_secret_post"

    @pytest.mark.parametrize("iss", [ISSUER, "accounts.google.com"])
    async def test_both_spellings_of_the_issuer_are_one_identity(
        self, hub: Hub, connect: Connect, google: Provider, claiming: Callable[..., None], iss: str
    ):
        connect()
        claiming(iss=iss)
        completed = await sign_in(hub, google)
        assert completed.identity == IdentityKey(ISSUER, "alice-1")
        assert (completed.tokens.claims or {})["iss"] == ISSUER

    @pytest.mark.parametrize(
        "iss", ["http://accounts.google.com", f"{ISSUER}/", "https://accounts.google.evil"]
    )
    async def test_no_other_issuer_is_accepted(
        self, hub: Hub, connect: Connect, google: Provider, claiming: Callable[..., None], iss: str
    ):
        connect()
        claiming(iss=iss)
        with pytest.raises(IdTokenRejected) as raised:
            await sign_in(hub, google)
        assert raised.value.claim == "iss"

    async def test_another_iss_in_the_callback_stops_it_before_the_code_is_sent(
        self, hub: Hub, connect: Connect, google: Provider
    ):
        connect()
        started = await hub.begin("google", redirect_uri=CALLBACK)
        landing = await visit(google, started.uri)
        assert ("iss", ISSUER) in landing.parameters
        swapped = [(n, "https://other.example" if n == "iss" else v) for n, v in landing.parameters]
        with pytest.raises(IssuerMismatch):
            await hub.complete(swapped, connector="google", binding=started.binding)
        assert google.requests.count("token") == 0

    async def test_a_callback_without_iss_is_good(self, hub: Hub, connect: Connect, google: Provider):
        connect()
        google.callback_iss = "off"
        assert (await sign_in(hub, google)).profile.id == "alice-1"

    async def test_userinfo_fills_in_what_a_scope_in_its_long_spelling_promises(
        self, hub: Hub, connect: Connect, google: Provider
    ):
        connect()
        google.claims_in_id_token = False

        def in_long(token: dict[str, Any], _: Provider) -> dict[str, Any]:
            return {**token, "scope": f"openid {EMAIL} {PROFILE}"}

        google.active.append(case("long", "a test", "scope", None, token=in_long))
        completed = await sign_in(hub, google)
        assert completed.tokens.scopes == {"openid", EMAIL, PROFILE}, "as Google states them"
        assert completed.profile.email == "alice@example.test"
        assert google.requests.count("userinfo") == 1

    async def test_a_token_is_served_in_either_spelling_of_its_scopes(
        self, hub: Hub, connect: Connect, google: Provider
    ):
        config = {"clientId": "client-1", "clientSecret": Client().secret, "scope": "openid email profile"}
        hub.add("google", config=config, token_storage=True)

        def in_long(token: dict[str, Any], _: Provider) -> dict[str, Any]:
            return {**token, "scope": f"openid {EMAIL} {PROFILE}"}

        google.active.append(case("long", "a test", "scope", None, token=in_long))
        await hub.link(await sign_in(hub, google), owner="user-1")
        for scopes in ("email profile", f"openid {EMAIL}", PROFILE):
            await hub.access_token("google", owner="user-1", scopes=scopes)
        with pytest.raises(ScopeRequired) as caught:
            await hub.access_token("google", owner="user-1", scopes=f"email {CALENDAR}")
        assert caught.value.missing == {CALENDAR}

    async def test_a_sign_in_without_these_scopes_asks_userinfo_nothing(
        self, hub: Hub, connect: Connect, google: Provider
    ):
        connect({"scope": "openid"})
        assert (await sign_in(hub, google)).profile.email is None
        assert google.requests.count("userinfo") == 0

    async def test_an_e_mail_address_is_as_verified_as_google_says(
        self, hub: Hub, connect: Connect, google: Provider, claiming: Callable[..., None]
    ):
        connect()
        claiming(email_verified=False)
        assert (await sign_in(hub, google)).profile.email_verified is False


class TestTheHostedDomain:
    @pytest.mark.parametrize(
        ("configured", "hd"),
        [
            ("example.com", "example.com"),
            ("example.com", "Example.COM"),
            ("*", "other.example"),
            (None, None),
        ],
    )
    async def test_a_member_is_let_in(
        self,
        hub: Hub,
        connect: Connect,
        google: Provider,
        claiming: Callable[..., None],
        configured: str | None,
        hd: str | None,
    ):
        connect({"hostedDomain": configured})
        claiming(hd=hd)
        assert (await sign_in(hub, google)).profile.raw.get("hd") == hd

    @pytest.mark.parametrize(
        ("configured", "hd"),
        [
            *[(c, hd) for c in ("example.com", "*") for hd in (None, "", ["example.com"], {}, False, 1)],
            ("example.com", "example.com.evil.example"),
            ("example.com", "*"),
        ],
    )
    async def test_nobody_else_is_whatever_their_address_says(
        self,
        hub: Hub,
        connect: Connect,
        google: Provider,
        claiming: Callable[..., None],
        configured: str,
        hd: Any,
    ):
        connect({"hostedDomain": configured})
        claiming(hd=hd, email="jane@example.com", email_verified=True)
        with pytest.raises(IdTokenRejected) as raised:
            await sign_in(hub, google)
        assert raised.value.claim == "hd"
        assert raised.value.code == "id_token_invalid"

    async def test_a_callers_own_hd_changes_what_is_sent_and_not_what_is_accepted(
        self, hub: Hub, connect: Connect, google: Provider, claiming: Callable[..., None]
    ):
        connect({"hostedDomain": "example.com"})
        claiming(hd="other.example")
        with pytest.raises(IdTokenRejected):
            await sign_in(hub, google, parameters={"hd": "other.example"})

    async def test_one_tap_and_a_refresh_are_held_to_it(
        self, hub: Hub, connect: Connect, google: Provider, claiming: Callable[..., None]
    ):
        connector = connect({"hostedDomain": "example.com", "offlineAccess": True})
        claiming(hd="example.com")
        tokens = (await sign_in(hub, google)).tokens
        claiming(hd="other.example")
        with pytest.raises(IdTokenRejected, match="hd"):
            await connector.refresh(tokens)
        with pytest.raises(IdTokenRejected, match="hd"):
            await connector.verify_credential(google.credential(nonce="n-1"), nonce="n-1")


class TestACredentialWithoutACode:
    async def test_it_is_verified_and_says_who_it_is_without_a_token(
        self, connect: Connect, google: Provider, sender: Sender
    ):
        connector = connect()
        tokens = await connector.verify_credential(google.credential(nonce="n-1"), nonce="n-1")
        assert (tokens.access_token, tokens.refresh_token) == ("", None)
        profile = await connector.profile(BearerApi.of(connector, tokens), tokens)
        assert profile.email == "alice@example.test"
        assert connector.identity(profile, tokens) == IdentityKey(ISSUER, "alice-1")
        assert sender.urls == ["https://www.googleapis.com/oauth2/v3/certs"]

    async def test_the_bare_issuer_is_the_same_person(
        self, connect: Connect, google: Provider, claiming: Callable[..., None]
    ):
        connector = connect()
        claiming(iss="accounts.google.com")
        tokens = await connector.verify_credential(google.credential(nonce="n-1"), nonce="n-1")
        assert (tokens.claims or {})["iss"] == ISSUER

    @pytest.mark.parametrize("nonce", [None, "n-2"])
    async def test_its_nonce_must_be_the_one_that_was_sent(
        self, connect: Connect, google: Provider, nonce: str | None
    ):
        connector = connect()
        with pytest.raises(IdTokenRejected) as raised:
            await connector.verify_credential(google.credential(nonce="n-1"), nonce=nonce)
        assert raised.value.claim == "nonce"

    async def test_an_app_of_ours_is_an_audience_when_it_is_listed(
        self, hub: Hub, connect: Connect, google: Provider
    ):
        google.register("ios-app")
        credential = google.credential("ios-app", nonce="n-1")
        unlisted = connect()
        with pytest.raises(IdTokenRejected) as raised:
            await unlisted.verify_credential(credential, nonce="n-1")
        assert raised.value.claim == "aud"
        config = {"clientId": "client-1", "clientSecret": "s", "additionalAudiences": ["ios-app"]}
        listed = hub.add("apps", type="google", target="apps", config=config).connector
        assert isinstance(listed, VerifiesCredential)
        assert (await listed.verify_credential(credential, nonce="n-1")).claims

    async def test_another_apps_azp_is_refused(
        self, connect: Connect, google: Provider, claiming: Callable[..., None]
    ):
        connector = connect()
        claiming(azp="somebody-elses-app")
        with pytest.raises(IdTokenRejected):
            await connector.verify_credential(google.credential(nonce="n-1"), nonce="n-1")


class TestTokens:
    def test_the_connector_renews_and_revokes_and_takes_credentials(self, connect: Connect):
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
        self, connect: Connect, claims: dict[str, Any] | None, domains: set[str]
    ):
        connector = connect()
        assert isinstance(connector, VouchesForAddresses)
        assert domains == connector.email_domains(TokenSet(access_token="", claims=claims))

    async def test_google_has_no_logout_endpoint(self, connect: Connect):
        end = connect().end_session_uri(id_token_hint=None, post_logout_redirect_uri=None, state=None)
        assert await end is None

    async def test_a_refresh_goes_to_google_and_keeps_its_person_in_either_spelling(
        self, hub: Hub, connect: Connect, google: Provider, claiming: Callable[..., None]
    ):
        connector = connect({"offlineAccess": True})
        tokens = (await sign_in(hub, google)).tokens
        claiming(iss="accounts.google.com")
        renewed = await connector.refresh(tokens)
        assert renewed.access_token != tokens.access_token
        assert (renewed.claims or {})["iss"] == ISSUER
        assert google.requests.last("token").parameters["grant_type"] == "refresh_token"

    async def test_a_refresh_token_that_died_in_test_mode_is_an_invalid_grant(
        self, hub: Hub, connect: Connect, google: Provider
    ):
        connector = connect({"offlineAccess": True})
        tokens = (await sign_in(hub, google)).tokens
        expired = {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}
        google.answer_next("token", Response.json(expired, status=400))
        with pytest.raises(InvalidGrant):
            await connector.refresh(tokens)

    async def test_revoking_twice_in_one_is_googles_way_and_no_error(
        self, hub: Hub, connect: Connect, google: Provider
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

    async def test_a_revocation_that_failed_is_told(self, hub: Hub, connect: Connect, google: Provider):
        connector = connect()
        tokens = (await sign_in(hub, google)).tokens
        google.answer_next("revoke", Response.json({"error": "invalid_request"}, status=400))
        with pytest.raises(TokenEndpointError):
            await connector.revoke(tokens)

    def test_missing_scopes_compares_whatever_the_spelling(self, connect: Connect):
        missing = connect().missing_scopes
        assert missing(["openid", "email", PROFILE], ["openid", EMAIL, "profile"]) == set()
        assert missing([EMAIL, CALENDAR], ["openid", "email"]) == {CALENDAR}
        assert missing(["calendar.readonly"], [CALENDAR]) == {"calendar.readonly"}, (
            "no other is spelled twice"
        )


class TestAnEmulator:
    @pytest.fixture
    def google(self, clock: Clock) -> Provider:
        return make_google(clock, "http://localhost:4000")

    async def test_another_issuer_is_discovered_and_serves_everything(
        self, hub: Hub, connect: Connect, google: Provider, sender: Sender
    ):
        connector = connect({"issuer": google.issuer})
        completed = await sign_in(hub, google)
        assert completed.identity == IdentityKey(google.issuer, "alice-1")
        await connector.revoke(completed.tokens)
        assert all(url.startswith("http://localhost:4000/") for url in sender.urls)
        assert google.requests.count("discovery") == 1

    @pytest.mark.parametrize("iss", [ISSUER, "accounts.google.com"])
    async def test_it_cannot_speak_for_google(
        self, hub: Hub, connect: Connect, google: Provider, claiming: Callable[..., None], iss: str
    ):
        connect({"issuer": google.issuer})
        claiming(iss=iss)
        with pytest.raises(IdTokenRejected) as raised:
            await sign_in(hub, google)
        assert raised.value.claim == "iss"


async def test_a_sign_in_shows_no_secret(
    hub: Hub, connect: Connect, google: Provider, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    connector = connect({"offlineAccess": True})
    completed = await sign_in(hub, google)
    shown = " ".join((caplog.text, repr(completed), repr(connector), repr(connector.config)))
    assert not [secret for secret in google.secrets() if secret in shown]


def test_it_presents_itself_with_a_logo_and_a_guide(hub: Hub, connect: Connect):
    connect()
    entry = hub.connector("google")
    logo = entry.logo()
    assert not isinstance(logo, str)
    assert logo is not None
    assert logo.media_type == "image/svg+xml"
    assert (entry.target, entry.name["en"], entry.connector.relaxations()) == ("google", "Google", ())
