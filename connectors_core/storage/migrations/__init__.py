"""The schema: what is there, what should be there, and how one becomes the other.

Alembic owns the schema and is imported only when something must change; whether it must is read
from the migration scripts as text. A host application keeps its tables in the same database, beside
ours, with migrations and a version table of its own, and names them in the entry-point group
``connectors_core.migrations`` (name = a word for its version table, value = the package that holds
``versions/``).

Rules for a script: SQLAlchemy Core operations that mean the same on SQLite and PostgreSQL; tables
begin with ``connectors_`` (a host's: with a word of its own); ``revision`` and ``down_revision`` are
literals.
"""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from ...errors import ConfigurationError, Problem, StorageError
from ..database import OpenDatabase

ENTRY_POINTS = "connectors_core.migrations"
CURE = "run: connectors db upgrade"


@dataclass(frozen=True, slots=True)
class Location:
    """One line of migrations: the directory that holds ``versions/``, and its own version table."""

    name: str
    directory: Path

    @property
    def version_table(self) -> str:
        return f"{self.name}_alembic_version"

    @classmethod
    def of_package(cls, name: str, package: str) -> Location:
        """The migrations of an installed package; raises ConfigurationError when it cannot be found."""
        problem = ""
        if not name.isidentifier() or not name.isascii() or len(name) > 40:
            problem = "the name is part of a table name: use at most 40 letters, digits and underscores"
        try:
            spec = importlib.util.find_spec(package)
        except (ImportError, ValueError):
            spec = None
        folders = list(spec.submodule_search_locations or ()) if spec else []
        directories = [Path(folder) for folder in folders if Path(folder, "versions").is_dir()]
        if not problem and not directories:
            problem = f"no package {package} with a directory versions/ is installed"
        if problem:
            raise ConfigurationError([Problem((ENTRY_POINTS, name), problem)])
        return cls(name, directories[0])


OWN = Location("connectors", Path(__file__).parent)


def locations() -> list[Location]:
    """Ours first, then those of installed packages by name; ours cannot be taken."""
    others = [entry for entry in entry_points(group=ENTRY_POINTS) if entry.name != OWN.name]
    return [OWN, *(_located(entry) for entry in sorted(others, key=lambda entry: entry.name))]


def _located(entry: EntryPoint) -> Location:
    return Location.of_package(entry.name, entry.value)


def revisions(location: Location = OWN) -> dict[str, tuple[str, ...]]:
    """The revisions that this installation knows, each with those it follows upon.

    Raises StorageError when a script cannot be read.
    """
    known = {}
    for script in sorted((location.directory / "versions").glob("*.py")):
        try:
            values = dict(_literals(script))
        except (OSError, SyntaxError, ValueError):
            raise StorageError(f"the migration {script.name} of {location.name} cannot be read") from None
        revision, follows = values.get("revision"), values.get("down_revision")
        if isinstance(revision, str):
            follows = (follows,) if isinstance(follows, str) else follows or ()
            known[revision] = tuple(str(earlier) for earlier in follows)
    return known


def _literals(script: Path) -> Iterator[tuple[str, str | tuple[str, ...] | None]]:
    for statement in ast.parse(script.read_text(encoding="utf-8")).body:
        match statement:
            case (
                ast.Assign(targets=[ast.Name(id=("revision" | "down_revision") as name)], value=value)
                | ast.AnnAssign(
                    target=ast.Name(id=("revision" | "down_revision") as name), value=ast.expr() as value
                )
            ):
                yield name, ast.literal_eval(value)


def head_revision(location: Location = OWN) -> str:
    """The revision that this installation needs; raises StorageError unless there is exactly one."""
    known = revisions(location)
    heads = known.keys() - {earlier for follows in known.values() for earlier in follows}
    if len(heads) != 1:
        raise StorageError(f"the migrations of {location.name} have {len(heads)} heads, expected one")
    return heads.pop()


async def current_revision(database: OpenDatabase, location: Location = OWN) -> str | None:
    """The revision of the schema in ``database``; None where there is none yet."""
    if not await database.has_table(location.version_table):
        return None
    rows = await database.fetch(f"SELECT version_num FROM {location.version_table}")  # noqa: S608
    if len(rows) > 1:
        raise StorageError(f"{location.version_table} names {len(rows)} revisions, expected one")
    return str(rows[0][0]) if rows else None


def refuse_newer(current: str | None, location: Location = OWN) -> None:
    """Raise StorageError where ``current`` is no revision that this installation knows."""
    if current is not None and current not in revisions(location):
        raise StorageError(
            f"the database has schema {current} of {location.name}, which is newer than this installation "
            f"({head_revision(location)}); install the version that wrote it"
        )


async def prepare(database: OpenDatabase, location: Location = OWN) -> None:
    """See to it that the schema is the one this installation needs.

    SQLite is upgraded in place. PostgreSQL, which several hosts share, is upgraded on command only:
    an older schema raises StorageError that says which. So does, on both, a schema that is newer
    than this installation.
    """
    from ..sqlite import SqliteDatabase

    current, head = await current_revision(database, location), head_revision(location)
    if current == head:
        return
    refuse_newer(current, location)
    if not isinstance(database, SqliteDatabase):
        raise StorageError(
            f"the database has schema {current or 'none'} of {location.name}, {head} is needed; {CURE}"
        )
    from .alembic_run import upgrade_sqlite

    await database.call(lambda connection: upgrade_sqlite(connection, location))


def upgrade(url: str, location: Location = OWN) -> None:
    """Bring the schema of the database at ``url`` to ``head_revision``, in one transaction.

    Blocking. Several processes may upgrade at once: one does it, the others find it done. Raises
    ConfigurationError for a URL that is none, StorageError when the database refuses or its schema is newer.
    """
    from ..database import open_database
    from ..sqlite import SqliteDatabase, connect
    from .alembic_run import upgrade_postgresql, upgrade_sqlite

    database = open_database(url)
    if isinstance(database, SqliteDatabase):
        connection = connect(database.path)
        try:
            upgrade_sqlite(connection, location)
        finally:
            connection.close()
    else:
        upgrade_postgresql(url, location)
