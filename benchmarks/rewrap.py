"""How fast rows move under another key and how fast all of them are opened: ``rewrap`` and ``verify``.

    python -m benchmarks.rewrap [--rows 1000000] [--postgresql URL] [--sqlite DIRECTORY]

Without ``--postgresql`` a server is started for the run, where its programs are installed. A run
is killed when four tenths are done and started again, as an operator's would be.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.many_rows import fill, new_key
from connectors_core.storage.database import OpenDatabase, open_database
from connectors_core.storage.migrations import upgrade
from connectors_core.vault import Keyring
from connectors_core.vault.hosts import Hosts
from connectors_core.vault.key_changes import KeyChanges
from connectors_core.vault.key_states import KeyStates
from connectors_core.vault.rows import SqlSealedRows
from tests.postgres_server import postgres_server

MAIN = "import sys; from connectors_core.cli import main; sys.exit(main())"
KEYS = {"k1": new_key(), "k2": new_key()}


async def measure(name: str, url: str, count: int, folder: Path) -> None:
    say = sys.stdout.write
    upgrade(url)
    started = time.perf_counter()
    fill(url, count, KEYS["k1"], "k1")
    say(f"{name}: {count:,} rows filled in {time.perf_counter() - started:.1f} s\n")
    database = open_database(url)
    rows, states = SqlSealedRows(database), KeyStates(database)
    await states.begin(Keyring(KEYS), now=time.time())
    await KeyChanges(database, rows, states, Hosts(database)).promote("k2")
    started = time.perf_counter()
    assert await rows.kids() == {"k1": count}
    say(f"{name}: rows counted by key in {1000 * (time.perf_counter() - started):.0f} ms\n")

    first = run(url, folder, "rewrap")
    ended = asyncio.ensure_future(asyncio.to_thread(first.wait))
    while await left(database) > 0.6 * count and not (await asyncio.wait({ended}, timeout=0.2))[0]:
        pass
    first.send_signal(signal.SIGKILL)
    assert await ended == -signal.SIGKILL, "it was done before it could be killed"
    rest = await left(database)
    say(f"{name}: killed with {count - rest:,} done, {rest:,} left\n")
    for words, what in ((("rewrap",), rest), (("verify",), count)):
        started = time.perf_counter()
        process = run(url, folder, *words)
        assert process.wait() == 0
        took = time.perf_counter() - started
        say(f"{name}: {words[0]} of {what:,} rows in {took:.1f} s, {what / took:,.0f} rows/s\n")
    assert await rows.kids() == {"k2": count}
    await database.aclose()


async def left(database: OpenDatabase) -> int:
    sql = "SELECT COUNT(*) FROM connectors_secrets WHERE kid = 'k1'"
    return int((await database.fetch(sql))[0][0])


def run(url: str, folder: Path, *words: str) -> subprocess.Popen[bytes]:
    config = folder / "connectors.toml"
    config.write_text(f'[host]\ndatabase = "{url}"\nvault_keys = "env:CONNECTORS_KEYS"\n')
    config.chmod(0o600)
    keys = ",".join(f"{kid}:{base64.b64encode(key).decode()}" for kid, key in KEYS.items())
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", MAIN, "--config", str(config), "vault", *words],
        env={**os.environ, "CONNECTORS_KEYS": keys},
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    parser.add_argument("--postgresql", metavar="URL")
    parser.add_argument("--sqlite", metavar="DIRECTORY", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.sqlite) as directory:
        folder = Path(directory)
        if options.only != "postgresql":
            url = f"sqlite:///{folder}/connectors.db"
            asyncio.run(measure("sqlite", url, options.rows, folder))
        if options.only == "sqlite":
            return
        if options.postgresql:
            asyncio.run(measure("postgresql", options.postgresql, options.rows, folder))
        else:
            with postgres_server() as url:
                asyncio.run(measure("postgresql", url, options.rows, folder))


if __name__ == "__main__":
    main()
