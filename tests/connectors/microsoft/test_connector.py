"""What Microsoft does in its own way."""

from __future__ import annotations

import asyncio

import pytest
from connectors_microsoft import MicrosoftConfig

from connectors_core.connector import CallbackIssuer, read_config
from connectors_core.errors import ConfigurationError, IdTokenRejected, ProfileInvalid
from connectors_core.profile import IdentityKey
from connectors_core.testing.profiles.microsoft import PERSONAL, TENANT
from tests.connectors.microsoft.test_conformance import TestMicrosoft as Kit

OTHER = "11111111-2222-3333-4444-555555555555"


def play(act, *, claims=None, **config):
    kit = type("Kit", (Kit,), {"config": config, "claims": claims or {}})()

    async def played():
        async with kit._acting() as actor:
            await act(actor, actor.hub.connector("tested").connector)

    asyncio.run(played())


def of(tenant, **claims):
    return {"tid": tenant, "iss": f"https://login.microsoftonline.com/{tenant}/v2.0", **claims}


@pytest.mark.parametrize(
    ("wanted", "tenant", "let_in"),
    [
        ("common", TENANT, True),
        ("common", PERSONAL, True),
        ("organizations", TENANT, True),
        ("organizations", PERSONAL, False),
        ("consumers", PERSONAL, True),
        ("consumers", TENANT, False),
        (TENANT, TENANT, True),
        (TENANT.upper(), TENANT, True),
        (TENANT, OTHER, False),
        (TENANT, PERSONAL, False),
    ],
)
def test_only_accounts_of_the_configured_tenants_come_in(wanted, tenant, let_in):
    async def act(actor, connector):
        if let_in:
            key = IdentityKey(f"https://login.microsoftonline.com/{tenant}/v2.0", Kit.expected.id)
            assert (await actor.sign_in()).identity == key
        else:
            with pytest.raises(IdTokenRejected) as raised:
                await actor.sign_in()
            assert raised.value.claim == "iss"

    play(act, claims=of(tenant), tenantId=wanted)


@pytest.mark.parametrize(
    "claims",
    [
        {"tid": OTHER},
        {"iss": f"https://login.microsoftonline.com/{OTHER}/v2.0"},
        {"iss": "https://login.microsoftonline.com/{tenantid}/v2.0"},
        {"tid": "{tenantid}", "iss": "https://login.microsoftonline.com/{tenantid}/v2.0"},
        {"tid": "../evil", "iss": "https://login.microsoftonline.com/../evil/v2.0"},
        {"tid": None},
        {"tid": [TENANT]},
        {"iss": f"https://login.microsoftonline.us/{TENANT}/v2.0"},
    ],
)
def test_issuer_and_tenant_must_fit(claims):
    async def act(actor, connector):
        with pytest.raises(IdTokenRejected) as raised:
            await actor.sign_in()
        assert raised.value.claim == "iss"

    play(act, claims=claims)


@pytest.mark.parametrize(
    ("said", "verified"),
    [(True, True), (1, True), ("1", True), ("true", True), (False, False), (0, False), ("0", False),
     ("True?", False), (None, None), ([True], None)],
)  # fmt: skip
def test_an_address_is_verified_by_xms_edov_alone(said, verified):
    async def act(actor, connector):
        assert (await actor.sign_in()).profile.email_verified is verified

    play(act, claims={"xms_edov": said, "email_verified": True})


def test_without_object_id_there_is_no_profile():
    async def act(actor, connector):
        with pytest.raises(ProfileInvalid):
            await actor.sign_in()

    play(act, claims={"oid": None})


def test_the_callbacks_issuer_is_known_for_one_tenant_alone():
    async def one(actor, connector):
        issuer = f"https://login.microsoftonline.com/{TENANT}/v2.0"
        assert await connector.callback_issuer() == CallbackIssuer(issuer)

    async def several(actor, connector):
        assert await connector.callback_issuer() == CallbackIssuer()

    play(one, tenantId=TENANT)
    play(several)


def test_a_refresh_token_is_asked_for_without_the_consent_page():
    async def act(actor, connector):
        started = await actor.begin()
        assert "offline_access" in started.uri
        assert "prompt=login%20select_account" in started.uri

    play(act, scope="profile offline_access", prompts=["login", "select_account"])


@pytest.mark.parametrize(
    ("prompts", "sent"), [([], {"prompt": "select_account"}), (["login"], {}), (["consent"], {})]
)
def test_a_choice_of_accounts_is_asked_for_where_no_other_prompt_is_set(prompts, sent):
    async def act(actor, connector):
        assert await connector.select_account_parameters({}) == sent
        assert await connector.select_account_parameters({"prompt": "login"}) == {}

    play(act, prompts=prompts)


@pytest.mark.parametrize("tenant", ["contoso.onmicrosoft.com", "", "../common", "common/x"])
def test_a_tenant_is_an_id_or_one_of_three_words(tenant):
    config = {"clientId": "c", "clientSecret": "fake", "tenantId": tenant}
    with pytest.raises(ConfigurationError, match="tenantId"):
        read_config(MicrosoftConfig, config)


@pytest.mark.parametrize(
    ("asked", "granted", "missing"),
    [
        ({"Mail.Read"}, {"https://graph.microsoft.com/Mail.Read"}, set()),
        ({"https://graph.microsoft.com/Mail.Read"}, {"mail.read"}, set()),
        ({"offline_access", "User.Read"}, {"User.Read"}, set()),
        ({"Mail.Read", "User.Read"}, {"User.Read"}, {"Mail.Read"}),
        ({"https://other.example/Mail.Read"}, {"Mail.Read"}, {"https://other.example/Mail.Read"}),
    ],
)
def test_scopes_of_graph_are_the_same_in_either_spelling(asked, granted, missing):
    async def act(actor, connector):
        assert connector.missing_scopes(asked, granted) == missing

    play(act)


def test_a_national_cloud_has_its_own_addresses():
    async def act(actor, connector):
        server = await connector.server_metadata()
        assert server.token_endpoint == "https://login.microsoftonline.us/common/oauth2/v2.0/token"

    play(act, cloudInstance="https://login.microsoftonline.us/")
