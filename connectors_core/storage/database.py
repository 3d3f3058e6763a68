"""From a URL to a database."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from ..errors import ConfigurationError, Problem
from ..stores import Database


@runtime_checkable
class OpenDatabase(Database, Protocol):
    """A database that was opened from a URL, and what its schema's keeper needs to know of it."""

    async def has_table(self, name: str) -> bool: ...

    async def aclose(self) -> None:
        """Finish what is under way and close; every later call raises StorageError."""


def open_database(url: str) -> OpenDatabase:
    """Choose the database for ``url``; nothing is opened or connected before the first statement.

    ``sqlite:///relative.db``, ``sqlite:////absolute.db``, ``sqlite://`` (in memory, gone with the
    process), ``postgresql://user@host/name`` as libpq reads it. Raises ConfigurationError for
    anything else. The URL may hold a password and is never shown.
    """
    scheme, separator, rest = url.partition("://")
    if separator and scheme == "sqlite":
        return _sqlite(rest)
    if separator and scheme in ("postgresql", "postgres"):
        return _postgresql(url)
    cure = "use sqlite:///path/to/file.db or postgresql://user@host/name"
    if separator and scheme.startswith(("postgresql+", "postgres+")):
        cure = "leave the driver out: postgresql://user@host/name"
    elif separator and scheme.startswith("sqlite+"):
        cure = "leave the driver out: sqlite:///path/to/file.db"
    raise _problem("the database URL has no scheme that is known", cure)


def _sqlite(rest: str) -> OpenDatabase:
    from .sqlite import SqliteDatabase

    if rest in ("", "/:memory:"):
        return SqliteDatabase(None)
    host, slash, path = rest.partition("/")
    if host or not slash or not path:
        raise _problem(
            "the SQLite URL names no file",
            "use three slashes for a relative path (sqlite:///file.db), four for an absolute one",
        )
    if "?" in path or "#" in path:
        raise _problem("the SQLite URL has a query or fragment", "name the file alone; no options are read")
    return SqliteDatabase(path)


def _postgresql(url: str) -> OpenDatabase:
    try:
        from .postgresql import PostgresDatabase
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("psycopg"):
            raise
        raise _problem(
            "PostgreSQL needs the package psycopg", "pip install 'connectors-core[postgresql]'"
        ) from None
    return PostgresDatabase(url)


def _problem(message: str, cure: str) -> ConfigurationError:
    return ConfigurationError([Problem(("host", "database"), message, cure)])
