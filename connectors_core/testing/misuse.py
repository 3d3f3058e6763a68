"""What hosts, operators and authors get wrong, each with the exception that must come of it.

The cases of ``provider`` are about providers; these are about those who stand on our side of the
wire. Each is played by an ``Actor`` whose connector ``tested`` is a discovered OpenID provider.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import httpx

from .. import errors
from ..connector import Connector
from ..flow import begin, complete
from ..metadata import ServerMetadata
from ..oauth2 import (
    BearerApi,
    ClientAuthentication,
    OAuth2Connector,
    ProfileMap,
    append_query,
    build_code_request,
    build_refresh_request,
    choose_auth_method,
    read_json,
    read_signing_key,
    s256_code_challenge,
    sign_jwt,
)
from ..oidc import NoncePolicy, OIDCConnector, read_userinfo, verify_id_token
from ..profile import Profile
from ..storage.memory import MemoryStores
from ..tokens import TokenSet
from ..transaction import Purpose
from .provider import Fault, Response, SigningKey, case
from .provider.cases import Edit
from .provider.cases.case import ago, having
from .scenarios import Actor

Play = Callable[[Actor], Awaitable[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Misuse:
    """One mistake: ``expected`` is the exact exception, ``play`` makes the mistake."""

    name: str
    does: str
    expected: type[Exception]
    play: Play


MISUSE: dict[str, Misuse] = {}
"""Every mistake by its name, ``who.what``."""


def misuse(name: str, does: str, expected: type[Exception]) -> Callable[[Play], Play]:
    def keep(play: Play) -> Play:
        MISUSE[name] = Misuse(name=name, does=does, expected=expected, play=play)
        return play

    return keep


def table(who: str, expected: type[Exception], **plays: tuple[str, Play]) -> None:
    for name, (does, play) in plays.items():
        misuse(f"{who}.{name.replace('_', '-')}", does, expected)(play)


def like(actor: Actor, **attributes: Any) -> OAuth2Connector:
    """The tested connector with other attributes; a callable that takes ``self`` is a method."""
    tested = actor.hub.connector(actor.connector).connector
    kind = type("Misused", (type(tested),), attributes)
    made = kind(tested.config, connector_id="misused", runtime=tested.runtime)
    assert isinstance(made, OAuth2Connector)
    return made


def typed_in(**changes: str | None) -> ServerMetadata:
    base = "https://provider.test"
    known = {"authorization_endpoint": f"{base}/authorize", "token_endpoint": f"{base}/token"}
    return ServerMetadata(issuer=base, jwks_uri=f"{base}/jwks", **{**known, **changes})  # type: ignore[arg-type]


async def sign_in(actor: Actor, connector: Connector, stores: MemoryStores | None = None) -> Any:
    """A whole sign-in with a connector that no hub knows."""
    transactions = (stores or MemoryStores()).transactions
    started = await begin(connector, transactions, redirect_uri=actor.redirect_uri)
    landed = await actor.land(started)
    return await complete(landed, connector, transactions, binding=started.binding)


# Hosts

REDIRECT: Mapping[str, Any] = {"redirect_uri": "https://host.test/callback"}
table(
    "host",
    ValueError,
    sign_in_for_an_owner=(
        "begins a sign-in for somebody who is signed in",
        lambda actor: actor.hub.begin(actor.connector, **REDIRECT, owner="user:1"),
    ),
    link_for_nobody=(
        "begins linking without an owner",
        lambda actor: actor.hub.begin(actor.connector, **REDIRECT, purpose=Purpose.LINK),
    ),
    data_not_json=(
        "lets something travel along that is no JSON",
        lambda actor: actor.hub.begin(actor.connector, **REDIRECT, data={"when": object()}),
    ),
)
table(
    "host",
    errors.ConfigurationError,
    redirect_uri=(
        "names a redirect URI that cannot be one",
        lambda actor: actor.hub.begin(actor.connector, redirect_uri="http://host.example/callback"),
    ),
    reserved_parameter=(
        "sets the state itself",
        lambda actor: actor.hub.begin(actor.connector, **REDIRECT, parameters={"state": "mine"}),
    ),
    max_age=(
        "asks for a max_age that is no number",
        lambda actor: actor.hub.begin(actor.connector, **REDIRECT, parameters={"max_age": "soon"}),
    ),
)


@misuse("host.other-owner", "completes what was begun for somebody else", errors.OwnerMismatch)
async def _other_owner(actor: Actor) -> object:
    started = await actor.hub.begin(actor.connector, **REDIRECT, purpose=Purpose.LINK, owner="user:1")
    landed = await actor.land(started)
    return await actor.hub.complete(
        landed, connector=actor.connector, binding=started.binding, owner="user:2"
    )


@misuse("host.other-purpose", "completes a sign-in where only links are served", errors.InvalidCallback)
async def _other_purpose(actor: Actor) -> object:
    started = await actor.begin()
    landed = await actor.land(started)
    return await actor.hub.complete(
        landed, connector=actor.connector, binding=started.binding, purposes=(Purpose.LINK,)
    )


@misuse("host.no-binding", "completes without the browser's cookie", errors.StateMismatch)
async def _no_binding(actor: Actor) -> object:
    landed = await actor.land(await actor.begin())
    return await actor.hub.complete(landed, connector=actor.connector, binding=None)


def _receives(received: Any) -> Play:
    return lambda actor: actor.hub.complete(received, connector=actor.connector, binding="b" * 43)


GOOD = {"state": "s" * 43, "code": "c"}
table(
    "callback",
    errors.InvalidCallback,
    no_pairs=("parameters that are no pairs", _receives([1, 2])),
    no_pair_behind=("a state, a code and no pair", _receives([*GOOD.items(), 7])),
    no_text=("a value that is no text", _receives({**GOOD, "n": 7})),
    surrogate=("half of a character", _receives({**GOOD, "n": "\ud800"})),
    many=("a thousand parameters", _receives({**GOOD, **{f"n{n}": "x" for n in range(1000)}})),
    large=("a megabyte in one parameter", _receives({**GOOD, "n": "x" * (1 << 20)})),
    large_query=("a query of a megabyte", _receives(f"state={'s' * 43}&code=c&n={'x' * (1 << 20)}")),
    no_ascii=("bytes that are no query", _receives(b"state=\xff&code=c")),
)


def _spoilt(spoil: Callable[[bytes], bytes]) -> Play:
    async def play(actor: Actor) -> object:
        stores = MemoryStores()
        consume = stores.transactions.consume

        async def other(*arguments: Any, **options: Any) -> Any:
            row: Any = await consume(*arguments, **options)
            return replace(row, sealed=spoil(row.sealed))

        stores.transactions.consume = other  # type: ignore[method-assign]
        return await sign_in(actor, like(actor), stores)

    return play


table(
    "store",
    errors.StateMismatch,
    other_format=("gives back a row of another format", _spoilt(lambda sealed: b"\x7f" + sealed[1:])),
    changed=("gives back a changed row", _spoilt(lambda sealed: sealed[:-1] + bytes([sealed[-1] ^ 1]))),
)

# Authors


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


def _asks(
    url: str, *, answer: Response | Fault | None = None, token: str | None = None, **options: Any
) -> Play:
    """Asks the API with the token of a sign-in."""

    async def play(actor: Actor) -> object:
        tokens = (await actor.sign_in()).tokens
        if token is not None:
            tokens = TokenSet(access_token=token)
        if answer is not None:
            actor.provider.answer_next("api", answer)
        connector = actor.hub.connector(actor.connector).connector
        return await BearerApi.of(connector, tokens).get_json(url, **options)

    return play


ME = "https://provider.test/api/me"
table(
    "api",
    errors.ConnectorMisconfigured,
    other_host=("asks a host that may not have the token", _asks("https://other.test/api/me")),
    no_url=("asks what is no URL", _asks("javascript:alert(1)")),
    header=("sends a header with a line break", _asks(ME, headers={"x": "1\r\nauthorization: none"})),
    token=("holds a token with a line break", _asks(ME, token="a\r\nx: b")),
)
table(
    "api",
    errors.InvalidResponse,
    refused=("is refused, in JSON", _asks(ME, answer=Response.json({}, status=403))),
    no_json=("is answered by a page", _asks(ME, answer=Response.html("<p>"))),
)
misuse("api.overloaded", "meets an overloaded server", errors.ProviderUnavailable)(
    _asks(ME, answer=Response.json({}, status=503))
)


@misuse("api.refresh-without-token", "refreshes without a refresh token", errors.ReauthorizationRequired)
async def _no_refresh_token(actor: Actor) -> object:
    return await like(actor).refresh(TokenSet(access_token="fake"))


@misuse("api.revocation-refused", "may not revoke", errors.TokenEndpointError)
async def _revocation_refused(actor: Actor) -> object:
    tokens = (await actor.sign_in()).tokens
    actor.provider.answer_next("revoke", Response())
    actor.provider.answer_next("revoke", Response.json({"error": "invalid_client"}, status=401))
    await like(actor).revoke(tokens)
    return None


@misuse("traffic.keys", "has keys fetched anew for a token that no key could mend", errors.IdTokenRejected)
async def _keys_once(actor: Actor) -> object:
    actor.provider.deviate("id_token.alg-none-signed")
    try:
        return await actor.sign_in()
    except errors.IdTokenRejected:
        assert actor.provider.requests.count("jwks") == 1
        raise


@misuse("traffic.unknown-keys", "has keys fetched for every unknown kid", errors.IdTokenRejected)
async def _unknown_keys(actor: Actor) -> object:
    actor.provider.deviate("keys.unknown-kid")
    for _ in range(3):
        try:
            await actor.sign_in()
        except errors.IdTokenRejected as rejected:
            last = rejected
    assert actor.provider.requests.count("jwks") == 2
    raise last


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


# Operators: what a configuration hands to the functions beneath


def _does(act: Callable[[], object]) -> Play:
    async def play(actor: Actor) -> object:
        return act()

    return play


def _secret(**options: Any) -> ClientAuthentication:
    known: Mapping[str, Any] = {"method": "client_secret_basic", "client_id": "c", "client_secret": "fake"}
    return ClientAuthentication(**{**known, **options})


EC = SigningKey.make("ES256", kid="k")
REQUEST: Mapping[str, Any] = {
    "endpoint": "https://a.example/token",
    "authentication": _secret(),
    "now": 0.0,
}
CODE: Mapping[str, Any] = {"code": "c", "redirect_uri": "https://host.test/callback", "code_verifier": None}
OCTETS = json.dumps({"kty": "oct", "k": "ZmFrZS1zZWNyZXQ"})
table(
    "operator",
    errors.ConfigurationError,
    no_key=("gives text for a key", _does(lambda: read_signing_key("not a key"))),
    array_for_key=("gives an array for a key", _does(lambda: read_signing_key("{]"))),
    secret_for_key=("gives a secret for a private key", _does(lambda: read_signing_key(OCTETS))),
    public_key=("gives a public key", _does(lambda: read_signing_key(json.dumps(EC.jwk())))),
    key_of_other_algorithm=(
        "names an algorithm that the key cannot do",
        _does(lambda: read_signing_key(EC.pem(), algorithm="RS256")),
    ),
    unsayable_claims=(
        "signs what is no JSON",
        _does(lambda: sign_jwt({"when": object()}, read_signing_key(EC.pem()))),
    ),
    no_secret=("gives no secret", _does(lambda: _secret(client_secret=None))),
    unsayable_id=(
        "gives half of a character as client id",
        _does(lambda: _secret(client_id="\ud800").authenticate("https://a.example", {}, "", now=0.0)),
    ),
    reserved_token_parameter=(
        "sets the code by a parameter of its own",
        _does(lambda: build_code_request(**REQUEST, **CODE, parameters={"code": "mine"})),
    ),
    reserved_refresh_parameter=(
        "sets the refresh token by a parameter of its own",
        _does(
            lambda: build_refresh_request(
                **REQUEST, refresh_token="fake", scope=None, parameters={"refresh_token": "mine"}
            )
        ),
    ),
    no_path=("maps a profile by what is no path", _does(lambda: ProfileMap(name="a..b"))),
)
misuse("operator.unsayable-code", "redeems half of a character", errors.ConnectorMisconfigured)(
    _does(lambda: build_code_request(**REQUEST, **{**CODE, "code": "\ud800"}))
)
misuse("author.userinfo", "reads userinfo of nobody, without an ID token", errors.UserinfoMismatch)(
    _does(lambda: read_userinfo(httpx.Response(200, json={"name": "Alice"}), subject=None))
)
misuse("operator.no-common-method", "has no method that the server takes", errors.ConnectorMisconfigured)(
    _does(
        lambda: choose_auth_method(
            replace(typed_in(), token_endpoint_auth_methods_supported=("tls_client_auth",)),
            explicit=None,
            has_secret=True,
        )
    )
)
table(
    "operator",
    ValueError,
    no_json=("gives JSON that ends early", _does(lambda: read_json(b"{"))),
    half_character=(
        "gives half of a character as a parameter",
        _does(lambda: append_query("https://a.example", {"a": "\ud800"})),
    ),
    verifier=("gives a verifier that is not ASCII", _does(lambda: s256_code_challenge("\xe9" * 43))),
)
