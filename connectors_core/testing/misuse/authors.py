"""What authors of connectors declare and write."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx

from ... import errors
from ...oidc import NoncePolicy, OIDCConnector, read_userinfo, verify_id_token
from ...profile import Profile
from ...tokens import TokenSet
from ..provider import case
from ..provider.cases import Edit
from ..provider.cases.case import ago, having
from ..scenarios import Actor
from .mistake import Play, doing, like, misuse, sign_in, table, typed_in


def _has(**attributes: Any) -> Play:
    async def play(actor: Actor) -> object:
        return await sign_in(actor, like(actor, **attributes))

    return play


async def _key_error(self: Any, api: Any, tokens: Any) -> Any:
    return dict[str, Any]()["id"]


async def _form_expected(actor: Actor) -> object:
    return await sign_in(actor, like(actor, token_response_encoding="form"))


misuse("author.form-expected", "declares forms where JSON comes", errors.InvalidTokenResponse)(_form_expected)
misuse("author.key-error", "lets a KeyError out", errors.ConnectorFault)(_has(profile=_key_error))
table(
    "author",
    errors.ConnectorMisconfigured,
    unknown_attribute=(
        "configures what the class has not",
        _has(configured=lambda self: {"issuer": "https://provider.test", "isuer": "x"}),
    ),
    plain_http=("discovers over plain http", _has(configured=lambda self: {"issuer": "http://id.example"})),
    no_token_endpoint=(
        "types in no token endpoint",
        _has(configured=lambda self: {"server": typed_in(token_endpoint=None)}),
    ),
    plain_token_endpoint=(
        "types in a token endpoint of plain http",
        _has(configured=lambda self: {"server": typed_in(token_endpoint="http://id.example/token")}),
    ),
    plain_keys=(
        "types in keys at plain http",
        _has(configured=lambda self: {"server": replace(typed_in(), jwks_uri="http://id.example/jwks")}),
    ),
    parameter_in_endpoint=(
        "types in an endpoint that carries the state",
        _has(
            configured=lambda self: {
                "server": typed_in(authorization_endpoint="https://provider.test/authorize?state=1")
            }
        ),
    ),
)
table(
    "author",
    errors.ConfigurationError,
    nowhere=(
        "names neither issuer nor endpoints",
        _has(configured=lambda self: {"issuer": None, "server": None}),
    ),
    reserved_parameter=(
        "sets the state by a declared parameter",
        _has(authorization_parameters={"state": "mine"}),
    ),
    no_keys=(
        "types in endpoints without keys",
        _has(configured=lambda self: {"server": replace(typed_in(), jwks_uri=None)}),
    ),
    no_issuer=(
        "types in endpoints without an issuer",
        _has(configured=lambda self: {"server": replace(typed_in(), issuer=None)}),
    ),
    unknown_method=(
        "names a client authentication that there is not",
        _has(token_endpoint_auth_method="client_secret_guess"),
    ),
    unknown_algorithm=("names an algorithm that there is not", _has(id_token_algorithms=frozenset({"XS1"}))),
)


@misuse("author.identity", "asks who it is without an ID token", errors.ConnectorMisconfigured)
async def _identity(actor: Actor) -> object:
    return like(actor).identity(Profile(id="alice-1"), TokenSet(access_token="fake"))


@misuse("author.issuer", "discovers an issuer of plain http by hand", errors.DiscoveryRejected)
async def _issuer(actor: Actor) -> object:
    return await like(actor).runtime.server_metadata("http://id.example")


def _rejects(*, deviation: str = "", claims: Edit | None = None, **attributes: Any) -> Play:
    """Signs in with other attributes where the ID token is not as usual."""

    async def play(actor: Actor) -> object:
        if deviation:
            actor.provider.deviate(deviation)
        if claims is not None:
            actor.provider.active.append(case("misuse.claims", "", "", None, claims=claims))
        return await sign_in(actor, like(actor, **attributes))

    return play


async def _credential(actor: Actor) -> object:
    connector = like(actor)
    assert isinstance(connector, OIDCConnector)
    return await connector.verify_credential(actor.provider.credential(), nonce=None)


table(
    "author",
    errors.IdTokenRejected,
    no_iss=(
        "accepts any issuer, and meets none",
        _rejects(deviation="id_token.iss-missing", accepted_issuers=lambda self, claims, server: None),
    ),
    other_typ=("asks for a typ of its own", _rejects(id_token_typ="own+jwt")),
    other_subject=("waits for another subject", _rejects(subject="bob-1")),
    old_token=(
        "asks for a token of this minute",
        _rejects(claims=ago("iat", 600), max_token_age=60.0),
    ),
    nonce_not_sent=(
        "sends no nonce, and gets one",
        _rejects(claims=having(nonce="n"), nonce_policy=NoncePolicy.NOT_SENT, nonce_policy_because="a test"),
    ),
    credential_without_nonce=("takes a credential without a nonce", _credential),
)


@misuse("author.logout", "types in a logout endpoint with our parameter", errors.ConnectorMisconfigured)
async def _logout(actor: Actor) -> object:
    endpoint = "https://provider.test/logout?client_id=1"
    server = replace(typed_in(), end_session_endpoint=endpoint)
    connector = like(actor, configured=lambda self: {"server": server})
    assert isinstance(connector, OIDCConnector)
    return await connector.end_session_uri(id_token_hint=None, post_logout_redirect_uri=None, state=None)


@misuse("author.late", "verifies an ID token after its time", errors.IdTokenRejected)
async def _late(actor: Actor) -> object:
    connector = like(actor)
    assert isinstance(connector, OIDCConnector)
    server = await connector.server_metadata()
    policy = replace(connector.id_token_policy(server), issuers=frozenset({actor.provider.issuer}))
    keys = await connector.runtime.key_cache.keys(actor.provider.url("jwks"), connector.runtime)
    token, late = actor.provider.credential(nonce="n"), actor.provider.clock() + 86400
    return verify_id_token(token, keys, policy, now=late, nonce="n")


misuse("author.userinfo", "reads userinfo of nobody, without an ID token", errors.UserinfoMismatch)(
    doing(lambda: read_userinfo(httpx.Response(200, json={"name": "Alice"}), subject=None))
)
