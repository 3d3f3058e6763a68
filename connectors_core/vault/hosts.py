"""The processes that have a vault open: each says every 30 seconds that it lives and which keys it has."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from ..errors import ConnectorError
from ..grants import KeyProvider
from ..stores import Database
from .key_states import FRESH_FOR
from .opening import HostKeys
from .sql import DATABASE_CLOCK

LIVE = 3 * FRESH_FOR
"""Seconds since its last word for which a host is taken to live."""

FORGET = 86400.0
"""Seconds since its last word after which a host is forgotten."""

_BEAT = """
    INSERT INTO connectors_vault_hosts (host, kids, started_at, seen_at) VALUES (:host, :kids, {now}, {now})
    ON CONFLICT (host) DO UPDATE SET kids = excluded.kids, seen_at = excluded.seen_at
"""
_SWEEP = "DELETE FROM connectors_vault_hosts WHERE seen_at < {now} - :most"
_ALL = "SELECT host, kids, {now} - seen_at FROM connectors_vault_hosts ORDER BY host"
_LEAVE = "DELETE FROM connectors_vault_hosts WHERE host = :host"


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A process that has the vault open, and the keys it can use. ``age``: seconds since its last word."""

    name: str
    kids: frozenset[str]
    age: float

    @property
    def live(self) -> bool:
        return self.age <= LIVE


class Hosts:
    """``shared``: times are the database's own, for several hosts on one PostgreSQL."""

    def __init__(
        self, database: Database, *, shared: bool = False, clock: Callable[[], float] = time.time
    ) -> None:
        self._database, self._clock = database, clock
        now = DATABASE_CLOCK if shared else "CAST(:now AS DOUBLE PRECISION)"
        self._beat, self._sweep, self._all = (sql.format(now=now) for sql in (_BEAT, _SWEEP, _ALL))

    async def beat(self, host: str, kids: Sequence[str]) -> None:
        """Write down that ``host`` lives and which keys it has; forget those that are long gone."""
        now = self._clock()
        its = {"host": host, "kids": json.dumps(list(kids)), "now": now}
        await self._database.run([(self._beat, its), (self._sweep, {"now": now, "most": FORGET})])

    async def all(self) -> Sequence[Host]:
        rows = await self._database.fetch(self._all, {"now": self._clock()})
        return [Host(name=name, kids=frozenset(json.loads(kids)), age=age) for name, kids, age in rows]

    async def leave(self, host: str) -> None:
        """Write down that ``host`` ends."""
        await self._database.fetch(_LEAVE, {"host": host})


class Heartbeat:
    """What a host does while its vault is open: takes up keys that are new, and says that it lives."""

    def __init__(self, keys: KeyProvider, hosts: Hosts, *, host: str | None = None) -> None:
        self.host = host or f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(4)}"
        self._keys, self._hosts = keys, hosts

    async def beat(self) -> None:
        """Once. Raises StorageError."""
        if isinstance(self._keys, HostKeys):
            await self._keys.follow()
        await self._hosts.beat(self.host, self._keys.kids())

    async def run(self) -> None:
        """Until cancelled, then say goodbye; a database that is away is tried again the next time."""
        try:
            while True:
                with suppress(ConnectorError):
                    await self.beat()
                await asyncio.sleep(FRESH_FOR)
        finally:
            with suppress(ConnectorError):
                await self._hosts.leave(self.host)
