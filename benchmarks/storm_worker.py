"""One process of callers in ``refresh_storm.py``, and the grants that they all call for."""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import threading
import time
from dataclasses import dataclass, field

from connectors_core.access.access import Access
from connectors_core.access.held import Held
from connectors_core.access.timing import Timing
from connectors_core.connector import FailureKind, NetworkPermission, Runtime
from connectors_core.errors import ConnectorError, ReauthorizationRequired
from connectors_core.events import Event
from connectors_core.grants import GrantRef, Occasion
from connectors_core.http import HttpSender
from connectors_core.http.transport import default_ssl_context
from connectors_core.metadata import ConnectorMetadata, ServerMetadata
from connectors_core.oauth2 import OAuth2Config, OAuth2Connector
from connectors_core.profile import IdentityKey
from connectors_core.storage.database import OpenDatabase, open_database
from connectors_core.storage.migrations import prepare
from connectors_core.storage.sql import SqlStores
from connectors_core.stores import Identity
from connectors_core.tokens import TokenSet
from connectors_core.vault import Keyring, Vault
from connectors_core.vault.key_states import KeyStates
from connectors_core.vault.rows import SqlSealedRows

KEYS = {"storm": b"not a secret, of 32 bytes length"}


class StormConnector(OAuth2Connector):
    """The connector under storm; says in each refresh which process sends it."""

    id = "storm"
    metadata = ConnectorMetadata(name={"en": "Storm"})


def connector_for(endpoint: str, rotation: str, sender: HttpSender, **config: str) -> StormConnector:
    runtime = Runtime(
        sender=sender,
        metadata_cache=None,  # type: ignore[arg-type]  # the endpoints are typed in
        key_cache=None,  # type: ignore[arg-type]
        clock=time.time,
        network=NetworkPermission(private=True),
    )
    server = ServerMetadata(
        authorization_endpoint=endpoint, token_endpoint=endpoint, token_endpoint_auth_methods_supported=None
    )
    attributes = {
        "server": server,
        "rotation": rotation,
        "refresh_parameters": {"worker": str(os.getpid())},
        "token_endpoint_auth_method": config.pop("auth_method", "client_secret_basic"),
    }
    kind = type("Stormed", (StormConnector,), attributes)
    made: StormConnector = kind(OAuth2Config(**config), connector_id="storm", runtime=runtime)
    return made


def reference(identity: str) -> GrantRef:
    return GrantRef(
        tenant="default",
        owner="user-1",
        identity=identity,
        subject=identity,
        connector="storm",
        target="storm",
        issuer="https://storm.test",
        urls=b"u" * 32,
        client="client-1",
    )


async def open_vault(url: str) -> tuple[OpenDatabase, Vault]:
    database = open_database(url)
    if url.startswith("sqlite"):
        await prepare(database)
    keys, states = Keyring(KEYS), KeyStates(database)
    await states.begin(keys, now=time.time())
    return database, Vault(SqlSealedRows(database, shared=not url.startswith("sqlite")), keys, states)


async def keep(database: OpenDatabase, vault: Vault, identity: str, tokens: TokenSet) -> None:
    ref = reference(identity)
    await SqlStores(database).identities.add(
        Identity(
            tenant=ref.tenant,
            id=identity,
            owner=ref.owner,
            connector=ref.connector,
            target=ref.target,
            group=ref.connector,
            key=IdentityKey(ref.issuer, ref.subject),
        )
    )
    await vault.put(ref, tokens, occasion=Occasion.FIRST, now=time.time())


@dataclass
class Tally:
    """What the callers of a process saw."""

    calls: int = 0
    failed: dict[str, int] = field(default_factory=dict)
    dead: int = 0
    expired: int = 0
    latest: float = 0.0
    longest: float = 0.0


async def work(url: str) -> None:
    """Serve runs that come as lines on standard input, until it ends."""
    database, vault = await open_vault(url)
    default_ssl_context()
    unknown: list[Event] = []

    def observe(event: Event) -> None:
        if event.detail.get("kind") == FailureKind.UNKNOWN:
            unknown.append(event)

    lines: asyncio.Queue[str] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    # A daemon: a worker that fails must end, and not wait for the next line.
    threading.Thread(target=_read_lines, args=(loop, lines), daemon=True).start()
    print("ready", flush=True)
    access, sender, endpoint = Access(observe=observe), HttpSender(), ""
    while line := await lines.get():
        run = json.loads(line)
        if run["endpoint"] != endpoint:
            await access.drain(5)
            await sender.aclose()
            timing = Timing(lease=run["lease"], request=run["deadline"], patience=run["patience"])
            access, sender = Access(observe=observe, timing=timing), HttpSender(deadline=run["deadline"])
            endpoint = run["endpoint"]
        held = Held(
            tenant="default",
            owner="user-1",
            identity=run["identity"],
            target="storm",
            connector=connector_for(endpoint, run["rotation"], sender, **run["config"]),
            store=vault,
        )
        tally = Tally()
        unknown.clear()
        until = time.monotonic() + run["seconds"]
        await asyncio.gather(
            *(_caller(access, held, tally, until, run["min_ttl"]) for _ in range(run["callers"]))
        )
        seen = {"worker": os.getpid(), "sent": sender.requests_sent, "unknown": len(unknown)}
        print(json.dumps({**tally.__dict__, **seen}), flush=True)
    await access.drain(5)
    await sender.aclose()
    await database.aclose()


def _read_lines(loop: asyncio.AbstractEventLoop, lines: asyncio.Queue[str]) -> None:
    for line in sys.stdin:
        loop.call_soon_threadsafe(lines.put_nowait, line)
    loop.call_soon_threadsafe(lines.put_nowait, "")


async def _caller(access: Access, held: Held, tally: Tally, until: float, min_ttl: float) -> None:
    while True:
        begun = time.monotonic()
        tally.calls += 1
        try:
            token = await access.token(held, min_ttl=min_ttl)
        except ReauthorizationRequired:
            tally.dead += 1
        except ConnectorError as error:
            name = type(error).__name__
            tally.failed[name] = tally.failed.get(name, 0) + 1
        else:
            tally.longest = max(tally.longest, time.monotonic() - begun)
            late = -1.0 if token.expires_at is None else time.time() - (token.expires_at - min_ttl)
            tally.expired += late >= 0
            tally.latest = max(tally.latest, late)
        if time.monotonic() >= until:
            return
        await asyncio.sleep(random.uniform(0.02, 0.25))  # noqa: S311


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1]))
