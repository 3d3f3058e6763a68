from __future__ import annotations

import subprocess
import sys

import pytest

LOOK = """
import ctypes, resource
from connectors_host.commands import serve
serve.load_configuration = lambda path: print(
    ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), *resource.getrlimit(resource.RLIMIT_CORE)
) or exit()
from argparse import Namespace
serve.command.run(Namespace(config="connectors.toml"))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
def test_the_host_leaves_no_image_of_its_memory_behind() -> None:
    """Before it has read anything."""
    said = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["0", "0", "0"]
