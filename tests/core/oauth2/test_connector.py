from __future__ import annotations

from base64 import b64decode
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from connectors_core.connector import (
    CallbackIssuer,
    EndsSession,
    Refreshes,
    Revokes,
    VerifiesCredential,
    read_config,
)
from connectors_core.errors import (
    AnswerLost,
    ConfigurationError,
    ConnectorMisconfigured,
    InvalidGrant,
    InvalidResponse,
    InvalidTokenResponse,
    ReauthorizationRequired,
    Step,
    TokenEndpointError,
)
from connectors_core.metadata import ServerMetadata
from connectors_core.oauth2 import OAuth2Config, ProfileMap, read_signing_key
from connectors_core.profile import IdentityKey, Profile
from connectors_core.tokens import TokenSet
from connectors_core.transaction import Callback

from .conftest import NOW, SERVER

ISSUER = "https://as.example"
DISCOVERED = ServerMetadata(
    issuer=ISSUER,
    authorization_endpoint="https://as.example/authorize",
    token_endpoint="https://as.example/token",
    discovered=True,
)
TOKENS = TokenSet(access_token="at", refresh_token="rt", scopes=frozenset({"profile"}))
GRANT = {"access_token": "at", "token_type": "bearer", "expires_in": 60}


def query(uri: str) -> list[tuple[str, str]]:
    return parse_qsl(urlsplit(uri).query, keep_blank_values=True, strict_parsing=True)


def typed_in(**changes: object) -> ServerMetadata:
    return ServerMetadata(
        **{
            "authorization_endpoint": SERVER.authorization_endpoint,
            "token_endpoint": SERVER.token_endpoint,
            **changes,
        }
    )


async def test_the_authorization_request(make, transaction):
    uri = await make().authorization_uri(transaction())
    assert uri.startswith("https://as.example/authorize?response_type=code&client_id=client&")
    assert query(uri) == [
        ("response_type", "code"),
        ("client_id", "client"),
        ("redirect_uri", "https://host.example/callback/acme-main"),
        ("scope", "profile email"),
        ("state", "canary-state"),
        ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        ("code_challenge_method", "S256"),
    ]


@pytest.mark.parametrize(
    ("name", "attributes", "changes", "name_on_wire", "expected"),
    [
        ("PKCE off", {"pkce_off_because": "refused"}, {}, "code_challenge", None),
        ("PKCE off, method", {"pkce_off_because": "refused"}, {}, "code_challenge_method", None),
        ("a scope separator", {"scope_separator": ","}, {}, "scope", "profile,email"),
        ("no scope", {}, {"scopes": ()}, "scope", None),
        ("a response mode", {"response_mode": "form_post"}, {}, "response_mode", "form_post"),
        ("extras", {"authorization_parameters": {"accessType": "off line"}}, {}, "accessType", "off line"),
        ("an empty extra", {"authorization_parameters": {"x": ""}}, {}, "x", ""),
        ("the caller's", {}, {"parameters": {"login_hint": "a@x"}}, "login_hint", "a@x"),
        (
            "the caller's over the type's",
            {"authorization_parameters": {"prompt": "consent"}},
            {"parameters": {"prompt": "login"}},
            "prompt",
            "login",
        ),
        ("token parameters stay away", {"token_parameters": {"x": "1"}}, {}, "x", None),
        ("userinfo parameters stay away", {"userinfo_parameters": {"x": "1"}}, {}, "x", None),
    ],
)
async def test_on_the_authorization_request_is(
    name, attributes, changes, name_on_wire, expected, make, transaction
):
    uri = await make(**attributes).authorization_uri(transaction(**changes))
    assert dict(query(uri)).get(name_on_wire) == expected


async def test_the_authorization_endpoints_own_query_stays(make, transaction):
    server = typed_in(authorization_endpoint="https://as.example/a?p=B2C_1%20x")
    uri = await make(server=server).authorization_uri(transaction())
    assert uri.startswith("https://as.example/a?p=B2C_1%20x&response_type=code&")


async def test_a_caller_may_not_set_what_the_connector_sets(make, transaction):
    for name in ("state", "redirect_uri", "scope", "code_challenge_method", "nonce", "request_uri"):
        with pytest.raises(ConfigurationError) as caught:
            await make().authorization_uri(transaction(parameters={name: "canary"}))
        assert name in str(caught.value)


@pytest.mark.parametrize(
    ("attribute", "name"),
    [
        ("authorization_parameters", "state"),
        ("token_parameters", "code_verifier"),
        ("refresh_parameters", "scope"),
        ("userinfo_parameters", "access_token"),
    ],
)
def test_a_type_that_sets_a_reserved_parameter_is_refused_before_any_request(attribute, name, make):
    with pytest.raises(ConfigurationError) as caught:
        make(**{attribute: {name: "canary"}})
    assert caught.value.problems[0].path == (attribute, name)


async def test_the_exchange_sends_what_the_transaction_kept(make, sender, transaction):
    sender.answers = [httpx.Response(200, json=GRANT)]
    tokens = await make(token_parameters={"audience": "x"}).exchange(Callback(code="c"), transaction())
    assert str(sender.requests[0].url) == "https://as.example/token"
    assert sender.form() == {
        "grant_type": "authorization_code",
        "code": "c",
        "redirect_uri": "https://host.example/callback/acme-main",
        "code_verifier": transaction().code_verifier,
        "audience": "x",
        "client_id": "client",
        "client_secret": "not-a-real-secret",
    }
    assert tokens.expires_at == NOW + 60
    assert tokens.scopes == tokens.requested == {"profile", "email"}
    assert len(sender.requests) == 1


async def test_with_pkce_off_no_verifier_is_sent(make, sender, transaction):
    sender.answers = [httpx.Response(200, json=GRANT)]
    await make(pkce_off_because="refused").exchange(Callback(code="c"), transaction())
    assert "code_verifier" not in sender.form()


async def test_the_lifetime_counts_from_before_the_request_left(make, runtime, transaction):
    times = iter([NOW, NOW + 9])

    class Slow:
        async def send(self, request, *, network, deadline=None):
            next(times)
            return httpx.Response(200, json=GRANT)

    slow = type(runtime)(
        sender=Slow(),
        metadata_cache=runtime.metadata_cache,
        key_cache=runtime.key_cache,
        clock=lambda: next(times),
    )
    connector = type(make())(OAuth2Config(client_id="c"), connector_id="a", runtime=slow)
    tokens = await connector.exchange(Callback(code="c"), transaction())
    assert tokens.expires_at == NOW + 60


async def test_what_goes_wrong_in_the_exchange_is_told(make, sender, transaction):
    connector, callback = make(), Callback(code="canary-code")
    for answer, kind in (
        (
            httpx.Response(400, json={"error": "invalid_grant", "error_description": "canary-code"}),
            InvalidGrant,
        ),
        (httpx.Response(401, json={"error": "invalid_client"}), TokenEndpointError),
        (httpx.Response(200, json={"token_type": "mac"}), InvalidTokenResponse),
        (AnswerLost("cut"), AnswerLost),
    ):
        sender.answers = [answer]
        with pytest.raises(kind) as caught:
            await connector.exchange(callback, transaction())
        assert "canary" not in f"{caught.value} {getattr(caught.value, 'error_description', '')}"


async def test_accept_sees_the_transaction_on_exchange_and_the_old_grant_on_refresh(
    make, acme, sender, transaction
):
    seen = []

    async def accept(self, tokens, *, server, transaction, callback, previous):
        seen.append((server, transaction, callback, previous))
        return TokenSet(access_token="accepted")

    connector = make(accept=accept)
    sender.answers = [httpx.Response(200, json=GRANT)]
    assert (await connector.exchange(Callback(code="c"), transaction())).access_token == "accepted"
    assert (await connector.refresh(TOKENS)).access_token == "accepted"
    assert seen == [(SERVER, transaction(), Callback(code="c"), None), (SERVER, None, None, TOKENS)]


@pytest.mark.parametrize(
    ("scopes", "sent", "requested"),
    [(None, None, {"profile"}), (("a", "b", "a"), "a b", {"a", "b"}), ((), None, {"profile"})],
)
async def test_a_refresh_asks_for(scopes, sent, requested, make, sender):
    sender.answers = [httpx.Response(200, json=GRANT)]
    connector = make(refresh_parameters={"x": "1"}, token_parameters={"y": "1"})
    renewed = await connector.refresh(TOKENS, scopes=scopes)
    form = sender.form()
    assert "y" not in form
    assert (form["grant_type"], form["refresh_token"], form["x"]) == ("refresh_token", "rt", "1")
    assert form.get("scope") == sent
    assert renewed.requested == renewed.scopes == requested
    assert not renewed.scopes_stated


async def test_a_refresh_answer_is_not_merged(make, sender):
    sender.answers = [httpx.Response(200, json={"access_token": "new"})]
    renewed = await make().refresh(TOKENS)
    assert (renewed.access_token, renewed.refresh_token) == ("new", None)


async def test_a_dead_refresh_token_and_none_at_all(make, sender):
    sender.answers = [httpx.Response(200, json={"error": "invalid_grant"})]
    with pytest.raises(InvalidGrant) as caught:
        await make().refresh(TOKENS)
    assert caught.value.step is Step.REFRESH
    with pytest.raises(ReauthorizationRequired):
        await make().refresh(TokenSet(access_token="at"))
    assert len(sender.requests) == 1


async def test_revocation_begins_with_the_refresh_token(make, sender):
    sender.answers = [httpx.Response(200)]
    await make().revoke(TOKENS)
    assert [sender.form(i)["token"] for i in (0, 1)] == ["rt", "at"]
    assert [sender.form(i)["token_type_hint"] for i in (0, 1)] == ["refresh_token", "access_token"]
    await make().revoke(TokenSet(access_token="at"))
    assert len(sender.requests) == 3


async def test_a_token_that_is_not_there_is_not_revoked(make, sender):
    sender.answers = [httpx.Response(200)]
    await make().revoke(TokenSet(access_token="", refresh_token="rt"))
    assert [sender.form(i)["token"] for i in range(len(sender.requests))] == ["rt"]
    await make().revoke(TokenSet(access_token="", refresh_token=""))
    assert len(sender.requests) == 1


@pytest.mark.parametrize("key", ["clientId", "clientSecret"])
def test_an_empty_client_id_or_secret_is_none(key):
    with pytest.raises(ConfigurationError) as caught:
        read_config(OAuth2Config, {"clientId": "client", key: ""})
    assert [problem.path for problem in caught.value.problems] == [(key,)]


async def test_an_access_token_that_cannot_be_revoked_matters_when_it_is_all_there_is(make, sender):
    unsupported = httpx.Response(400, json={"error": "unsupported_token_type"})
    sender.answers = [httpx.Response(200), unsupported]
    await make().revoke(TOKENS)
    with pytest.raises(TokenEndpointError):
        await make().revoke(TokenSet(access_token="at"))
    with pytest.raises(TokenEndpointError):
        await make().revoke(TOKENS)


async def test_a_server_that_cannot_revoke_is_told(make):
    with pytest.raises(ConnectorMisconfigured) as caught:
        await make(server=typed_in()).revoke(TOKENS)
    assert caught.value.step is Step.REVOCATION


async def test_the_default_profile_is_userinfo_through_the_map(make, sender):
    sender.answers = [httpx.Response(200, json={"data": {"id": 5, "mail": "a@x"}, "name": "Ada"})]
    connector = make(
        profile_map=ProfileMap(id="data.id", email="data.mail"), userinfo_parameters={"fields": "id,mail"}
    )
    profile = await connector.profile(None, TOKENS)
    assert (profile.id, profile.email, profile.email_verified, profile.name) == ("5", "a@x", None, "Ada")
    request = sender.requests[0]
    assert str(request.url) == "https://api.example/me?fields=id%2Cmail"
    assert request.headers["Authorization"] == "Bearer at"


@pytest.mark.parametrize("body", [[], "x", 1, None])
async def test_userinfo_that_is_no_object_is_invalid(body, make, sender):
    sender.answers = [httpx.Response(200, json=body)]
    with pytest.raises(InvalidResponse):
        await make().profile(None, TOKENS)


async def test_without_a_userinfo_endpoint_there_is_no_default_profile(make):
    with pytest.raises(ConnectorMisconfigured) as caught:
        await make(server=typed_in()).profile(None, TOKENS)
    assert caught.value.step is Step.USERINFO


@pytest.mark.parametrize(
    ("scope", "separator", "asked", "expected"),
    [
        (None, " ", None, ("profile", "email")),
        (None, " ", ["repo", "email"], ("profile", "email", "repo")),
        ("a\tb\n c", " ", None, ("a", "b", "c")),
        ("a b", " ", ["c"], ("a", "b", "c")),
        ("a,b c", ",", None, ("a", "b", "c")),
        ("a,b", " ", None, ("a,b",)),
        ("", " ", None, ()),
        ("", " ", ["c"], ("c",)),
    ],
)
def test_scopes_to_request(scope, separator, asked, expected, make):
    connector = make(config={"scope": scope}, scope_separator=separator)
    assert connector.scopes_to_request(asked) == expected


async def test_discovery_serves_the_endpoints_and_the_method(make, sender, caches, transaction):
    caches.published[ISSUER] = DISCOVERED
    sender.answers = [httpx.Response(200, json=GRANT)]
    connector = make(server=None, issuer=ISSUER)
    assert (await connector.authorization_uri(transaction())).startswith("https://as.example/authorize?")
    await connector.exchange(Callback(code="c"), transaction())
    header = sender.requests[0].headers["Authorization"]
    assert b64decode(header.removeprefix("Basic ")) == b"client:not-a-real-secret"
    assert "client_secret" not in sender.form()


@pytest.mark.parametrize(
    ("name", "server", "attributes", "secret", "expected"),
    [
        ("typed in", SERVER, {}, "s", "client_secret_post"),
        ("typed in, public", SERVER, {}, None, "none"),
        ("discovered, silent", DISCOVERED, {}, "s", "client_secret_basic"),
        (
            "explicit",
            DISCOVERED,
            {"token_endpoint_auth_method": "client_secret_post"},
            "s",
            "client_secret_post",
        ),
    ],
)
def test_client_authentication(name, server, attributes, secret, expected, make):
    connector = make(config={"client_secret": secret}, server=server, **attributes)
    assert connector.client_authentication(server).method == expected


@pytest.mark.parametrize(
    "method", ["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt"]
)
@pytest.mark.parametrize("server", [SERVER, None])
def test_a_method_without_what_it_needs_is_refused_before_any_request(method, server, make):
    with pytest.raises(ConfigurationError):
        make(config={"client_secret": None}, server=server, issuer=ISSUER, token_endpoint_auth_method=method)


@pytest.mark.parametrize(
    ("audience", "server", "expected"),
    [
        ("issuer", DISCOVERED, ISSUER),
        ("token_endpoint", DISCOVERED, "https://as.example/token"),
        ("issuer", SERVER, "https://as.example/token"),
    ],
)
@pytest.mark.parametrize("method", ["client_secret_jwt", "private_key_jwt"])
async def test_an_assertion_is_for(audience, server, expected, method, make, sender, transaction):
    key = ECKey.generate_key("P-256")
    sender.answers = [httpx.Response(200, json=GRANT)]
    connector = make(
        server=server,
        token_endpoint_auth_method=method,
        client_assertion_audience=audience,
        signing_key=read_signing_key(key.as_pem(private=True).decode()),
    )
    await connector.exchange(Callback(code="c"), transaction())
    verifier = key if method == "private_key_jwt" else OctKey.import_key("not-a-real-secret")
    algorithm = "ES256" if method == "private_key_jwt" else "HS256"
    token = jwt.decode(sender.form()["client_assertion"], verifier, algorithms=[algorithm])
    assert token.claims["aud"] == expected
    assert "client_secret" not in sender.form()


async def test_an_assertion_for_revocation_has_the_audience_of_the_token_endpoint(make, sender):
    sender.answers = [httpx.Response(200)]
    await make(token_endpoint_auth_method="client_secret_jwt").revoke(TOKENS)
    token = jwt.decode(sender.form()["client_assertion"], OctKey.import_key("not-a-real-secret"))
    assert token.claims["aud"] == "https://as.example/token"


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


async def test_an_issuer_that_cannot_be_one_is_not_asked(make, transaction):
    for issuer in ("http://as.example", "https://as.example?x", ""):
        with pytest.raises(ConnectorMisconfigured):
            await make(server=None, issuer=issuer).authorization_uri(transaction())


def test_neither_server_nor_issuer_is_a_configuration_error(make):
    with pytest.raises(ConfigurationError):
        make(server=None)


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


def test_configuration_may_decide_attributes(make):
    def configured(self):
        return {"scope_separator": ",", "scopes": (self.config.client_id,)}

    connector = make(configured=configured)
    assert (connector.scope_separator, connector.scopes) == (",", ("client",))
    with pytest.raises(ConnectorMisconfigured):
        make(configured=lambda self: {"scope_seperator": ","})
    with pytest.raises(ConfigurationError):
        make(configured=lambda self: {"token_parameters": {"code": "x"}})


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


async def test_a_grant_of_the_servers_own_is_asked_for_as_the_client(make, sender):
    sender.answers = [httpx.Response(200, json={"access_token": "fake-long", "token_type": "bearer"})]
    form = {"grant_type": "fb_exchange_token", "fb_exchange_token": "canary-short"}
    tokens = await make().request_grant(form, requested={"email"})
    assert sender.form() == form | {"client_id": "client", "client_secret": "not-a-real-secret"}
    assert (tokens.access_token, tokens.requested) == ("fake-long", {"email"})


async def test_what_a_grant_of_the_servers_own_sends_is_not_shown(make, sender):
    error = {"error": "canary-short-token", "error_description": "canary-short-token is unknown"}
    sender.answers = [httpx.Response(400, json=error)]
    with pytest.raises(TokenEndpointError) as raised:
        await make().request_grant({"grant_type": "x", "token_to_exchange": "canary-short-token"})
    assert "canary" not in f"{raised.value} {raised.value.error} {raised.value.error_description}"
