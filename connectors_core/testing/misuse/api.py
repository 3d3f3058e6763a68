"""What is asked of a provider's API and of its token endpoint, and how often."""

from __future__ import annotations

from typing import Any

from ... import errors
from ...oauth2 import (
    BearerApi,
)
from ...tokens import TokenSet
from ..provider import Fault, Response
from ..scenarios import Actor
from .mistake import Play, like, misuse, table


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
