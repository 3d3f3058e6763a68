"""A hub for each process, and code that is written once for both kinds of hub."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from connectors_embedded import Connectors
from connectors_embedded.waiting import ProcessHub, run, settle

FORKED = """
import os, sys
from connectors_core.errors import StorageError
from connectors_embedded import Connectors
from connectors_embedded.waiting import ProcessHub

oidc = {"issuer": "https://id.test", "clientId": "my-app"}
held = ProcessHub(Connectors(database=None, connectors={"oidc": {"config": oidc}}))

def in_a_child():
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        sys.exit(len(held.get().identities("nobody")))
    except StorageError as refused:
        held.close()
        print(refused)
        sys.exit(9)

print(in_a_child())
held.get()
print(in_a_child())
held.get()
held.close()
print(in_a_child())
"""


def test_a_process_that_was_forked_has_a_hub_of_its_own_or_none() -> None:
    """SQLite's locks are not inherited: a hub beside one that is open in the parent loses what it writes."""
    command = [sys.executable, "-uc", FORKED]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    refused = "the hub was open when this process was forked: close it before that"
    assert (done.stdout.splitlines(), done.stderr) == (["0", refused, "9", "0"], "")


def test_threads_that_come_first_share_one_hub(settings: dict[str, Any]) -> None:
    names = ("connectors", "database", "registry", "sender", "clock")
    held = ProcessHub(Connectors(**{name: settings[name] for name in names}))
    with ThreadPoolExecutor(8) as threads:
        hubs = {id(hub) for hub in threads.map(lambda _: held.get(), range(16))}
    assert len(hubs) == 1
    held.close()
    held.close()
    assert held.get().connectors()
    held.close()


def test_what_is_there_at_once_needs_no_loop() -> None:
    assert run(settle(7)) == 7


def test_what_is_to_be_awaited_is_refused_without_a_loop() -> None:
    with pytest.raises(TypeError, match="awaited"):
        run(settle(asyncio.sleep(0, 7)))
