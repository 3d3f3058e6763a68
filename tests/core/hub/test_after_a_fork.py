"""A synchronous hub and a process that forks: the child is told what to do, the parent goes on."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import os, signal, sys
from connectors_core import Registry
from connectors_core.errors import StorageError
from connectors_core.sync import Hub

hub = Hub(Registry()).open()
hub.drain_on_sigterm()
child = os.fork()
if child == 0:
    signal.alarm(20)  # what would wait for ever in the child ends
    token, linked = (lambda: hub.access_token("acme", owner="user-1")), (lambda: hub.identities("user-1"))
    for call in (token, linked, hub.refresher):
        try:
            call()
        except StorageError as error:
            assert "fork" in str(error), error
        else:
            os._exit(1)
    with Hub(Registry()) as own:
        os._exit(0 if own.identities("user-1") == [] else 2)
_, status = os.waitpid(child, 0)
assert hub.identities("user-1") == []
hub.close()
sys.exit(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_child_opens_its_own_and_the_parents_goes_on():
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
