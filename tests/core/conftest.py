"""What the tests of the core share: an installation of their own, databases of their own."""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path

import pytest

from connectors_core.storage.database import OpenDatabase, open_database
from connectors_core.storage.migrations import prepare, upgrade

TYPES = "connectors_core.types"

CONNECTOR = """
from pydantic import SecretStr

from connectors_core.connector import Connector, ConnectorConfig
from connectors_core.metadata import ConnectorMetadata


class OneTap(ConnectorConfig):
    is_enabled: bool = False
    signing_secret: SecretStr | None = None


class Config(ConnectorConfig):
    client_id: str
    client_secret: SecretStr | None = None
    issuer: str | None = None
    scope: str | None = None
    one_tap: OneTap | None = None
    extra_secrets: dict[str, SecretStr] = {{}}


class Type(Connector):
    id = "{id}"
    metadata = ConnectorMetadata(name={{"en": "Test"}})
    Config = Config
    server = None

    @property
    def issuer(self):
        return self.config.issuer

    async def authorization_uri(self, transaction): ...

    async def exchange(self, callback, transaction): ...

    async def profile(self, api, tokens): ...
"""


class Installation:
    """A folder on ``sys.path`` with distributions in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(
        self,
        distribution: str,
        entry_points: Mapping[str, Mapping[str, str]],
        modules: Mapping[str, str] | None = None,
        *,
        version: str = "1.0",
    ) -> Path:
        """Install a distribution: groups of entry points, and modules by name with their source."""
        info = self.folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        lines = [
            f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in points.items())
            for group, points in entry_points.items()
        ]
        (info / "entry_points.txt").write_text("\n".join(lines))
        for name, source in (modules or {}).items():
            (self.folder / f"{name}.py").write_text(source)
        importlib.invalidate_caches()
        return info

    def connector(
        self, type_id: str, *, distribution: str = "", extra: str = "", version: str = "1.0"
    ) -> str:
        """Install a connector type, and return the name of its module."""
        distribution = distribution or f"acme-{type_id}"
        module = f"module_{distribution}_{type_id}".replace("-", "_")
        source = CONNECTOR.format(id=type_id) + extra
        self.add(distribution, {TYPES: {type_id: f"{module}:Type"}}, {module: source}, version=version)
        return module


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    folder = tmp_path / "site"
    folder.mkdir()
    everything = importlib.metadata.distributions
    monkeypatch.setattr(importlib.metadata, "distributions", lambda: everything(path=[str(folder)]))
    monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)
    yield Installation(folder)
    for name in set(sys.modules) - before:
        if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture(scope="session")
def postgres_schema_url(new_postgres_database: Callable[[], str]) -> str:
    """A database with our schema, shared by all tests: each leaves rows behind."""
    url = new_postgres_database()
    upgrade(url)
    return url


@pytest.fixture
def postgres_schema(postgres_schema_url: str) -> str:
    """The same without any rows."""
    import psycopg

    with psycopg.connect(postgres_schema_url) as connection:
        connection.execute(
            "DELETE FROM connectors_transactions; DELETE FROM connectors_handles;"
            "DELETE FROM connectors_identities; DELETE FROM connectors_revocations;"
            "DELETE FROM connectors_connector_secrets; DELETE FROM connectors_vault_keys;"
            "DELETE FROM connectors_vault_hosts"
        )
    return postgres_schema_url


@pytest.fixture(params=["sqlite in memory", "sqlite file", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    match request.param:
        case "sqlite in memory":
            return "sqlite://"
        case "sqlite file":
            return f"sqlite:///{tmp_path}/connectors.db"
        case _:
            url: str = request.getfixturevalue("postgres_schema")
            return url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[OpenDatabase]:
    """Each database that we have, with our schema and no rows."""
    opened = open_database(database_url)
    await prepare(opened)
    yield opened
    await opened.aclose()
