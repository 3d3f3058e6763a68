"""A hub for each process, and code that is written once for both kinds of hub."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from connectors_embedded import Connectors
from connectors_embedded.waiting import ProcessHub, run, settle

FORKED = """
import os, sys
from connectors_embedded.flask import SignIn

sign_in = SignIn(
    base_url="http://localhost:3000",
    secret="a-fake-secret-of-more-than-32-bytes",
    database="sqlite:///forked.db",
    connectors={"oidc": {"config": {"issuer": "https://id.test", "clientId": "my-app"}}},
)
for before in (False, True):
    if before:
        sign_in.hub.identities("nobody")
    child = os.fork()
    if not child:
        sys.exit(len(sign_in.hub.identities("nobody")))
    assert os.waitpid(child, 0)[1] == 0
"""


def test_a_process_that_was_forked_has_a_hub_of_its_own(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FORKED]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


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
