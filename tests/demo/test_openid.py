"""``connectors demo --oidc``, as a shell runs it."""

from __future__ import annotations

import signal
import urllib.request
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.conftest import CANARY
from tests.host.test_commands import get, running


def test_it_begins_a_sign_in_and_leaves_nothing_running(tmp_path: Path) -> None:
    with running("demo", "--oidc", "--port", "0", cwd=tmp_path) as (process, url):
        assert "Continue with Demo Provider" in get(f"{url}/")[1]
        with urllib.request.urlopen(f"{url}/sign-in/demo", timeout=10) as response:
            provider = response.geturl()
            sent = parse_qs(urlsplit(provider).query)
            for name in ("state", "nonce"):
                CANARY.watch(sent[name][0], name)
            assert "demo-user" in response.read().decode()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    with pytest.raises(OSError):
        get(provider)
    assert not list(tmp_path.iterdir())
