"""One provider, one clock, one connector a test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from joserfc.jwk import ECKey, OKPKey, RSAKey

from connectors_core.connector import Runtime
from connectors_core.oidc import DiscoveryCache, JwksCache, OIDCConfig, OIDCConnector
from tests.core.oidc.op import CLIENT, METADATA, Acme, Clock, Provider, published


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
    return Clock()


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
