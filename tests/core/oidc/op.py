"""An OpenID provider in memory: its keys, its answers, and what was asked of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
from joserfc.jws import JWSRegistry
from joserfc.util import urlsafe_b64encode

from connectors_core.connector import NetworkPermission
from connectors_core.metadata import ConnectorMetadata, ServerMetadata
from connectors_core.oidc import OIDCConnector
from connectors_core.testing.plugin import Clock
from connectors_core.tokens import TokenSet
from connectors_core.transaction import Callback, Purpose, Transaction

NOW = 1_700_000_000.0
ISSUER = "https://op.example"
CLIENT = "client-1"
NONCE = "canary-nonce-0123456789"
ACCESS_TOKEN = "canary-access-token-0123456789"
CODE = "canary-code-0123456789"
CALLBACK = Callback(code=CODE)
TYPED_IN = ServerMetadata(
    issuer=ISSUER,
    authorization_endpoint=f"{ISSUER}/authorize",
    token_endpoint=f"{ISSUER}/token",
    jwks_uri=f"{ISSUER}/jwks",
)
THIN = ("openid",)
FULL = {"name": "Jane", "email": "jane@example.com", "email_verified": True}

Connect = Callable[..., OIDCConnector]


def segment(data: bytes | Mapping[str, Any]) -> str:
    octets = data if isinstance(data, bytes) else json.dumps(data).encode()
    return urlsafe_b64encode(octets).decode()


def sign(claims: Mapping[str, Any] | bytes, key: Any, *, algorithm: str = "ES256", **header: Any) -> str:
    """A compact JWS; ``claims`` may be any octets, ``header`` adds to and overrides alg and kid."""
    kid = {"kid": key.kid} if key.kid is not None else {}
    head = {"alg": algorithm, **kid, **header}
    head = {name: value for name, value in head.items() if value is not ...}
    signing_input = f"{segment(head)}.{segment(claims)}"
    signature = JWSRegistry.algorithms[algorithm].sign(signing_input.encode(), key)
    return f"{signing_input}.{segment(signature)}"


def claims_of(**changes: Any) -> dict[str, Any]:
    """The claims of a good ID token, with changes; ``...`` removes one."""
    claims = {
        "iss": ISSUER,
        "sub": "248289761001",
        "aud": CLIENT,
        "exp": NOW + 300,
        "iat": NOW,
        "nonce": NONCE,
    }
    return {name: value for name, value in {**claims, **changes}.items() if value is not ...}


def published(*keys: Any) -> dict[str, Any]:
    return {"keys": [key.as_dict(private=False) for key in keys]}


@dataclass
class Provider:
    """A Sender: answers by path, and remembers every request."""

    clock: Clock
    documents: dict[str, Any] = field(default_factory=dict)
    requests: list[httpx.Request] = field(default_factory=list)
    broken: Exception | None = None
    before: Callable[[], Any] | None = None

    async def send(
        self, request: httpx.Request, *, network: NetworkPermission, deadline: float | None = None
    ) -> httpx.Response:
        self.requests.append(request)
        if self.before is not None:
            await self.before()
        if self.broken is not None:
            raise self.broken
        found = self.documents.get(request.url.path)
        if found is None:
            return httpx.Response(404)
        return found if isinstance(found, httpx.Response) else httpx.Response(200, json=found)

    def asked(self, path: str) -> int:
        return sum(request.url.path == path for request in self.requests)


METADATA: dict[str, Any] = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/authorize",
    "token_endpoint": f"{ISSUER}/token",
    "userinfo_endpoint": f"{ISSUER}/userinfo",
    "jwks_uri": f"{ISSUER}/jwks",
    "end_session_endpoint": f"{ISSUER}/end",
    "id_token_signing_alg_values_supported": ["RS256", "ES256", "HS256", "none"],
    "subject_types_supported": ["public"],
}


class Acme(OIDCConnector):
    id = "acme"
    metadata = ConnectorMetadata(name={"en": "Acme"})
    issuer = ISSUER


def transaction(**changes: Any) -> Transaction:
    return replace(
        Transaction(
            tenant="default",
            connector="acme-main",
            purpose=Purpose.SIGN_IN,
            owner=None,
            redirect_uri="https://host.example/callback/acme-main",
            scopes=("openid", "profile", "email"),
            state="canary-state-0123456789",
            nonce=NONCE,
            code_verifier="canary-verifier-0123456789-0123456789-0123456789",
        ),
        **changes,
    )


def granted(id_token: str | None, **more: Any) -> httpx.Response:
    body = {"access_token": ACCESS_TOKEN, "token_type": "Bearer", "expires_in": 3600, **more}
    return httpx.Response(200, json=body if id_token is None else {**body, "id_token": id_token})


def tokens(claims: Mapping[str, Any] | None = None, **more: Any) -> TokenSet:
    return TokenSet(access_token=ACCESS_TOKEN, claims=claims, **more)


def query(uri: str) -> dict[str, str]:
    pairs = parse_qsl(urlsplit(uri).query, keep_blank_values=True, strict_parsing=True)
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


async def refresh(connector: OIDCConnector, before: Mapping[str, Any] | None) -> TokenSet:
    return await connector.refresh(tokens(before, refresh_token="canary-refresh-token-0123456789"))
