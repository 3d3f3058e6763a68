"""Python in several processes that begin at the same moment."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

PREAMBLE = """
import asyncio, json, sys
from connectors_core.storage.database import open_database
from connectors_core.storage.migrations import prepare, upgrade
from connectors_core.storage.sql import SqlStores
from connectors_core.stores import Absent, TransactionRow
url = sys.argv[1]
def ready():
    print("ready", flush=True)
    sys.stdin.readline()
"""


def run_at_once(script: str, url: str, *, processes: int) -> list[Any]:
    """Run ``script`` in ``processes``; each calls ``ready()`` and prints one line of JSON at its end."""
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
    answers = []
    for process in running:
        assert process.stdout
        line = process.stdout.readline()
        assert line == "ready\n", process.communicate()[1]
    for process in running:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in running:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        answers.append(json.loads(out))
    return answers
