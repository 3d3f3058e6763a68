"""Python in several processes that do each step at the same moment."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

PREAMBLE = """
import asyncio, json, sys
from connectors_core.errors import StorageError
from connectors_core.storage.database import open_database
from connectors_core.storage.migrations import prepare, upgrade
from connectors_core.storage.sql import SqlStores
from connectors_core.stores import Absent, TransactionRow
url = sys.argv[1]
def together():
    print("ready", flush=True)
    sys.stdin.readline()
"""


def run_together(script: str, url: str, *, processes: int) -> list[Any]:
    """Run ``script`` in ``processes`` and return the line of JSON that each prints at its end.

    Where it calls ``together()`` a process waits until all have come that far.
    """
    running = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", PREAMBLE + script, url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(processes)
    ]
    for _ in range(script.count("together()")):
        for process in running:
            assert process.stdout
            line = process.stdout.readline()
            assert line == "ready\n", process.communicate()[1]
        for process in running:
            assert process.stdin
            process.stdin.write("go\n")
            process.stdin.flush()
    answers = []
    for process in running:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        answers.append(json.loads(out))
    return answers
