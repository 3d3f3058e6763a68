"""What hosts do, and what reaches them by a callback or out of a store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ... import errors
from ...storage.memory import MemoryStores
from ...transaction import Purpose
from ..scenarios import Actor
from .mistake import Play, like, misuse, sign_in, table

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
