"""The audit trail: who did what to whose account and tokens, kept for a while and never changed.

Facts are events (``docs/hooks.md``), those of the hub and those of this host: one observer hears them all,
so none is written twice. What happened while a request was answered is written before its answer leaves.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import count
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connectors_core.errors import StorageError
from connectors_core.events import Event
from connectors_core.hookspecs import hookimpl
from connectors_core.stores import Database

RETENTION = 90 * 86400.0
"""Seconds that a fact is kept."""
SWEEP_MOST = 100
"""Facts too old to keep that one write removes at most."""
STRANGERS = 60
"""Facts by nobody about nobody, as anybody's requests can cause, that one process writes in a minute."""
LEFT_OUT = frozenset({"authorization.completed", "token.refreshed", "token.refresh_failed"})
"""Events that say what others say too, or nothing of a person's doing."""

_numbers = count()

log = logging.getLogger("connectors_host")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One row. ``actor`` is ``session:`` and the name of a session in lists, ``app:`` and an application's
    id, or ``provider``; empty for the host itself. ``outcome`` is ``done``, or the code of an error."""

    at: float
    kind: str
    owner: str | None
    actor: str
    target: str | None
    connector: str | None
    outcome: str


class Trail:
    """The table ``host_audit`` of one tenant: rows are added, and removed when their time is over.

    Their ids are in the order of time, and the next page begins after the last.
    """

    def __init__(self, database: Database, *, clock: Callable[[], float], tenant: str = "default") -> None:
        self._database = database
        self._clock = clock
        self._tenant = tenant
        self._minute, self._strangers = 0.0, 0

    def bounded(self, facts: Sequence[Fact]) -> list[Fact]:
        """``facts`` of one request, without those of strangers beyond ``STRANGERS`` a minute."""
        minute = self._clock() // 60
        if minute != self._minute:
            self._minute, self._strangers = minute, 0
        kept = []
        for fact in facts:
            if fact.owner is None and not fact.actor:
                self._strangers += 1
                if self._strangers == STRANGERS + 1:
                    log.warning("no more facts of strangers are in the audit trail for this minute")
                if self._strangers > STRANGERS:
                    continue
            kept.append(fact)
        return kept

    async def write(self, facts: Sequence[Fact]) -> None:
        """Add ``facts``, all or none. Raises StorageError."""
        if not facts:
            return
        insert = (
            "INSERT INTO host_audit (tenant, id, at, kind, owner, actor, target, connector, outcome)"
            " VALUES (:tenant, :id, :at, :kind, :owner, :actor, :target, :connector, :outcome)"
        )
        rows = [
            (insert, {"tenant": self._tenant, "id": _new_id(fact.at), **_columns(fact)}) for fact in facts
        ]
        old = {"tenant": self._tenant, "oldest": _oldest_id(self._clock() - RETENTION), "most": SWEEP_MOST}
        sweep = (
            "DELETE FROM host_audit WHERE tenant = :tenant AND id IN"
            " (SELECT id FROM host_audit WHERE tenant = :tenant AND id < :oldest LIMIT :most)"
        )
        await self._database.run([(sweep, old), *rows])

    async def of_owner(self, owner: str) -> list[Fact]:
        """What is known of one person, oldest first."""
        rows = await self._database.fetch(
            "SELECT at, kind, owner, actor, target, connector, outcome FROM host_audit"
            " WHERE tenant = :tenant AND owner = :owner AND id >= :oldest ORDER BY id",
            {
                "tenant": self._tenant,
                "owner": owner,
                "oldest": _oldest_id(self._clock() - RETENTION),
            },
        )
        names = Fact.__dataclass_fields__
        return [Fact(**dict(zip(names, row, strict=True))) for row in rows]


class Heard:
    """The facts of one request, or of what goes on between requests, until they are written."""

    def __init__(self, trail: Trail, *, onward: Heard | None = None) -> None:
        self.actor = ""
        self.trail = trail
        self.onward = onward
        self._events: list[Event] = []
        self._writing: asyncio.Task[None] | None = None
        self._over = False

    def hear(self, event: Event) -> None:
        """Take note of ``event``. After the end of a request it goes to what ``onward`` names."""
        if self._over and self.onward is not None:
            self.onward.hear(event)
            return
        self._events.append(event)
        if self.onward is None and (self._writing is None or self._writing.done()):
            self._writing = asyncio.create_task(self._write_soon())

    async def write(self) -> None:
        """Write what was heard. Raises StorageError, and then it is heard still."""
        events = list(self._events)
        facts = [_fact(event, self.actor) for event in events]
        await self.trail.write(facts if self.onward is None else self.trail.bounded(facts))
        del self._events[: len(events)]

    def end(self) -> None:
        """From now on nobody writes for this request: what comes belongs to what goes on between."""
        self._over = True
        while self.onward is not None and self._events:
            self.onward.hear(self._events.pop(0))

    async def settled(self) -> None:
        """Wait until everything that was heard between requests is written, or cannot be."""
        while self._writing is not None and not self._writing.done():
            await self._writing

    async def _write_soon(self) -> None:
        while self._events:
            try:
                await self.write()
            except StorageError as error:
                kinds = sorted({event.name for event in self._events})
                log.error("%d facts are not in the audit trail (%s): %s", len(self._events), kinds, error)
                self._events.clear()


_heard: ContextVar[Heard | None] = ContextVar("connectors_host_heard", default=None)


class Observer:
    """The plugin through which an open host hears what the hub and the host itself have to tell.

    ``between`` hears what no request is about: what was begun before, or by the host itself.
    """

    def __init__(self) -> None:
        self.between: Heard | None = None

    @hookimpl
    def observe(self, event: Event) -> None:
        heard = _heard.get()
        if heard is None or heard.onward is not self.between:
            heard = self.between
        if heard is not None and event.name not in LEFT_OUT:
            heard.hear(event)


@contextmanager
def hearing(heard: Heard) -> Iterator[Heard]:
    """Whatever happens inside, and in the tasks begun inside, is heard by ``heard``."""
    token = _heard.set(heard)
    try:
        yield heard
    finally:
        _heard.reset(token)


def acting(actor: str) -> None:
    """Say who acts in this request."""
    heard = _heard.get()
    if heard is not None:
        heard.actor = actor


class Audited:
    """Middleware: what happened in a request is in the trail before its answer leaves.

    Where it cannot be written the answer is 503, whatever it would have been: no token is handed out unseen.
    """

    def __init__(self, app: ASGIApp, *, observer: Observer, unavailable: ASGIApp) -> None:
        self.app = app
        self.observer = observer
        self.unavailable = unavailable

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        between = self.observer.between
        if scope["type"] != "http" or between is None:
            await self.app(scope, receive, send)
            return
        heard = Heard(between.trail, onward=between)
        refused = False

        async def recorded(message: Message) -> None:
            nonlocal refused
            if message["type"] == "http.response.start":
                try:
                    await heard.write()
                except StorageError as error:
                    log.error("what a request did is not in the audit trail: %s", error)
                    refused = True
                    await self.unavailable(scope, receive, send)
            if not refused:
                await send(message)

        try:
            with hearing(heard):
                await self.app(scope, receive, recorded)
        finally:
            heard.end()


def _fact(event: Event, actor: str) -> Fact:
    detail = event.detail
    app = detail.get("app")
    said = [detail[name] for name in ("outcome", "code", "reason", "occasion") if name in detail]
    return Fact(
        at=event.at,
        kind=event.name,
        owner=event.owner,
        actor=f"app:{app}" if app else actor,
        target=event.target,
        connector=event.connector,
        outcome=str(said[0]) if said else "done",
    )


def _columns(fact: Fact) -> dict[str, Any]:
    """Owner and target may be what a caller wrote in an address, and PostgreSQL keeps no NUL."""
    values = {name: getattr(fact, name) for name in Fact.__dataclass_fields__}
    texts = {name: value.replace("\0", "\ufffd") for name, value in values.items() if isinstance(value, str)}
    return values | texts


def _new_id(at: float) -> str:
    """Of one moment, those of one process are in the order in which they were heard."""
    return f"{_oldest_id(at)}{next(_numbers) % 16**6:06x}{secrets.token_hex(5)}"


def _oldest_id(at: float) -> str:
    """The least id of that moment: microseconds, in hexadecimal digits that sort as they count."""
    return f"{max(0, int(at * 1_000_000)):016x}"
