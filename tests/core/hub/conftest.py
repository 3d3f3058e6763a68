"""A hub with a vault, an audit that hears its events; and a hub with a vault in another region."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from connectors_core import Hub, Registry
from connectors_core.storage.database import OpenDatabase, open_database
from tests.core.hub.acme import KEYS, Acme, Audit
from tests.core.hub.regions import THEIRS, World, encoded


@pytest.fixture
def audit():
    return Audit()


@pytest.fixture
def registry(audit, monkeypatch):
    registry = Registry()
    registry.register(Acme)
    registry.plugins.register(audit)
    monkeypatch.setattr(Acme, "revoked", [])
    monkeypatch.setattr(Acme, "answers", [])
    return registry


@pytest.fixture
async def hub(registry, tmp_path, clock):
    url = f"sqlite:///{tmp_path}/hub.db"
    async with Hub(registry, database=url, keys=KEYS, clock=clock) as opened:
        opened.add("acme", token_storage=True)
        yield opened


@pytest.fixture(params=["sqlite", "postgresql"])
def eu_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/eu.db"
    url: str = request.getfixturevalue("postgres_schema")
    return url


@pytest.fixture
def world(tmp_path: Path, clock: Any, eu_url: str, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("EU_DATABASE", eu_url)
    monkeypatch.setenv("EU_KEYS", encoded("eu-1", THEIRS))
    return World(tmp_path, clock)


@pytest.fixture
async def eu(eu_url: str, world: World) -> AsyncIterator[OpenDatabase]:
    database = open_database(eu_url)
    yield database
    await database.aclose()
