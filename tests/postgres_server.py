"""A PostgreSQL server of our own: in a temporary directory, on a Unix socket, gone afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest


def missing(cure: str) -> NoReturn:
    """Skip with the cure; with CONNECTORS_REQUIRE_ALL=1 in the environment, fail with it."""
    if os.environ.get("CONNECTORS_REQUIRE_ALL") == "1":
        pytest.fail(cure)
    pytest.skip(cure, allow_module_level=True)


def driver() -> Any:
    """The module psycopg, or ``missing``."""
    try:
        import psycopg
    except ImportError:
        missing("PostgreSQL's driver is missing: pip install 'connectors-core[postgresql]'")
    return psycopg


def programs() -> Path | None:
    """The directory of ``initdb`` and ``pg_ctl``, newest version first; None when there is none."""
    found = shutil.which("initdb")
    candidates = [Path(found).parent] if found else []
    candidates += sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True
    )
    return next(
        (path for path in candidates if (path / "initdb").exists() and (path / "pg_ctl").exists()), None
    )


@contextmanager
def postgres_server() -> Iterator[str]:
    """Yield the URL of an empty database. ``missing`` when the programs are.

    ``initdb`` refuses to run as root, so root runs it as ``postgres``.
    """
    bin_directory = programs()
    if bin_directory is None:
        missing("PostgreSQL's server is missing: apt-get install postgresql, or brew install postgresql")
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    # A socket's path may have 107 characters at most, so not below the test's own directory.
    directory = Path(tempfile.mkdtemp(prefix="connectors-pg-"))
    if as_user:
        shutil.chown(directory, "postgres", "postgres")

    def run(program: str, *arguments: str) -> None:
        done = subprocess.run(
            [*as_user, str(bin_directory / program), "-D", str(directory / "data"), *arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stderr}")

    try:
        run("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        options = f"-F -c listen_addresses='' -k {directory} -c max_connections=50"
        run("pg_ctl", "-w", "-l", str(directory / "log"), "-o", options, "start")
        try:
            yield f"postgresql://postgres@/postgres?host={directory}"
        finally:
            run("pg_ctl", "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(directory, ignore_errors=True)
