"""Runs alembic. The only module, with env.py and the scripts, that imports SQLAlchemy."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from ...errors import StorageError
from .. import sqlite
from . import refuse_newer

if TYPE_CHECKING:
    from . import Location

ADVISORY_LOCK = 0x636F6E6E6563746F
"""Held while a PostgreSQL schema is upgraded: "connecto" in ASCII."""


class _Borrowed:
    """A connection that SQLAlchemy may use but neither close nor change.

    It would add functions of its own, and its floor() hides SQLite's and fails on NULL.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def create_function(self, *arguments: object, **options: object) -> None: ...

    def close(self) -> None: ...


def upgrade_sqlite(connection: sqlite3.Connection, location: Location) -> None:
    """Upgrade through an open connection in autocommit mode; it stays open.

    Foreign keys are off meanwhile, because a batch migration drops and rebuilds tables, and
    dropping one would delete what refers to it; they are checked before the commit.
    """
    engine = create_engine("sqlite://", creator=lambda: _Borrowed(connection), poolclass=NullPool)
    connection.execute("PRAGMA foreign_keys = OFF")
    try:
        with engine.connect() as bound, bound.begin():
            bound.exec_driver_sql("BEGIN IMMEDIATE")
            _upgrade(bound, location)
            broken = bound.exec_driver_sql("PRAGMA foreign_key_check").first()
            if broken is not None:
                raise StorageError(
                    f"the migration of {location.name} breaks a foreign key of table {broken[0]}"
                )
    except (SQLAlchemyError, CommandError, sqlite3.Error) as error:
        raise _refused(error, location, sqlite.said) from None
    finally:
        if connection.in_transaction:
            connection.rollback()
        connection.execute("PRAGMA foreign_keys = ON")


def upgrade_postgresql(url: str, location: Location) -> None:
    """Upgrade in one transaction; other upgrades of any of our locations wait for it."""
    from .. import postgresql

    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: postgresql.connect_blocking(url), poolclass=NullPool
    )
    try:
        with engine.begin() as bound:
            bound.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
            _upgrade(bound, location)
    except (SQLAlchemyError, CommandError) as error:
        raise _refused(error, location, postgresql.said) from None


_one_at_a_time = threading.Lock()
"""Alembic's ``op`` and ``context`` are the process's: two upgrades would write into each other's database."""


def _upgrade(connection: Connection, location: Location) -> None:
    with _one_at_a_time:
        _upgraded(connection, location)


def _upgraded(connection: Connection, location: Location) -> None:
    context = MigrationContext.configure(connection, opts={"version_table": location.version_table})
    refuse_newer(context.get_current_revision(), location)
    config = Config()
    config.set_main_option("script_location", _literal(Path(__file__).parent))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", _literal(location.directory / "versions"))
    config.attributes["connection"] = connection
    config.attributes["version_table"] = location.version_table
    command.upgrade(config, "head")


def _literal(path: Path) -> str:
    """Alembic's configuration interpolates ``%``."""
    return str(path).replace("%", "%%")


def _refused(error: Exception, location: Location, said: Callable[[Any], str]) -> StorageError:
    """In words that hold no value: the driver's through ``said``, alembic's own, else the class alone."""
    if isinstance(error, CommandError):
        cause = str(error)
    elif isinstance(error, DBAPIError):
        cause = said(error.orig)
    else:
        cause = said(error) if isinstance(error, sqlite3.Error) else type(error).__name__
    return StorageError(f"the schema of {location.name} cannot be upgraded: {cause}")
