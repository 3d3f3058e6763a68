"""What is sent to the authorization endpoint: scopes, nonce, and when consent or an account is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connectors_core.errors import (
    IdTokenRejected,
)
from connectors_core.oidc import NoncePolicy
from tests.core.oidc.op import (
    FULL,
    METADATA,
    NONCE,
    Connect,
    Provider,
    query,
    transaction,
)


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
