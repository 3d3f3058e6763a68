"""``python dying.py URL``: kill a rewrap before and after each statement, finish it, look at everything.

A fork for each point, because a process that is killed is the only one that ends as one does.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from hashlib import sha256
from typing import Any

from connectors_core.storage.database import OpenDatabase, open_database
from connectors_core.vault import Keyring
from connectors_core.vault.rewrap import rewrap, verify
from connectors_core.vault.rows import SqlSealedRows

KEYS = {"k1": b"obviously-fake-key-of-32-bytes-1", "k2": b"obviously-fake-key-of-32-bytes-2"}
PAGE = 20


class Dying:
    """A database whose process ends at a point: an even one before a statement, an odd one after it."""

    def __init__(self, database: OpenDatabase, point: int) -> None:
        self._database, self._left = database, point

    async def fetch(self, *arguments: Any) -> Any:
        return await self._between(self._database.fetch(*arguments))

    async def run(self, *arguments: Any) -> Any:
        return await self._between(self._database.run(*arguments))

    async def _between(self, statement: Coroutine[Any, Any, Any]) -> Any:
        self._step()
        answer = await statement
        self._step()
        return answer

    def _step(self) -> None:
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self._left -= 1


async def payloads(rows: SqlSealedRows) -> str:
    found = await rows.page(most=1000)
    return sha256(b"".join(row.place.id.encode() + row.payload for row in found)).hexdigest()


async def die(database: OpenDatabase, point: int) -> dict[str, Any]:
    await rewrap(SqlSealedRows(Dying(database, point)), Keyring(KEYS), to="k2", page=PAGE)
    return {"killed": False}


async def finish(database: OpenDatabase) -> dict[str, Any]:
    rows = SqlSealedRows(database)
    left = (await rows.kids()).get("k1", 0)
    await rewrap(rows, Keyring(KEYS), to="k2")
    opened = await verify(rows, Keyring({"k2": KEYS["k2"]}), kid="k2")
    end = {"left": left, "opened": opened.done, "payloads": await payloads(rows)}
    await rewrap(rows, Keyring(KEYS), to="k1")
    return end


def forked(url: str, work: Callable[[OpenDatabase], Coroutine[Any, Any, dict[str, Any]]]) -> dict[str, Any]:
    reading, writing = os.pipe()
    if child := os.fork():
        os.close(writing)
        with os.fdopen(reading) as answer:
            said = answer.read()
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            return {"killed": os.WTERMSIG(status) == signal.SIGKILL}
        return dict(json.loads(said))

    async def worked() -> dict[str, Any]:
        database = open_database(url)
        done = await work(database)
        await database.aclose()
        return done

    with os.fdopen(writing, "w") as answer:
        json.dump(asyncio.run(worked()), answer)
    os._exit(0)


def main(arguments: Sequence[str]) -> None:
    (url,) = arguments
    open_database(url)  # what a fork would import each time
    found: list[dict[str, Any]] = []
    while not found or found[-1]["killed"]:
        point = len(found)
        killed = forked(url, lambda database, point=point: die(database, point))["killed"]  # type: ignore[misc]
        found.append({**forked(url, finish), "killed": killed})
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
