"""A generic connector made from configuration as an operator writes it, before a provider in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from connectors_oidc import OIDC, OIDCProviderConfig
from joserfc.jwk import ECKey

from connectors_core.connector import Runtime, read_config
from connectors_core.oidc import DiscoveryCache, JwksCache
from connectors_core.testing.plugin import Clock
from tests.core.oidc.op import CLIENT, ISSUER, METADATA, NOW, Provider, published

SECRET = "canary-secret-" + "0" * 52


@pytest.fixture(scope="session")
def ec() -> ECKey:
    return ECKey.generate_key("P-256", {"kid": "ec-1"})


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture
def provider(clock: Clock, ec: ECKey) -> Provider:
    documents = {
        "/.well-known/openid-configuration": dict(METADATA),
        "/jwks": published(ec),
        "/userinfo": {"sub": "248289761001", "name": "Userinfo"},
    }
    return Provider(clock, documents)


@pytest.fixture
def runtime(provider: Provider, clock: Clock) -> Runtime:
    return Runtime(sender=provider, metadata_cache=DiscoveryCache(), key_cache=JwksCache(), clock=clock)


@pytest.fixture
def connect(runtime: Runtime) -> Callable[..., OIDC]:
    """``connect({"noncePolicy": "not-sent"})``: by issuer, with that too; ``...`` removes a key."""

    def connect(changes: Mapping[str, Any] | None = None) -> OIDC:
        plain = {"clientId": CLIENT, "clientSecret": SECRET, "issuer": ISSUER, **(changes or {})}
        data = {name: value for name, value in plain.items() if value is not ...}
        return OIDC(read_config(OIDCProviderConfig, data), connector_id="acme", runtime=runtime)

    return connect


LOGTO: dict[str, Any] = {
    "scope": "openid profile email",
    "clientId": CLIENT,
    "clientSecret": SECRET,
    "issuer": ...,
    "authorizationEndpoint": f"{ISSUER}/authorize",
    "tokenEndpoint": f"{ISSUER}/token",
    "idTokenVerificationConfig": {"jwksUri": f"{ISSUER}/jwks", "algorithms": ["ES256"]},
    "tokenEndpointAuthMethod": "client_secret_post",
    "authRequestOptionalConfig": {"responseType": "code", "tokenEndpoint": f"{ISSUER}/token"},
    "customConfig": {},
}
"""What Logto stores for its OIDC connector; it names no issuer."""


@pytest.fixture
def logto() -> dict[str, Any]:
    return dict(LOGTO)
