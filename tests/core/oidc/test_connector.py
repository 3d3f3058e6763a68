"""What a connector can do, what it is told before any network, and whom it takes for the issuer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from connectors_core.connector import EndsSession, Refreshes, Revokes, VerifiesCredential
from connectors_core.errors import (
    ConfigurationError,
    ConnectorError,
    ConnectorMisconfigured,
    IdTokenRejected,
    NotSent,
)
from connectors_core.metadata import ServerMetadata
from connectors_core.oidc import OIDCConnector
from connectors_core.profile import IdentityKey, Profile
from tests.core.oidc.op import (
    CLIENT,
    FULL,
    ISSUER,
    METADATA,
    TYPED_IN,
    Connect,
    Provider,
    query,
    tokens,
    transaction,
)


def test_the_connector_can_do_what_it_says(connect: Connect) -> None:
    connector = connect()
    for ability in (Refreshes, Revokes, EndsSession, VerifiesCredential):
        assert isinstance(connector, ability)
    assert connector.relaxations() == ()


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
