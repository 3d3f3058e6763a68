"""pytest fixtures: ``provider`` without sockets, ``provider_server`` on a loopback port, ``clock``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from .provider import Provider


@dataclass(slots=True)
class Clock:
    """Seconds since the epoch that pass only when told to."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def provider(clock: Clock) -> Provider:
    """A provider by the test's clock; reach it through ``provider.transport()``."""
    return Provider(clock=clock)


@pytest.fixture
async def provider_server(provider: Provider) -> AsyncIterator[Provider]:
    """The same provider on a loopback port."""
    async with provider.serving() as serving:
        yield serving
