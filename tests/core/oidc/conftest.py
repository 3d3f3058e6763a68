"""One provider, one clock, one connector a test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from joserfc.jwk import ECKey, OKPKey, RSAKey

from connectors_core.connector import Runtime
from connectors_core.oauth2 import BearerApi
from connectors_core.oidc import DiscoveryCache, JwksCache, OIDCConfig, OIDCConnector
from connectors_core.profile import IdentityKey, Profile
from connectors_core.testing.plugin import Clock
from tests.core.oidc.op import (
    CALLBACK,
    CLIENT,
    METADATA,
    NOW,
    Acme,
    Provider,
    claims_of,
    granted,
    published,
    sign,
    transaction,
)


@pytest.fixture(scope="session")
def ec() -> ECKey:
    return ECKey.generate_key("P-256", {"kid": "ec-1", "use": "sig", "alg": "ES256"})


@pytest.fixture(scope="session")
def other_ec() -> ECKey:
    return ECKey.generate_key("P-256", {"kid": "ec-2"})


@pytest.fixture(scope="session")
def rsa() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": "rsa-1"})


@pytest.fixture(scope="session")
def okp() -> OKPKey:
    return OKPKey.generate_key("Ed25519", {"kid": "okp-1"})


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture
def provider(clock: Clock, ec: ECKey) -> Provider:
    return Provider(
        clock,
        {
            "/.well-known/openid-configuration": dict(METADATA),
            "/jwks": published(ec),
            "/userinfo": {"sub": "248289761001", "name": "Jane Doe"},
        },
    )


@pytest.fixture
def runtime(provider: Provider, clock: Clock) -> Runtime:
    return Runtime(sender=provider, metadata_cache=DiscoveryCache(), key_cache=JwksCache(), clock=clock)


@pytest.fixture
def connect(runtime: Runtime) -> Callable[..., OIDCConnector]:
    """``connect(leeway=5)``: an Acme connector whose class states that too."""

    def connect(
        *, config: Mapping[str, Any] | None = None, runtime: Runtime = runtime, **attributes: Any
    ) -> OIDCConnector:
        cls = type("Acme", (Acme,), attributes)
        values = {"client_id": CLIENT, "client_secret": "canary-secret-" + "0" * 52, **(config or {})}
        return cls(OIDCConfig.model_validate(values), connector_id="acme-main", runtime=runtime)

    return connect


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
