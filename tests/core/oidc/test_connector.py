from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import pytest
from joserfc.jwk import ECKey, OctKey

from connectors_core.connector import EndsSession, Refreshes, Revokes, Runtime, VerifiesCredential
from connectors_core.errors import (
    ConfigurationError,
    ConnectorError,
    ConnectorMisconfigured,
    IdTokenRejected,
    NotSent,
    UserinfoMismatch,
)
from connectors_core.metadata import ServerMetadata
from connectors_core.oauth2 import BearerApi
from connectors_core.oidc import ClaimsSource, NoncePolicy, OIDCConnector, id_token
from connectors_core.oidc import connector as oidc_connector
from connectors_core.profile import IdentityKey, Profile
from connectors_core.tokens import TokenSet
from connectors_core.transaction import Callback, Purpose
from tests.canary import Canary
from tests.core.oidc.op import (
    ACCESS_TOKEN,
    CLIENT,
    CODE,
    ISSUER,
    METADATA,
    NONCE,
    NOW,
    Clock,
    Provider,
    claims_of,
    granted,
    published,
    query,
    sign,
    tokens,
    transaction,
)

Connect = Callable[..., OIDCConnector]
CALLBACK = Callback(code=CODE)
TYPED_IN = ServerMetadata(
    issuer=ISSUER,
    authorization_endpoint=f"{ISSUER}/authorize",
    token_endpoint=f"{ISSUER}/token",
    jwks_uri=f"{ISSUER}/jwks",
)
THIN = ("openid",)
FULL = {"name": "Jane", "email": "jane@example.com", "email_verified": True}


@pytest.fixture
def sign_in(provider: Provider, ec: ECKey) -> Callable[..., Any]:
    """``await sign_in(connector, name="Jane")``: exchange, profile and identity, with those claims."""

    async def sign_in(
        connector: OIDCConnector, *, scopes: tuple[str, ...] = ("openid", "profile", "email"), **claims: Any
    ) -> tuple[Profile, IdentityKey]:
        provider.documents["/token"] = granted(sign(claims_of(**claims), ec))
        granted_tokens = await connector.exchange(CALLBACK, transaction(scopes=scopes))
        profile = await connector.profile(BearerApi.of(connector, granted_tokens), granted_tokens)
        return profile, connector.identity(profile, granted_tokens)

    return sign_in


def test_the_connector_can_do_what_it_says(connect: Connect) -> None:
    connector = connect()
    for ability in (Refreshes, Revokes, EndsSession, VerifiesCredential):
        assert isinstance(connector, ability)
    assert connector.relaxations() == ()


async def test_the_request_carries_nonce_state_and_pkce(connect: Connect) -> None:
    sent = query(await connect().authorization_uri(transaction()))
    assert sent["nonce"] == NONCE
    assert sent["scope"] == "openid profile email"
    assert sent["code_challenge_method"] == "S256"
    assert not {"prompt", "max_age"} & sent.keys()


@pytest.mark.parametrize(
    ("configured", "asked", "expected"),
    [
        (None, None, ("openid", "profile", "email")),
        (None, ["calendar"], ("openid", "profile", "email", "calendar")),
        ("email", None, ("openid", "email")),
        ("email openid", ["email"], ("email", "openid")),
        ("", None, ("openid",)),
    ],
)
def test_openid_is_always_among_the_scopes(
    connect: Connect, configured: str | None, asked: list[str] | None, expected: tuple[str, ...]
) -> None:
    assert connect(config={"scope": configured}).scopes_to_request(asked) == expected


@pytest.mark.parametrize(
    ("stored", "prompt", "expected"),
    [
        (None, None, "consent"),
        (False, None, "consent"),
        (True, None, None),
        (True, "login", "login"),
        (None, "login", "login consent"),
        (None, "consent select_account", "consent select_account"),
        (None, "none", "none"),
    ],
)
async def test_consent_is_asked_for_where_no_refresh_token_is_known_to_be_stored(
    connect: Connect, stored: bool | None, prompt: str | None, expected: str | None
) -> None:
    parameters = {} if prompt is None else {"prompt": prompt}
    pending = transaction(
        scopes=("openid", "offline_access"), refresh_token_stored=stored, parameters=parameters
    )
    assert query(await connect().authorization_uri(pending)).get("prompt") == expected


async def test_without_offline_access_nobody_is_asked_for_consent(connect: Connect) -> None:
    assert "prompt" not in query(await connect().authorization_uri(transaction(refresh_token_stored=False)))


async def test_a_nonce_that_the_provider_cannot_take_is_not_sent(
    connect: Connect, sign_in: Callable[..., Any]
) -> None:
    connector = connect(nonce_policy=NoncePolicy.NOT_SENT, nonce_policy_because="Acme drops it")
    assert "nonce" not in query(await connector.authorization_uri(transaction()))
    assert await sign_in(connector, nonce=..., **FULL)
    with pytest.raises(IdTokenRejected, match="nonce"):
        await sign_in(connector, **FULL)
    (relaxation,) = connector.relaxations()
    assert (relaxation.name, relaxation.reason) == ("nonce_not_sent", "Acme drops it")


async def test_a_warm_sign_in_is_one_request_where_the_id_token_holds_the_profile(
    connect: Connect, provider: Provider, sign_in: Callable[..., Any]
) -> None:
    connector = connect()
    profile, identity = await sign_in(connector, **FULL)
    assert identity == IdentityKey(ISSUER, "248289761001")
    assert profile.id == "248289761001"
    assert (profile.name, profile.email, profile.email_verified) == ("Jane", "jane@example.com", True)
    assert len(provider.requests) == 3
    await sign_in(connector, **FULL)
    assert len(provider.requests) == 4


async def test_a_warm_sign_in_is_two_requests_where_userinfo_must_help(
    connect: Connect, provider: Provider, sign_in: Callable[..., Any]
) -> None:
    connector = connect()
    provider.documents["/userinfo"] = {"sub": "248289761001", "name": "Jane", "email": "j@example.com"}
    await sign_in(connector)
    before = len(provider.requests)
    profile, _ = await sign_in(connector)
    assert [request.url.path for request in provider.requests[before:]] == ["/token", "/userinfo"]
    assert provider.requests[-1].headers["Authorization"] == f"Bearer {ACCESS_TOKEN}"
    assert (profile.name, profile.email, profile.email_verified) == ("Jane", "j@example.com", None)


@pytest.mark.parametrize(
    ("source", "scopes", "claims", "asked", "name"),
    [
        ("auto", ("openid", "profile"), {}, 1, "Jane Doe"),
        ("auto", ("openid", "profile"), {"name": "Token"}, 0, "Token"),
        ("auto", ("openid", "email"), {"name": "Token"}, 1, "Jane Doe"),
        ("auto", ("openid", "email"), {"email": "a@example.com"}, 1, "Jane Doe"),
        ("auto", ("openid", "phone"), {**FULL}, 1, "Jane Doe"),
        ("auto", THIN, {}, 0, None),
        ("id_token", ("openid", "profile", "email"), {}, 0, None),
        ("userinfo", THIN, {"name": "Token"}, 1, "Jane Doe"),
        ("both", THIN, {"name": "Token", "picture": "https://op.example/p"}, 1, "Jane Doe"),
    ],
)
async def test_the_claims_source_decides_whether_userinfo_is_asked(
    connect: Connect,
    provider: Provider,
    sign_in: Callable[..., Any],
    source: str,
    scopes: tuple[str, ...],
    claims: Mapping[str, Any],
    asked: int,
    name: str | None,
) -> None:
    connector = connect(claims_source=ClaimsSource(source))
    profile, _ = await sign_in(connector, scopes=scopes, **claims)
    assert provider.asked("/userinfo") == asked
    assert profile.name == name
    assert profile.avatar == (claims.get("picture") if source == "both" else None)


async def test_userinfo_of_another_person_ends_the_sign_in(
    connect: Connect, provider: Provider, sign_in: Callable[..., Any]
) -> None:
    provider.documents["/userinfo"] = {"sub": "mallory", "name": "Mallory"}
    with pytest.raises(UserinfoMismatch):
        await sign_in(connect())


async def test_userinfo_cannot_change_who_signed_in(
    connect: Connect, provider: Provider, sign_in: Callable[..., Any]
) -> None:
    provider.documents["/userinfo"] = {"sub": "248289761001", "iss": "https://evil.example", "name": "Jane"}
    for source in ClaimsSource:
        profile, identity = await sign_in(connect(claims_source=source))
        assert identity == IdentityKey(ISSUER, "248289761001")
        assert profile.raw["iss"] == ISSUER


@pytest.mark.parametrize(
    "claims",
    [
        {"phone_number": "+15550100", "phone_number_verified": True},
        {"phone": "+15550100", "phone_verified": True},
    ],
)
async def test_phone_is_read_under_both_its_names(
    connect: Connect, sign_in: Callable[..., Any], claims: Mapping[str, Any]
) -> None:
    profile, _ = await sign_in(connect(), scopes=THIN, **claims)
    assert (profile.phone, profile.phone_verified) == ("+15550100", True)


async def test_an_exchange_without_an_id_token_is_no_sign_in(connect: Connect, provider: Provider) -> None:
    provider.documents["/token"] = granted(None)
    with pytest.raises(IdTokenRejected, match="id_token"):
        await connect().exchange(CALLBACK, transaction())


@pytest.mark.parametrize(
    ("changes", "claim"),
    [
        ({"nonce": "another"}, "nonce"),
        ({"iss": "https://evil.example"}, "iss"),
        ({"aud": "other"}, "aud"),
        ({"exp": NOW - 60}, "exp"),
        ({"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}, "at_hash"),
        ({"c_hash": "AAAAAAAAAAAAAAAAAAAAAA"}, "c_hash"),
    ],
)
async def test_an_id_token_that_does_not_hold_ends_the_sign_in(
    connect: Connect, sign_in: Callable[..., Any], canary: Canary, changes: Mapping[str, Any], claim: str
) -> None:
    with pytest.raises(IdTokenRejected) as caught:
        await sign_in(connect(), **changes)
    assert caught.value.claim == claim
    canary.check(caught.value)


async def test_a_c_hash_of_our_code_passes(connect: Connect, sign_in: Callable[..., Any]) -> None:
    from tests.core.oidc.test_id_token import half

    assert await sign_in(connect(), c_hash=half(CODE), **FULL)


async def test_a_signature_is_checked_once_whatever_hashes_the_id_token_has(
    connect: Connect, sign_in: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.core.oidc.test_id_token import half

    checked = []

    def check_signature(*arguments: Any) -> Any:
        checked.append(arguments)
        return id_token.check_signature(*arguments)

    monkeypatch.setattr(oidc_connector, "check_signature", check_signature)
    assert await sign_in(connect(), at_hash=half(ACCESS_TOKEN), c_hash=half(CODE), **FULL)
    assert len(checked) == 1


async def test_a_type_may_refuse_the_person_of_any_verified_id_token(
    connect: Connect, provider: Provider, ec: ECKey
) -> None:
    async def check_verified(
        self: OIDCConnector, claims: dict[str, Any], server: ServerMetadata
    ) -> dict[str, Any]:
        assert server.issuer == ISSUER
        if claims.get("tid") != "ours":
            raise IdTokenRejected("tid", expected="ours", actual="another")
        return {**claims, "seen": True}

    connector = connect(check_verified=check_verified)
    for claims, passes in ((claims_of(tid="ours"), True), (claims_of(tid="theirs"), False)):
        signed = sign(claims, ec)
        provider.documents["/token"] = granted(signed)
        for verified in (
            connector.exchange(CALLBACK, transaction()),
            refresh(connector, claims_of()),
            connector.verify_credential(signed, nonce=NONCE),
        ):
            if passes:
                assert (await verified).claims == {**claims, "seen": True}
                continue
            with pytest.raises(IdTokenRejected, match="tid"):
                await verified


async def test_a_check_that_cannot_be_made_loses_no_refreshed_token(
    connect: Connect, provider: Provider, ec: ECKey
) -> None:
    async def check_verified(self: OIDCConnector, claims: Any, server: ServerMetadata) -> Any:
        raise NotSent("refused")

    connector = connect(check_verified=check_verified)
    provider.documents["/token"] = granted(sign(claims_of(), ec))
    renewed = await refresh(connector, claims_of())
    assert (renewed.access_token, renewed.id_token, renewed.claims) == (ACCESS_TOKEN, None, None)


@pytest.mark.parametrize(
    ("attributes", "parameters", "auth_time", "sent"),
    [
        ({"max_age": 100}, {}, NOW - 160, "100"),
        ({"max_age": 100}, {}, ..., "100"),
        ({"max_age": 100}, {}, NOW - 161, "100"),
        ({}, {"max_age": "0"}, NOW - 60, "0"),
        ({}, {"max_age": "0"}, NOW - 61, "0"),
        ({"max_age": 100}, {"max_age": "10"}, NOW - 71, "10"),
        ({"max_age": 100}, {"max_age": "1000"}, NOW - 161, "100"),
        ({"authorization_parameters": {"max_age": "100"}}, {"max_age": "1000"}, NOW - 161, "100"),
        ({}, {}, NOW - 10_000, None),
    ],
)
async def test_the_shortest_max_age_is_sent_and_then_held_against_auth_time(
    connect: Connect,
    provider: Provider,
    ec: ECKey,
    attributes: dict[str, Any],
    parameters: dict[str, str],
    auth_time: Any,
    sent: str | None,
) -> None:
    connector, pending = connect(**attributes), transaction(parameters=parameters)
    assert query(await connector.authorization_uri(pending)).get("max_age") == sent
    provider.documents["/token"] = granted(sign(claims_of(auth_time=auth_time), ec))
    if sent is None or (auth_time is not ... and NOW - auth_time <= int(sent) + 60):
        assert await connector.exchange(CALLBACK, pending)
        return
    with pytest.raises(IdTokenRejected, match="auth_time"):
        await connector.exchange(CALLBACK, pending)


class TestChoosingAnAccount:
    @pytest.mark.parametrize(
        ("configured", "parameters", "prompt"),
        [
            ({}, {}, "select_account"),
            ({"prompt": "consent"}, {}, "consent select_account"),
            ({"prompt": "consent"}, {"prompt": "login"}, "login select_account"),
            ({"prompt": "none"}, {}, None),
            ({"prompt": "select_account consent"}, {}, None),
        ],
    )
    async def test_it_stands_beside_the_prompts_that_are_sent_anyway(
        self, connect: Connect, configured: Any, parameters: Any, prompt: str | None
    ) -> None:
        connector = connect(authorization_parameters=configured)
        assert (await connector.select_account_parameters(parameters)).get("prompt") == prompt

    @pytest.mark.parametrize(
        ("listed", "asked"),
        [(["none", "login"], False), (["none", "select_account"], True), ("anything", True), (None, True)],
    )
    async def test_a_server_that_lists_its_prompts_is_asked_for_those_alone(
        self, connect: Connect, provider: Provider, listed: Any, asked: bool
    ) -> None:
        document = dict(METADATA) | ({} if listed is None else {"prompt_values_supported": listed})
        provider.documents["/.well-known/openid-configuration"] = document
        assert bool(await connect().select_account_parameters({})) is asked

    async def test_a_type_may_say_that_its_provider_knows_it_not(self, connect: Connect) -> None:
        assert await connect(selects_account=False).select_account_parameters({}) == {}


class TestReauthentication:
    ANEW: ClassVar[dict[str, Any]] = {"purpose": Purpose.REAUTHENTICATE, "owner": "user:42"}

    async def test_the_person_is_to_prove_anew_who_they_are(self, connect: Connect) -> None:
        configured = {"authorization_parameters": {"prompt": "consent", "max_age": "100"}, "max_age": 50}
        sent = query(await connect(**configured).authorization_uri(transaction(**self.ANEW)))
        assert (sent["prompt"], sent["max_age"]) == ("login", "0")

    async def test_a_type_says_what_its_provider_knows(self, connect: Connect) -> None:
        connector = connect(reauthentication_parameters={"prompt": "select_account"})
        sent = query(await connector.authorization_uri(transaction(**self.ANEW)))
        assert sent["prompt"] == "select_account"
        assert "max_age" not in sent

    @pytest.mark.parametrize("auth_time", [NOW - 60, NOW, ...])
    async def test_a_sign_in_after_the_request_is_good_and_so_is_one_of_an_unknown_time(
        self, connect: Connect, provider: Provider, ec: ECKey, auth_time: Any
    ) -> None:
        provider.documents["/token"] = granted(sign(claims_of(auth_time=auth_time), ec))
        assert await connect().exchange(CALLBACK, transaction(created_at=NOW, **self.ANEW))

    @pytest.mark.parametrize("auth_time", [NOW - 62, "yesterday"])
    async def test_one_before_the_request_is_refused(
        self, connect: Connect, provider: Provider, ec: ECKey, auth_time: Any
    ) -> None:
        provider.documents["/token"] = granted(sign(claims_of(auth_time=auth_time), ec))
        with pytest.raises(IdTokenRejected, match="auth_time"):
            await connect().exchange(CALLBACK, transaction(created_at=NOW, **self.ANEW))

    async def test_for_anything_else_nobody_is_asked_anew(self, connect: Connect) -> None:
        sent = query(await connect().authorization_uri(transaction(purpose=Purpose.TOKENS, owner="user:42")))
        assert not {"prompt", "max_age"} & sent.keys()


@pytest.mark.parametrize("max_age", ["", "-1", "1.5", "x", "\u0663", "1" * 11])
async def test_a_max_age_that_is_no_number_of_seconds_is_refused(connect: Connect, max_age: str) -> None:
    with pytest.raises(ConfigurationError, match="max_age"):
        await connect().authorization_uri(transaction(parameters={"max_age": max_age}))


async def test_rotated_keys_are_fetched_once_and_the_sign_in_goes_on(
    connect: Connect, provider: Provider, other_ec: ECKey, sign_in: Callable[..., Any]
) -> None:
    connector = connect()
    await sign_in(connector, **FULL)
    provider.documents["/jwks"] = published(other_ec)
    provider.documents["/token"] = granted(sign(claims_of(**FULL), other_ec))
    assert (await connector.exchange(CALLBACK, transaction())).claims == claims_of(**FULL)
    assert provider.asked("/jwks") == 2


async def test_new_key_material_under_an_old_name_is_found_too(
    connect: Connect, provider: Provider, sign_in: Callable[..., Any]
) -> None:
    connector = connect()
    await sign_in(connector, **FULL)
    renewed = ECKey.generate_key("P-256", {"kid": "ec-1"})
    provider.documents["/jwks"] = published(renewed)
    provider.documents["/token"] = granted(sign(claims_of(**FULL), renewed))
    assert await connector.exchange(CALLBACK, transaction())
    assert provider.asked("/jwks") == 2


async def test_twenty_sign_ins_with_unknown_keys_cause_one_refetch(
    connect: Connect, provider: Provider, other_ec: ECKey, clock: Clock
) -> None:
    connector = connect()
    provider.documents["/token"] = granted(sign(claims_of(), other_ec))
    for _ in range(20):
        with pytest.raises(IdTokenRejected, match="kid"):
            await connector.exchange(CALLBACK, transaction())
    assert provider.asked("/jwks") == 2
    clock.now += 60
    with pytest.raises(IdTokenRejected, match="kid"):
        await connector.exchange(CALLBACK, transaction())
    assert provider.asked("/jwks") == 3


async def test_a_claim_that_does_not_hold_causes_no_refetch(
    connect: Connect, provider: Provider, sign_in: Callable[..., Any]
) -> None:
    with pytest.raises(IdTokenRejected):
        await sign_in(connect(), iss="https://evil.example")
    assert provider.asked("/jwks") == 1


async def test_algorithms_come_from_the_metadata_and_are_rs256_where_it_lists_none(
    connect: Connect, provider: Provider, sign_in: Callable[..., Any], runtime: Runtime
) -> None:
    document = provider.documents["/.well-known/openid-configuration"]
    for listed in (["RS256", "none", "HS256"], ["none"], [], None):
        document["id_token_signing_alg_values_supported"] = listed
        other = replace(runtime, tenant=str(listed))
        with pytest.raises(IdTokenRejected, match="alg: expected RS256, got ES256"):
            await sign_in(connect(runtime=other), **FULL)


async def test_configured_algorithms_win_over_the_metadata(
    connect: Connect, sign_in: Callable[..., Any]
) -> None:
    with pytest.raises(IdTokenRejected, match="alg: expected PS256, got ES256"):
        await sign_in(connect(id_token_algorithms=frozenset({"PS256"})), **FULL)


async def test_the_client_secret_signs_where_that_is_configured(connect: Connect, provider: Provider) -> None:
    connector = connect(id_token_algorithms=frozenset({"HS256"}))
    secret = connector.config.client_secret
    assert secret is not None
    octets = secret.get_secret_value().encode()
    provider.documents["/token"] = granted(sign(claims_of(), OctKey(octets, octets), algorithm="HS256"))
    assert (await connector.exchange(CALLBACK, transaction())).claims == claims_of()
    assert provider.asked("/jwks") == 0
    assert [relaxation.name for relaxation in connector.relaxations()] == ["symmetric_id_token"]


@pytest.mark.parametrize(
    ("attributes", "config", "message"),
    [
        ({"id_token_algorithms": frozenset({"none"})}, {}, "none cannot verify"),
        ({"id_token_algorithms": frozenset()}, {}, "names none"),
        ({"id_token_algorithms": frozenset({"HS512"})}, {"client_secret": "short"}, "64 bytes"),
        ({"id_token_algorithms": frozenset({"HS256"})}, {"client_secret": None}, "32 bytes"),
        ({"server": replace(TYPED_IN, jwks_uri=None)}, {}, "jwksUri"),
        ({"server": replace(TYPED_IN, issuer=None)}, {}, "issuer"),
    ],
)
def test_what_cannot_work_is_told_before_any_network(
    connect: Connect, attributes: dict[str, Any], config: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        connect(config=config, **attributes)


async def test_typed_in_endpoints_need_no_discovery(
    connect: Connect, provider: Provider, sign_in: Callable[..., Any]
) -> None:
    await sign_in(connect(server=TYPED_IN, id_token_algorithms=frozenset({"ES256"})), **FULL)
    assert [request.url.path for request in provider.requests] == ["/token", "/jwks"]


async def test_an_issuer_that_is_not_known_is_a_relaxation(
    connect: Connect, sign_in: Callable[..., Any]
) -> None:
    connector = connect(
        server=replace(TYPED_IN, issuer=None),
        issuer_unchecked_because="Acme has none",
        id_token_algorithms=frozenset({"ES256"}),
    )
    _, identity = await sign_in(connector, iss="https://any.example", **FULL)
    assert identity == IdentityKey("https://any.example", "248289761001")
    assert [(each.name, each.reason) for each in connector.relaxations()] == [
        ("issuer_unchecked", "Acme has none")
    ]


async def test_a_type_may_build_the_issuer_it_accepts_from_signed_claims(
    connect: Connect, sign_in: Callable[..., Any]
) -> None:
    def accepted(self: OIDCConnector, claims: Mapping[str, Any], server: ServerMetadata) -> frozenset[str]:
        return frozenset({f"{ISSUER}/{claims.get('tid')}"})

    connector = connect(accepted_issuers=accepted)
    _, identity = await sign_in(connector, tid="t1", iss=f"{ISSUER}/t1", **FULL)
    assert identity.issuer == f"{ISSUER}/t1"
    with pytest.raises(IdTokenRejected, match="iss"):
        await sign_in(connector, tid="t2", iss=f"{ISSUER}/t1", **FULL)


async def refresh(connector: OIDCConnector, before: Mapping[str, Any] | None) -> TokenSet:
    return await connector.refresh(tokens(before, refresh_token="canary-refresh-token-0123456789"))


async def test_a_refresh_may_come_without_an_id_token(connect: Connect, provider: Provider) -> None:
    provider.documents["/token"] = granted(None)
    assert (await refresh(connect(), claims_of())).claims is None


@pytest.mark.parametrize(
    ("before", "now", "claim"),
    [
        ({}, {"nonce": ...}, None),
        ({}, {}, None),
        ({"nonce": ...}, {}, None),
        ({}, {"nonce": "another"}, "nonce"),
        ({"sub": "another"}, {}, "sub"),
        ({"iss": "https://other.example"}, {}, "iss"),
        ({"aud": [CLIENT, "other"]}, {}, "aud"),
        ({"aud": [CLIENT]}, {}, None),
        (None, {}, None),
    ],
)
async def test_the_id_token_of_a_refresh_is_the_same_persons(
    connect: Connect,
    provider: Provider,
    ec: ECKey,
    before: dict[str, Any] | None,
    now: dict[str, Any],
    claim: str | None,
) -> None:
    provider.documents["/token"] = granted(sign(claims_of(**now), ec))
    previous = None if before is None else claims_of(**before)
    if claim is None:
        assert (await refresh(connect(), previous)).claims == claims_of(**now)
        return
    with pytest.raises(IdTokenRejected) as caught:
        await refresh(connect(), previous)
    assert caught.value.claim == claim


async def test_a_credential_is_verified_with_its_nonce_whatever_the_policy(
    connect: Connect, ec: ECKey, provider: Provider
) -> None:
    for policy in NoncePolicy:
        connector = connect(nonce_policy=policy)
        verified = await connector.verify_credential(sign(claims_of(), ec), nonce=NONCE)
        assert verified.claims == claims_of()
        assert (verified.access_token, verified.id_token) == ("", None)
        with pytest.raises(IdTokenRejected, match="nonce"):
            await connector.verify_credential(sign(claims_of(nonce=...), ec), nonce=NONCE)
        profile = await connector.profile(BearerApi.of(connector, verified), verified)
        assert profile.id == "248289761001"
    with pytest.raises(IdTokenRejected, match="nonce"):
        await connect().verify_credential(sign(claims_of(), ec), nonce=None)
    assert provider.asked("/userinfo") == 0


async def test_native_clients_of_ours_may_be_the_audience(connect: Connect, ec: ECKey) -> None:
    credential = sign(claims_of(aud="native-1"), ec)
    connector = connect(additional_audiences=frozenset({"native-1"}))
    assert await connector.verify_credential(credential, nonce=NONCE)
    with pytest.raises(IdTokenRejected, match="aud"):
        await connect().verify_credential(credential, nonce=NONCE)


async def test_leeway_and_age_of_tokens_are_held_and_a_longer_leeway_shows(
    connect: Connect, sign_in: Callable[..., Any]
) -> None:
    assert [each.name for each in connect(leeway=300.0).relaxations()] == ["leeway"]
    assert await sign_in(connect(leeway=300.0), exp=NOW - 299, **FULL)
    with pytest.raises(IdTokenRejected, match="exp"):
        await sign_in(connect(leeway=0.0), exp=NOW, **FULL)
    with pytest.raises(IdTokenRejected, match="iat"):
        await sign_in(connect(max_token_age=10.0), iat=NOW - 71, **FULL)


async def test_the_session_ends_at_the_provider_where_it_can(connect: Connect, provider: Provider) -> None:
    asked = {"id_token_hint": None, "post_logout_redirect_uri": "https://host.example/", "state": "s"}
    uri = await connect().end_session_uri(**asked)
    assert uri is not None
    assert query(uri) == {
        "client_id": CLIENT,
        "post_logout_redirect_uri": "https://host.example/",
        "state": "s",
    }
    assert await connect(server=TYPED_IN).end_session_uri(**asked) is None


async def test_a_provider_that_is_down_is_told_from_one_that_is_wrong(
    connect: Connect, provider: Provider
) -> None:
    provider.broken = NotSent("refused")
    with pytest.raises(NotSent):
        await connect().authorization_uri(transaction())


async def test_a_server_without_keys_is_the_operators_matter(
    connect: Connect, provider: Provider, sign_in: Callable[..., Any]
) -> None:
    provider.documents["/.well-known/openid-configuration"] = {**METADATA, "jwks_uri": None}
    with pytest.raises(ConnectorMisconfigured, match="jwks_uri"):
        await sign_in(connect())


def test_an_identity_needs_a_verified_id_token(connect: Connect) -> None:
    with pytest.raises(ConnectorError, match="ID token"):
        connect().identity(Profile(id="x"), tokens(None))
