"""What a browser takes to Google."""

from __future__ import annotations

import pytest

from connectors_core.errors import ConfigurationError
from connectors_core.hub import Hub
from connectors_core.transaction import Purpose

from .conftest import CALENDAR, CALLBACK, EMAIL, PROFILE, Connect, Sender, asked_for


async def test_it_goes_to_google_with_the_default_scopes_and_nothing_special(
    hub: Hub, connect: Connect, sender: Sender
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
    hub: Hub, connect: Connect, scope: str, sent: str
):
    connect({"scope": scope})
    assert (await asked_for(hub))["scope"] == sent


async def test_scopes_asked_for_later_come_behind_and_none_comes_twice(hub: Hub, connect: Connect):
    connect()
    sent = await asked_for(hub, scopes=[EMAIL, CALENDAR, CALENDAR, "openid"])
    assert sent["scope"] == f"openid profile email {CALENDAR}"


async def test_offline_access_is_refused_when_it_is_asked_for_later_too(hub: Hub, connect: Connect):
    connect({"offlineAccess": True})
    with pytest.raises(ConfigurationError, match="set offlineAccess"):
        await asked_for(hub, scopes=["offline_access"])


@pytest.mark.parametrize(
    "prompts", [["none"], ["consent"], ["select_account"], ["consent", "select_account"]]
)
async def test_prompts_are_sent_in_their_order(hub: Hub, connect: Connect, prompts: list[str]):
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


async def test_a_callers_own_prompt_gets_the_consent_too(hub: Hub, connect: Connect):
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
    hub: Hub, connect: Connect, prompts: list[str], prompt: str
):
    connect({"prompts": prompts})
    assert (await asked_for(hub, select_account=True))["prompt"] == prompt


async def test_the_hosted_domain_is_sent(hub: Hub, connect: Connect):
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
    hub: Hub, connect: Connect, configured: bool | None, purpose: Purpose, sent: str | None
):
    connect({} if configured is None else {"includeGrantedScopes": configured})
    owner = None if purpose is Purpose.SIGN_IN else "user:1"
    request = await asked_for(hub, purpose=purpose, owner=owner)
    assert request.get("include_granted_scopes") == sent
