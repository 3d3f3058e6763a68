"""How many fresh tokens a second are served from the store, beside the same statements alone.

::

    python benchmarks/token_reads.py [--database postgresql://…]

``hub.access_token`` of a token that is fresh: two statements, one record opened. Beside it the same two
statements through the hub's driver, nothing made of the rows. Measured in turns, so that both meet the
same machine.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from connectors_core import ConnectorMetadata, Hub, Registry, ServerMetadata, TokenSet
from connectors_core.hub.keeping import ref_of
from connectors_core.oauth2 import OAuth2Connector
from connectors_core.profile import IdentityKey
from connectors_core.storage.migrations import upgrade
from connectors_core.stores import Identity
from connectors_core.vault import Keyring, sql

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


async def rate(read: Callable[[int], Awaitable[object]], *, seconds: float, callers: int) -> float:
    """Reads a second of ``callers`` that read one after the other."""
    until = time.perf_counter() + seconds
    begun, done = time.perf_counter(), 0

    async def caller(number: int) -> None:
        nonlocal done
        while time.perf_counter() < until:
            await read(number % OWNERS)
            done += 1
            number += callers

    await asyncio.gather(*(caller(number) for number in range(callers)))
    return done / (time.perf_counter() - begun)


async def measure(url: str, *, turns: int, callers: int) -> None:
    registry = Registry()
    registry.register(Reads)
    async with Hub(registry, database=url, keys=Keyring({"k": b"k" * 32})) as hub:
        await fill(hub)
        identities = hub._shared.identities
        of_owner = identities.OF_OWNER if hasattr(identities, "OF_OWNER") else None
        statement = (
            of_owner or "SELECT * FROM connectors_identities WHERE tenant = :tenant AND owner = :owner"
        )

        async def served(number: int) -> object:
            return await hub.access_token("reads", owner=f"user-{number}", min_ttl=60)

        async def alone(number: int) -> object:
            await hub.database.fetch(statement, {"tenant": "default", "owner": f"user-{number}"})
            key = {"tenant": "default", "identity": f"identity-{number}", "kind": "tokens"}
            return await hub.database.fetch(sql.FIND, key)

        pairs = []
        for _ in range(turns):
            bare = await rate(alone, seconds=1.0, callers=callers)
            pairs.append((await rate(served, seconds=1.0, callers=callers), bare))
        ours, bare = (statistics.median(side) for side in zip(*pairs, strict=True))
        share = statistics.median(a / b for a, b in pairs)
        print(
            f"{url.partition(':')[0]:10} callers {callers:3} | hub.access_token {ours:6.0f}/s | "
            f"statements alone {bare:6.0f}/s | {share:.0%}",
            flush=True,
        )


async def main(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory(prefix="connectors-reads-") as folder:
        url = options.database or f"sqlite:///{Path(folder) / 'reads.db'}"
        await asyncio.to_thread(upgrade, url)
        await measure(url, turns=options.turns, callers=options.callers)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--database", default="", help="a PostgreSQL URL; default: a SQLite file of its own")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--callers", type=int, default=16)
    asyncio.run(main(parser.parse_args()))
