"""A hub with a vault, an audit that hears its events, and ``acme`` to sign in with."""

from __future__ import annotations

import pytest

from connectors_core import Hub, Registry
from tests.core.hub.acme import KEYS, Acme, Audit


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
