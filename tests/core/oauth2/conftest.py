"""A provider in memory: what was asked of it, and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl

import httpx
import pytest

from connectors_core.connector import NetworkPermission, Runtime, VerificationKeys
from connectors_core.metadata import ConnectorMetadata, ServerMetadata
from connectors_core.oauth2 import OAuth2Config, OAuth2Connector
from connectors_core.tokens import TokenSet
from connectors_core.transaction import Purpose, Transaction

NOW = 1_700_000_000.0


@dataclass
class FakeSender:
    """A Sender that records requests and answers from ``answers``, the last one again and again."""

    answers: list[httpx.Response | Exception] = field(default_factory=list)
    requests: list[httpx.Request] = field(default_factory=list)

    async def send(
        self, request: httpx.Request, *, network: NetworkPermission, deadline: float | None = None
    ) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        answer.request = request
        return answer

    def form(self, index: int = -1) -> dict[str, str]:
        pairs = parse_qsl(self.requests[index].content.decode(), keep_blank_values=True, strict_parsing=True)
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)


@dataclass
class FakeCaches:
    published: dict[str, ServerMetadata] = field(default_factory=dict)

    async def metadata(self, issuer: str, runtime: Runtime) -> ServerMetadata:
        return self.published[issuer]

    async def keys(self, jwks_uri: str, runtime: Runtime) -> VerificationKeys:
        raise AssertionError("plain OAuth needs no keys")

    async def newer(
        self, jwks_uri: str, runtime: Runtime, *, than: VerificationKeys
    ) -> VerificationKeys | None:
        raise AssertionError("plain OAuth needs no keys")


SERVER = ServerMetadata(
    authorization_endpoint="https://as.example/authorize",
    token_endpoint="https://as.example/token",
    userinfo_endpoint="https://api.example/me",
    revocation_endpoint="https://as.example/revoke",
)
ISSUER = "https://as.example"
DISCOVERED = ServerMetadata(
    issuer=ISSUER,
    authorization_endpoint="https://as.example/authorize",
    token_endpoint="https://as.example/token",
    discovered=True,
)
TOKENS = TokenSet(access_token="at", refresh_token="rt", scopes=frozenset({"profile"}))
GRANT = {"access_token": "at", "token_type": "bearer", "expires_in": 60}


def typed_in(**changes: object) -> ServerMetadata:
    return ServerMetadata(
        **{
            "authorization_endpoint": SERVER.authorization_endpoint,
            "token_endpoint": SERVER.token_endpoint,
            **changes,
        }
    )


class Acme(OAuth2Connector):
    id = "acme"
    metadata = ConnectorMetadata(name={"en": "Acme"})
    scopes = ("profile", "email")
    server = SERVER


@pytest.fixture
def sender() -> FakeSender:
    return FakeSender()


@pytest.fixture
def caches() -> FakeCaches:
    return FakeCaches()


@pytest.fixture
def runtime(sender: FakeSender, caches: FakeCaches) -> Runtime:
    return Runtime(sender=sender, metadata_cache=caches, key_cache=caches, clock=lambda: NOW)


@pytest.fixture
def acme() -> type[OAuth2Connector]:
    return Acme


@pytest.fixture
def make(runtime: Runtime) -> Callable[..., OAuth2Connector]:
    """Make a connector of ``kind`` with class attributes replaced; a leading ``config`` is its config."""

    def build(
        kind: type[OAuth2Connector] = Acme, config: dict[str, str] | None = None, **attributes: object
    ) -> OAuth2Connector:
        data = {"client_id": "client", "client_secret": "not-a-real-secret"} | (config or {})
        changed = type(kind.__name__, (kind,), attributes)
        return changed(
            OAuth2Config(**{k: v for k, v in data.items() if v is not None}),
            connector_id="acme-main",
            runtime=runtime,
        )

    return build


@pytest.fixture
def transaction() -> Callable[..., Transaction]:
    base = Transaction(
        tenant="default",
        connector="acme-main",
        purpose=Purpose.SIGN_IN,
        owner=None,
        redirect_uri="https://host.example/callback/acme-main",
        scopes=("profile", "email"),
        state="canary-state",
        nonce="canary-nonce",
        code_verifier="dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    )
    return lambda **changes: replace(base, **changes)
