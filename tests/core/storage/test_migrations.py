from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest

from connectors_core.errors import ConfigurationError, StorageError
from connectors_core.storage import migrations
from connectors_core.storage.database import OpenDatabase, open_database
from connectors_core.storage.migrations import (
    OWN,
    Location,
    current_revision,
    head_revision,
    locations,
    prepare,
    revisions,
    upgrade,
)
from tests.canary import Canary

SCRIPT = """
import sqlalchemy as sa
from alembic import op
revision: str = {revision!r}
down_revision: str | None = {follows!r}
def upgrade() -> None:
{upgrade}
"""
PARENT_AND_CHILD = """
    op.create_table("app_parent", sa.Column("id", sa.Integer, primary_key=True))
    op.create_table("app_child",
        sa.Column("parent", sa.Integer, sa.ForeignKey("app_parent.id", ondelete="CASCADE"), nullable=False))
    op.execute("INSERT INTO app_parent VALUES (1)")
    op.execute("INSERT INTO app_child VALUES (1)")
"""
REBUILD_PARENT = """
    with op.batch_alter_table("app_parent", recreate="auto") as table:
        table.add_column(sa.Column("name", sa.Text, nullable=False, server_default="x"))
        table.create_check_constraint("app_named", "name <> ''")
"""
FAILS_HALFWAY = """
    op.create_table("app_half", sa.Column("id", sa.Integer, primary_key=True))
    op.execute("INSERT INTO nowhere VALUES (1)")
"""
BREAKS_A_KEY = """
    op.execute("INSERT INTO app_child VALUES (99)")
"""


@pytest.fixture
def host(tmp_path: Path) -> Location:
    """The migrations of a host application, none yet, in a directory with an awkward name."""
    directory = tmp_path / "100% host"
    (directory / "versions").mkdir(parents=True)
    return Location("app", directory)


def script(location: Location, revision: str, follows: str | None, upgrade: str) -> None:
    text = SCRIPT.format(revision=revision, follows=follows, upgrade=upgrade)
    (location.directory / "versions" / f"{revision}_step.py").write_text(text)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/empty.db"
    make: Callable[[], str] = request.getfixturevalue("new_postgres_database")
    return make()


async def ask(url: str, sql: str) -> list[tuple[object, ...]]:
    database = open_database(url)
    try:
        return await database.fetch(sql)
    finally:
        await database.aclose()


async def current(url: str, location: Location = OWN) -> str | None:
    database = open_database(url)
    try:
        return await current_revision(database, location)
    finally:
        await database.aclose()


def test_our_reading_of_the_scripts_is_alembics() -> None:
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(str(OWN.directory))
    assert scripts.get_heads() == [head_revision()]
    assert {revision.revision for revision in scripts.walk_revisions()} == revisions().keys()


def test_the_revision_is_read_without_alembic() -> None:
    code = (
        "import sys; from connectors_core.storage.migrations import head_revision; head_revision();"
        "print([m for m in ('sqlalchemy', 'alembic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


async def test_the_schema_is_what_the_scripts_say(database: OpenDatabase) -> None:
    assert await current_revision(database) == head_revision()
    await prepare(database)


async def test_upgrading_twice_changes_nothing(empty_url: str) -> None:
    assert await current(empty_url) is None
    upgrade(empty_url)
    upgrade(empty_url)
    assert await current(empty_url) == head_revision()


async def test_every_table_of_ours_can_be_told_from_the_hosts(empty_url: str) -> None:
    upgrade(empty_url)
    sql = "SELECT name FROM sqlite_master WHERE type = 'table'"
    if empty_url.startswith("postgresql"):
        sql = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
    tables = {str(name) for (name,) in await ask(empty_url, sql)}
    assert len(tables) >= 4
    assert all(table.startswith("connectors_") for table in tables)


async def test_sqlite_upgrades_itself_and_postgresql_says_how(empty_url: str) -> None:
    database = open_database(empty_url)
    if empty_url.startswith("sqlite"):
        await prepare(database)
        assert await current_revision(database) == head_revision()
    else:
        with pytest.raises(StorageError, match="run: connectors db upgrade"):
            await prepare(database)
        assert await current_revision(database) is None
    await database.aclose()


async def test_a_schema_from_the_future_is_left_alone(empty_url: str) -> None:
    upgrade(empty_url)
    await ask(empty_url, f"UPDATE {OWN.version_table} SET version_num = '9999'")
    database = open_database(empty_url)
    with pytest.raises(StorageError, match="newer than this installation"):
        await prepare(database)
    await database.aclose()
    with pytest.raises(StorageError, match=r"schema 9999 .* newer than this installation"):
        upgrade(empty_url)


async def test_a_hosts_tables_live_beside_ours(empty_url: str, host: Location) -> None:
    script(host, "a1", None, PARENT_AND_CHILD)
    upgrade(empty_url)
    upgrade(empty_url, host)
    assert await current(empty_url) == head_revision()
    assert await current(empty_url, host) == "a1"
    assert await ask(empty_url, "SELECT version_num FROM app_alembic_version") == [("a1",)]


async def test_rebuilding_a_table_deletes_nothing_that_refers_to_it(empty_url: str, host: Location) -> None:
    script(host, "a1", None, PARENT_AND_CHILD)
    upgrade(empty_url, host)
    script(host, "a2", "a1", REBUILD_PARENT)
    upgrade(empty_url, host)
    assert await ask(empty_url, "SELECT id, name FROM app_parent") == [(1, "x")]
    assert await ask(empty_url, "SELECT parent FROM app_child") == [(1,)]


@pytest.mark.parametrize("fault", [FAILS_HALFWAY, BREAKS_A_KEY])
async def test_a_migration_that_fails_leaves_the_schema_as_it_was(
    empty_url: str, host: Location, fault: str
) -> None:
    script(host, "a1", None, PARENT_AND_CHILD)
    upgrade(empty_url, host)
    script(host, "a2", "a1", fault)
    with pytest.raises(StorageError, match="app"):
        upgrade(empty_url, host)
    assert await current(empty_url, host) == "a1"
    assert await ask(empty_url, "SELECT parent FROM app_child") == [(1,)]
    database = open_database(empty_url)
    assert not await database.has_table("app_half")
    await database.aclose()


async def test_a_migration_that_fails_on_a_value_does_not_show_it(
    empty_url: str, host: Location, canary: Canary
) -> None:
    value = canary.secret("subject")
    insert = f"""op.execute("INSERT INTO app_named VALUES ('{value}')")"""
    table = 'op.create_table("app_named", sa.Column("name", sa.Text, primary_key=True))'
    script(host, "a1", None, "".join(f"    {line}\n" for line in (table, insert, insert)))
    with pytest.raises(StorageError, match="app_named") as caught:
        upgrade(empty_url, host)
    canary.check(str(caught.value))


async def test_a_failed_upgrade_leaves_the_open_database_usable_and_strict(host: Location) -> None:
    script(host, "a1", None, FAILS_HALFWAY)
    database = open_database("sqlite://")
    with pytest.raises(StorageError):
        await prepare(database, host)
    assert await database.fetch("PRAGMA foreign_keys") == [(1,)]
    await database.run([("CREATE TABLE t (x)", {})])
    await database.aclose()


async def test_an_upgrade_leaves_no_function_behind() -> None:
    database = open_database("sqlite://")
    await prepare(database)
    with pytest.raises(StorageError, match="no such function"):
        await database.fetch("SELECT 'a' REGEXP 'a'")
    await database.aclose()


@pytest.mark.parametrize(
    ("scripts", "words"),
    [
        ([], "0 heads"),
        ([("a1", None), ("b1", None)], "2 heads"),
    ],
)
def test_one_head_is_needed(host: Location, scripts: list[tuple[str, str | None]], words: str) -> None:
    for revision, follows in scripts:
        script(host, revision, follows, "    pass")
    with pytest.raises(StorageError, match=words):
        head_revision(host)


def test_a_script_that_cannot_be_read_is_named(host: Location) -> None:
    (host.directory / "versions" / "bad.py").write_text("revision = (")
    with pytest.raises(StorageError, match=r"bad\.py"):
        head_revision(host)


def test_locations_are_ours_then_those_of_installed_packages(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "shop_app" / "migrations" / "versions").mkdir(parents=True)
    (tmp_path / "shop_app" / "__init__.py").touch()
    (tmp_path / "shop_app" / "migrations" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    entries = [
        EntryPoint("shop", "shop_app.migrations", migrations.ENTRY_POINTS),
        EntryPoint("connectors", "shop_app.migrations", migrations.ENTRY_POINTS),
    ]
    monkeypatch.setattr(migrations, "entry_points", lambda group: EntryPoints(entries))
    found = locations()
    assert found == [OWN, Location("shop", tmp_path / "shop_app" / "migrations")]
    assert found[1].version_table == "shop_alembic_version"


@pytest.mark.parametrize(
    ("name", "package", "words"),
    [
        ("app", "no_such_package.migrations", "no_such_package"),
        ("app", "json", "versions/"),
        ("drop table", "json", "table name"),
        ("a" * 41, "json", "table name"),
    ],
)
def test_a_location_that_is_none_is_refused(name: str, package: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        Location.of_package(name, package)


def test_the_function_upgrade_is_not_hidden_by_a_module_of_its_name(tmp_path: Path) -> None:
    """A submodule becomes an attribute of its package when it is first imported."""
    migrations.upgrade(f"sqlite:///{tmp_path}/twice.db")
    migrations.upgrade(f"sqlite:///{tmp_path}/twice.db")


async def test_databases_that_open_at_once_have_each_its_own_schema(tmp_path: Path) -> None:
    async def opened(number: int) -> bool:
        database = open_database(f"sqlite:///{tmp_path}/{number}.db")
        try:
            await prepare(database)
            return await database.has_table("connectors_identities")
        finally:
            await database.aclose()

    assert await asyncio.gather(*map(opened, range(4))) == [True] * 4
