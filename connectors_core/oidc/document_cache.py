"""Documents that a provider publishes: fetched when first needed, once for all who wait, and kept."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from ..errors import ConnectorError

MAX_ENTRIES = 10_000
STALE_LIFETIME = 86_400.0
"""Seconds after its fetch for which a document is still served while it cannot be fetched again."""
FAILURE_LIFETIME = 5.0
"""Seconds for which a failure is repeated to later callers instead of asking again."""
STALE_RETRY = 60.0
"""Seconds between attempts while a stale document is being served."""
FORCED_INTERVAL = 60.0
"""Seconds between fetches that are made although a fresh document is there."""

Document = TypeVar("Document")


@dataclass(frozen=True, slots=True)
class Fetched(Generic[Document]):
    """A document, and for how many seconds it counts as fresh."""

    document: Document
    lifetime: float


Fetch = Callable[[], Awaitable[Fetched[Document]]]


@dataclass(slots=True)
class _Entry(Generic[Document]):
    fetched: Fetched[Document] | None = None
    fetched_at: float = 0.0
    failure: ConnectorError | None = None
    failed_at: float = 0.0
    failure_lifetime: float = 0.0
    forced_at: float | None = None

    def fresh(self, now: float) -> bool:
        return self.fetched is not None and 0 <= now - self.fetched_at < self.fetched.lifetime

    def failing(self, now: float) -> bool:
        return self.failure is not None and 0 <= now - self.failed_at < self.failure_lifetime

    def usable(self, now: float) -> bool:
        return self.fetched is not None and now - self.fetched_at < STALE_LIFETIME

    def replaced(self, document: Document) -> Document | None:
        current = self.fetched.document if self.fetched else None
        return None if current is document else current


class DocumentCache(Generic[Document]):
    """Documents by key, at most ``entries`` of them; the least recently used goes first.

    Callers who need the same document at once share one fetch, which goes on when a caller is
    cancelled. A failed fetch is not repeated for FAILURE_LIFETIME; a document that was there
    before is served through an outage for up to STALE_LIFETIME.
    """

    def __init__(self, *, entries: int = MAX_ENTRIES) -> None:
        self._limit = entries
        self._entries: OrderedDict[Hashable, _Entry[Document]] = OrderedDict()
        self._flights: dict[Hashable, asyncio.Task[_Entry[Document]]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    async def get(self, key: Hashable, fetch: Fetch[Document], *, clock: Callable[[], float]) -> Document:
        """Return the document, from here or by ``fetch``. Raises what the fetch raised."""
        entry = self._entry(key)
        now = clock()
        if not entry.fresh(now) and not entry.failing(now):
            entry = await self._fly(key, entry, fetch, clock)
            now = clock()
        if entry.fetched is not None and (entry.failure is None or entry.usable(now)):
            return entry.fetched.document
        assert entry.failure is not None
        raise _again(entry.failure)

    async def newer(
        self, key: Hashable, fetch: Fetch[Document], *, than: Document, clock: Callable[[], float]
    ) -> Document | None:
        """Return a document that replaced ``than``, fetching it if none was forced lately, else None.

        None also where the fetch fails: what is there stays.
        """
        entry = self._entry(key)
        now = clock()
        if entry.replaced(than) is None:
            due = entry.forced_at is None or not 0 <= now - entry.forced_at < FORCED_INTERVAL
            if due:
                entry.forced_at = now
            if due or key in self._flights:
                entry = await self._fly(key, entry, fetch, clock)
        return entry.replaced(than)

    def _entry(self, key: Hashable) -> _Entry[Document]:
        entry = self._entries.setdefault(key, _Entry())
        self._entries.move_to_end(key)
        while len(self._entries) > self._limit:
            self._entries.popitem(last=False)
        return entry

    async def _fly(
        self, key: Hashable, entry: _Entry[Document], fetch: Fetch[Document], clock: Callable[[], float]
    ) -> _Entry[Document]:
        flight = self._flights.get(key)
        if flight is None or flight.get_loop() is not asyncio.get_running_loop():
            flight = asyncio.ensure_future(self._fetch(key, entry, fetch, clock))
            self._flights[key] = flight
        return await asyncio.shield(flight)

    async def _fetch(
        self, key: Hashable, entry: _Entry[Document], fetch: Fetch[Document], clock: Callable[[], float]
    ) -> _Entry[Document]:
        try:
            entry.fetched = await fetch()
            entry.fetched_at = clock()
            entry.failure = None
        except ConnectorError as failure:
            entry.failure, entry.failed_at = _again(failure), clock()
            entry.failure_lifetime = STALE_RETRY if entry.usable(entry.failed_at) else FAILURE_LIFETIME
        finally:
            if self._flights.get(key) is asyncio.current_task():
                del self._flights[key]
        return entry


def _again(failure: ConnectorError) -> ConnectorError:
    """A failure of the same kind for one more caller: an exception object belongs to one raise.

    It has neither traceback nor context, which keep alive what the frames of a fetch held.
    """
    again = type(failure).__new__(type(failure), *failure.args)
    again.__dict__.update(failure.__dict__)
    return again
