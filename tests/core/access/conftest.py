"""A world in which time passes only when nobody has anything to do, and a provider of few words."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest

from connectors_core.access.access import Access
from connectors_core.access.held import Held
from connectors_core.access.timing import Timing
from connectors_core.connector import Connector, ConnectorConfig, NetworkPermission, Runtime
from connectors_core.errors import InvalidGrant, TokenEndpointError
from connectors_core.events import Event
from connectors_core.grants import GrantRef, Occasion
from connectors_core.metadata import ConnectorMetadata
from connectors_core.storage.memory_tokens import MemoryTokenStore
from connectors_core.tokens import TokenSet

T = TypeVar("T")
IDLE = 40
"""Turns of the loop after which whoever still waits, waits for time to pass."""


class World:
    """Time and chance under control. ``run`` lets time pass for as long as its argument takes."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0
        self.drawn = 0.5
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    def clock(self) -> float:
        return self.now

    def draw(self) -> float:
        return self.drawn

    async def sleep(self, seconds: float) -> None:
        future = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (self.now + seconds, self._count, future))
        await future

    async def settle(self) -> None:
        for _ in range(IDLE):
            await asyncio.sleep(0)

    async def run(self, work: Awaitable[T]) -> T:
        task = asyncio.ensure_future(work)
        await self.until(task.done)
        return await task

    async def until(self, done: Callable[[], bool]) -> None:
        for _ in range(10_000):
            await self.settle()
            if done():
                return
            while self._sleepers and self._sleepers[0][2].done():
                heapq.heappop(self._sleepers)
            assert self._sleepers, "everybody waits, and not for time"
            when, _, future = heapq.heappop(self._sleepers)
            self.now = max(self.now, when)
            future.set_result(None)
        raise AssertionError("no end")


class Scripted(Connector):
    """Answers refreshes by what stands in ``answers``, then with new tokens; counts what is asked."""

    id = "scripted"
    metadata = ConnectorMetadata(name={"en": "Scripted"})
    Config = ConnectorConfig

    def __init__(self, world: World, *, connector_id: str = "acme", rotation: str = "strict") -> None:
        runtime = Runtime(
            sender=None,  # type: ignore[arg-type]
            metadata_cache=None,  # type: ignore[arg-type]
            key_cache=None,  # type: ignore[arg-type]
            clock=world.clock,
            network=NetworkPermission(),
        )
        super().__init__(ConnectorConfig(), connector_id=connector_id, runtime=runtime)
        object.__setattr__(self, "seen", Seen(world))
        object.__setattr__(self, "rotation", rotation)

    seen: Seen

    async def authorization_uri(self, transaction: Any) -> str:
        raise AssertionError("a refresh asks a connector for nothing but the refresh")

    async def exchange(self, callback: Any, transaction: Any) -> TokenSet:
        raise AssertionError("a refresh asks a connector for nothing but the refresh")

    async def profile(self, api: Any, tokens: Any) -> Any:
        raise AssertionError("a refresh asks a connector for nothing but the refresh")

    async def refresh(self, tokens: TokenSet, *, scopes: Iterable[str] | None = None) -> TokenSet:
        seen = self.seen
        seen.asked.append((tokens.refresh_token, None if scopes is None else tuple(scopes)))
        seen.in_flight += 1
        seen.most_in_flight = max(seen.most_in_flight, seen.in_flight)
        try:
            asked_at = seen.world.now
            if seen.takes:
                await seen.world.sleep(seen.takes)
            answer = seen.answers.pop(0) if seen.answers else None
            if callable(answer):
                answer = answer()
            if isinstance(answer, Exception):
                raise answer
            if answer is not None:
                return answer
            seen.given += 1
            return TokenSet(
                access_token=f"access-{seen.given}",
                refresh_token=f"refresh-{seen.given}",
                expires_at=asked_at + seen.lifetime,
            )
        finally:
            seen.in_flight -= 1

    async def revoke(self, tokens: TokenSet) -> None:
        self.seen.revoked.append(tokens.refresh_token)


@dataclass
class Seen:
    world: World
    answers: list[Any] = field(default_factory=list)
    asked: list[tuple[str | None, tuple[str, ...] | None]] = field(default_factory=list)
    revoked: list[str | None] = field(default_factory=list)
    given: int = 0
    takes: float = 0.0
    lifetime: float = 3600.0
    in_flight: int = 0
    most_in_flight: int = 0


def refused(error: str, status: int = 400, **more: Any) -> TokenEndpointError:
    return TokenEndpointError(error, status=status, **more)


def dead() -> InvalidGrant:
    return InvalidGrant("invalid_grant", status=400)


def names(events: Iterable[Event]) -> list[str]:
    return [event.name for event in events]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def connector(world: World) -> Scripted:
    return Scripted(world)


@pytest.fixture
def store() -> MemoryTokenStore:
    return MemoryTokenStore()


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def new_access(world: World, events: list[Event]) -> Callable[..., Access]:
    """Another process, as far as the store can tell."""

    def make(**timing: Any) -> Access:
        return Access(
            clock=world.clock,
            observe=events.append,
            uptime=world.clock,
            sleep=world.sleep,
            draw=world.draw,
            timing=Timing(**timing),
        )

    return make


@pytest.fixture
def access(new_access: Callable[..., Access]) -> Access:
    return new_access()


@pytest.fixture
def held(connector: Scripted, store: MemoryTokenStore) -> Held:
    return Held(
        tenant="default",
        owner="user-1",
        identity="identity-1",
        target="acme-sso",
        connector=connector,
        store=store,
    )


@pytest.fixture
def keep(world: World, store: MemoryTokenStore) -> Callable[..., Awaitable[Any]]:
    """``await keep(left=…)``: store a set with so many seconds to live."""

    async def kept(
        *,
        left: float | None = 3600.0,
        lifetime: float = 3600.0,
        identity: str = "identity-1",
        refresh_token: str | None = "refresh-0",
        scopes: Iterable[str] = ("repo", "user"),
    ) -> Any:
        ref = GrantRef(
            tenant="default",
            owner="user-1",
            identity=identity,
            subject="42",
            connector="acme",
            target="acme-sso",
            issuer="https://issuer.test",
            urls=b"urls",
        )
        expires_at = None if left is None else world.now + left
        tokens = TokenSet(
            access_token="access-0",
            refresh_token=refresh_token,
            expires_at=expires_at,
            scopes=frozenset(scopes),
            scopes_stated=True,
        )
        stored_at = world.now if expires_at is None else expires_at - lifetime
        return await store.put(ref, tokens, occasion=Occasion.FIRST, now=min(stored_at, world.now))

    return kept
