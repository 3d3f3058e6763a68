"""How many fresh tokens a second a hub serves, beside a bare driver that fetches and opens the same.

::

    pip install aiosqlite greenlet          # peers; not needed by anything else
    python benchmarks/token_reads.py [--database postgresql://…]

``bare`` is what any program must do that keeps sealed tokens: the hub's own statement through
aiosqlite or psycopg, the data key unwrapped, the payload decrypted, its JSON read; no identity is
chosen, nothing is compared, no connector is asked. ``core`` is the same through SQLAlchemy core. All
take turns, so that what else the machine does hits all alike; printed are reads a second and the
process's CPU time for each, and the share of the bare driver's rate that ``hub.access_token`` has.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any

import psycopg
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from connectors_core import ConnectorMetadata, Hub, Registry, ServerMetadata, TokenSet
from connectors_core.hub.keeping import ref_of
from connectors_core.oauth2 import OAuth2Connector
from connectors_core.profile import IdentityKey
from connectors_core.storage.migrations import upgrade
from connectors_core.storage.placeholders import placeholders
from connectors_core.storage.postgresql import MOST_CONNECTIONS
from connectors_core.stores import Identity
from connectors_core.vault import Keyring, sql

KEY_BYTES = b"k" * 32
KEY = AESGCM(KEY_BYTES)
OWNERS = 200


class Reads(OAuth2Connector):
    """A connector that is never asked for anything."""

    id = "reads"
    metadata = ConnectorMetadata(name={"en": "Reads"})
    server = ServerMetadata(
        authorization_endpoint="https://reads.test/authorize", token_endpoint="https://reads.test/token"
    )


async def fill(hub: Hub) -> None:
    entry = hub.add("reads", config={"clientId": "c"}, token_storage=True)
    identities, keeping = hub._shared.identities, hub._shared.keeping
    assert identities is not None
    assert keeping is not None
    for number in range(OWNERS):
        identity = await identities.add(
            Identity(
                tenant="default",
                id=f"identity-{number}",
                owner=f"user-{number}",
                connector=entry.id,
                target=entry.target,
                group=entry.group,
                key=IdentityKey("https://reads.test", str(number)),
                profile={"name": "Somebody", "email": f"user{number}@example.test"},
            )
        )
        tokens = TokenSet(
            access_token="not-a-token-" + "x" * 180,
            refresh_token="not-a-token-" + "y" * 90,
            expires_at=time.time() + 86400,
            scopes=frozenset({"openid", "email"}),
        )
        store = keeping.store_of(identity)
        assert store is not None
        await store.put(ref_of(entry, identity), tokens, now=time.time())
        await store.touch("default", identity.id, now=time.time())


Read = Callable[[int], Awaitable[object]]
PARAMETERS = {"tenant": "default", "group": "reads", "kind": "tokens"}


def opened(row: Sequence[Any]) -> object:
    """The token set of a row of ``sql.LINKED``, as short as it can be written."""
    _, _, _, tenant, identity, owner, _, secret, kind, connector, target, issuer, _, urls, *rest = row
    kid, wrapped, payload = rest[-3:]
    texts = (tenant, owner, identity, connector, target, issuer)
    parts = [*map(str.encode, texts), urls, secret.encode(), kind.encode()]
    context = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    dek = KEY.decrypt(wrapped[:12], wrapped[12:], b"wrap\0" + kid.encode() + b"\0" + context)
    return json.loads(AESGCM(dek).decrypt(payload[1:13], payload[13:], b"payload\0" + context))


@asynccontextmanager
async def bare_sqlite(path: str) -> AsyncIterator[Read]:
    import aiosqlite

    async with aiosqlite.connect(path) as connection:

        async def read(number: int) -> object:
            parameters = {**PARAMETERS, "owner": f"user-{number}"}
            return opened(*await connection.execute_fetchall(sql.LINKED, parameters))

        yield read


@asynccontextmanager
async def bare_postgresql(url: str) -> AsyncIterator[Read]:
    """As many connections as the hub may have."""
    statement = placeholders(sql.LINKED)
    free: asyncio.LifoQueue[psycopg.AsyncConnection[Any]] = asyncio.LifoQueue()
    connections = [
        await psycopg.AsyncConnection.connect(url, autocommit=True) for _ in range(MOST_CONNECTIONS)
    ]
    for connection in connections:
        free.put_nowait(connection)

    async def read(number: int) -> object:
        connection = await free.get()
        try:
            cursor = await connection.execute(statement, {**PARAMETERS, "owner": f"user-{number}"})
            return opened(*await cursor.fetchall())
        finally:
            free.put_nowait(connection)

    yield read
    for connection in connections:
        await connection.close()


@asynccontextmanager
async def core(url: str) -> AsyncIterator[Read]:
    from sqlalchemy import text
    from sqlalchemy.ext.asyncio import create_async_engine

    scheme, _, rest = url.partition(":")
    driver = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg"}[scheme]
    engine = create_async_engine(f"{driver}:{rest}", pool_size=MOST_CONNECTIONS, max_overflow=0)
    statement = text(sql.LINKED)

    async def read(number: int) -> object:
        async with engine.connect() as connection:
            rows = await connection.execute(statement, {**PARAMETERS, "owner": f"user-{number}"})
            return opened(*rows.fetchall())

    yield read
    await engine.dispose()


@asynccontextmanager
async def served(url: str) -> AsyncIterator[Read]:
    registry = Registry()
    registry.register(Reads)
    async with Hub(registry, database=url, keys=Keyring({"k": KEY_BYTES})) as hub:
        await fill(hub)

        async def read(number: int) -> object:
            return await hub.access_token("reads", owner=f"user-{number}", min_ttl=60)

        yield read


async def rate(read: Read, *, seconds: float, callers: int) -> tuple[float, float]:
    """Reads a second of ``callers`` that read one after the other, and microseconds of CPU for each."""
    begun, used, done = time.perf_counter(), time.process_time(), 0
    until = begun + seconds

    async def caller(number: int) -> None:
        nonlocal done
        while time.perf_counter() < until:
            await read(number % OWNERS)
            done += 1
            number += callers

    await asyncio.gather(*(caller(number) for number in range(callers)))
    return done / (time.perf_counter() - begun), (time.process_time() - used) / done * 1e6


def share(sides: Sequence[tuple[float, float]], others: Sequence[tuple[float, float]], figure: int) -> float:
    """The median over turns of one side's figure divided by the other's of the same turn."""
    return median(mine[figure] / other[figure] for mine, other in zip(sides, others, strict=True))


async def measure(url: str, *, turns: int, callers: Sequence[int], seconds: float) -> None:
    store = url.partition(":")[0]
    bare = bare_sqlite(url.removeprefix("sqlite:///")) if store == "sqlite" else bare_postgresql(url)
    async with served(url) as ours, bare as theirs, core(url) as through_core:
        sides = {"hub": ours, "bare": theirs, "core": through_core}
        for count in callers:
            rates: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
            for turn in range(turns):
                for name in random.sample(list(sides), len(sides)):
                    figures = await rate(sides[name], seconds=seconds, callers=count)
                    if turn:  # the first one warms up
                        rates[name].append(figures)
            shown = [
                f"{name} {median(each for each, _ in rates[name]):6.0f}/s "
                f"{median(cpu for _, cpu in rates[name]):4.0f} µs"
                for name in sides
            ]
            shares = [
                f"{share(rates['hub'], rates[name], 0):.0%} of {name} "
                f"(CPU {share(rates[name], rates['hub'], 1):.0%})"
                for name in ("bare", "core")
            ]
            print(
                f"{store:10} | callers {count:3} | {' | '.join([*shown, *shares])}",
                flush=True,
            )


async def main(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory(prefix="connectors-reads-") as folder:
        url = options.database or f"sqlite:///{Path(folder) / 'reads.db'}"
        await asyncio.to_thread(upgrade, url)
        await measure(url, turns=options.turns + 1, callers=options.callers, seconds=options.seconds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--database", default="", help="a PostgreSQL URL; default: a SQLite file of its own")
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.3, help="of each turn and side")
    parser.add_argument("--callers", type=int, nargs="+", default=[1, 16])
    asyncio.run(main(parser.parse_args()))
