"""What hosts, operators and authors get wrong, each with the exception that must come of it.

The cases of ``provider`` are about providers; these are about those who stand on our side of the
wire. Each is played by an ``Actor`` whose connector ``tested`` is a discovered OpenID provider.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

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
from ..storage.memory import MemoryStores
from ..tokens import TokenSet
from ..transaction import Purpose
from .provider import Fault, Response, SigningKey
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
