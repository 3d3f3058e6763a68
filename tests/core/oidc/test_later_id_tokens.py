"""ID tokens outside an exchange: of a refresh, and a credential without a code."""

from __future__ import annotations

from typing import Any

import pytest
from joserfc.jwk import ECKey

from connectors_core.errors import (
    IdTokenRejected,
    NotSent,
)
from connectors_core.metadata import ServerMetadata
from connectors_core.oauth2 import BearerApi
from connectors_core.oidc import NoncePolicy, OIDCConnector
from tests.core.oidc.op import (
    ACCESS_TOKEN,
    CALLBACK,
    CLIENT,
    ISSUER,
    NONCE,
    Connect,
    Provider,
    claims_of,
    granted,
    refresh,
    sign,
    transaction,
)


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
