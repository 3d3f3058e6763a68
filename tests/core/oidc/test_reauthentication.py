"""How long ago people may have proved who they are, and how they are asked to do so anew."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from joserfc.jwk import ECKey

from connectors_core.errors import (
    ConfigurationError,
    IdTokenRejected,
)
from connectors_core.transaction import Purpose
from tests.core.oidc.op import (
    CALLBACK,
    NOW,
    Connect,
    Provider,
    claims_of,
    granted,
    query,
    sign,
    transaction,
)


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
