"""The table of refreshes under way."""

from __future__ import annotations

import asyncio

from ..errors import ConnectorError, TemporarilyUnavailable
from ..grants import GrantState, StoredGrant
from .breaker import Breaker
from .flight import Flight, Surroundings, contained
from .held import Held
from .refresh import refresh

Place = tuple[asyncio.AbstractEventLoop, str, str]
"""A loop, a tenant and an identity."""


class Flights:
    """At most one refresh of a grant in each event loop, and a breaker for each connector.

    While ``draining`` no refresh begins, and those that only wait give up.
    """

    def __init__(self, around: Surroundings) -> None:
        self.draining = False
        self._around = around
        self._under_way: dict[Place, Flight] = {}
        self._breakers: dict[tuple[str, str], Breaker] = {}

    def __len__(self) -> int:
        return len(self._under_way)

    def join(self, held: Held, state: GrantState, until: float) -> Flight:
        """The refresh of ``held`` that is under way, or a new one, for somebody who waits ``until`` then.

        Raises TemporarilyUnavailable where none is to begin any more.
        """
        loop = asyncio.get_running_loop()
        key = (loop, held.tenant, held.identity)
        flight = self._under_way.get(key)
        if flight is None:
            if self.draining:
                raise TemporarilyUnavailable(retry_after=1.0)
            flight = Flight(held=held, since=state, until=until, answer=loop.create_future())
            # A refresh that nobody waits for may fail without anybody asking why.
            flight.answer.add_done_callback(lambda answer: answer.cancelled() or answer.exception())
            self._under_way[key] = flight
            flight.task = loop.create_task(self._fly(key, flight))
            # A task that is cancelled before its first step runs no ``finally``.
            flight.task.add_done_callback(lambda _: self._landed(key, flight))
        flight.until = max(flight.until, until)
        return flight

    async def comes(self, flight: Flight, *, within: float) -> bool:
        """Whether there is an answer, or a failure, ``within`` so many seconds."""
        if not flight.answer.done():
            await asyncio.wait([flight.answer], timeout=within)
        return flight.answer.done()

    async def answer(self, flight: Flight, give_up_at: float) -> StoredGrant:
        """What ``refresh`` returns or raises; TemporarilyUnavailable at ``give_up_at``."""
        if not flight.answer.done():
            left = give_up_at - self._around.uptime()
            await asyncio.wait([flight.answer], timeout=max(0.0, left))
        if not flight.answer.done():
            raise TemporarilyUnavailable(retry_after=1.0)
        error = flight.answer.exception()
        if isinstance(error, ConnectorError):
            raise error.with_traceback(None)
        return flight.answer.result()

    def breaker_of(self, held: Held) -> Breaker:
        at_fault = (held.tenant, held.connector.connector_id)
        breaker = self._breakers.get(at_fault)
        if breaker is None:
            breaker = self._breakers[at_fault] = Breaker(self._around.timing, self._around.draw)
        return breaker

    def last(self) -> list[asyncio.Task[None]]:
        """Begin none any more; the tasks of those of this loop."""
        self.draining = True
        loop = asyncio.get_running_loop()
        return [
            flight.task
            for (where, _, _), flight in list(self._under_way.items())
            if where is loop and flight.task is not None
        ]

    async def _fly(self, key: Place, flight: Flight) -> None:
        answer = flight.answer
        try:
            stored = await refresh(flight, self.breaker_of(flight.held), self._around)
            if not answer.done():
                answer.set_result(stored)
        except Exception as error:
            if not answer.done():
                answer.set_exception(contained(error, flight.held))
        finally:
            self._landed(key, flight)

    def _landed(self, key: Place, flight: Flight) -> None:
        if self._under_way.get(key) is flight:
            del self._under_way[key]
        if not flight.answer.done():
            flight.answer.set_exception(TemporarilyUnavailable(retry_after=1.0))
