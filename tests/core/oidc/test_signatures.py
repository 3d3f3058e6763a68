"""Whose signature counts: keys that rotate, keys that nobody knows, and the algorithms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey

from connectors_core.connector import Runtime
from connectors_core.errors import (
    IdTokenRejected,
)
from connectors_core.oidc import connector as oidc_connector
from connectors_core.oidc import id_token
from connectors_core.testing.plugin import Clock
from tests.core.oidc.op import (
    ACCESS_TOKEN,
    CALLBACK,
    CODE,
    FULL,
    Connect,
    Provider,
    claims_of,
    granted,
    published,
    sign,
    transaction,
)


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
