"""``connectors init`` and ``serve``, as a shell runs them."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from connectors_host.commands.serve import configured_port, following

from connectors_core.config import Configuration, load_configuration
from tests.conftest import CANARY

LISTENING = re.compile(r"listening on (http://\S+)")
MAIN = "import sys; from connectors_core.cli import main; sys.exit(main())"
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "CONNECTORS_CONFIG"}


def connectors(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", MAIN, *arguments]
    done = subprocess.run(
        command, cwd=cwd, env=_env(), capture_output=True, text=True, timeout=60, check=False
    )
    CANARY.hear(done.stdout + done.stderr, f"connectors {arguments[0]}")
    return done


def _env() -> dict[str, str]:
    root = str(Path(__file__).parents[2])
    members = (str(Path(root, member)) for member in ("host", "demo"))
    return {**ENVIRONMENT, "PYTHONPATH": os.pathsep.join([root, *members])}


class Heard(subprocess.Popen[str]):
    """A process whose output the canary reads."""

    def communicate(self, *arguments: Any, **options: Any) -> tuple[str, str]:
        out, err = super().communicate(*arguments, **options)
        CANARY.hear(out + err, f"what {self.args!r} prints")
        return out, err


@contextmanager
def running(*arguments: str, cwd: Path) -> Iterator[tuple[Heard, str]]:
    """Start a command that listens; yields the process and the address it tells."""
    command = [sys.executable, "-c", MAIN, *arguments]
    with Heard(
        command, cwd=cwd, env=_env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            found = LISTENING.search(line)
            assert found, line + (process.communicate(timeout=30)[1])
            yield process, found[1]
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)


def get(url: str) -> tuple[int, str]:
    with urllib.request.urlopen(url, timeout=10) as response:
        return response.status, response.read().decode()


def test_init_writes_a_configuration_that_loads_and_a_key_for_its_owner_alone(tmp_path: Path) -> None:
    done = connectors("init", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    configuration, keys = tmp_path / "connectors.toml", tmp_path / "keys.json"
    for file in (configuration, keys):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    (key,) = json.loads(keys.read_text())["keys"]
    CANARY.watch(key["k"], "a key")
    assert key["kty"] == "oct"
    assert len(key["k"]) == 43
    assert key["k"] not in done.stdout + done.stderr
    assert load_configuration(configuration).connectors == {}


@pytest.mark.parametrize("present", ["connectors.toml", "keys.json"])
def test_init_overwrites_nothing(tmp_path: Path, present: str) -> None:
    (tmp_path / present).write_text("mine")
    done = connectors("init", cwd=tmp_path)
    assert done.returncode == 1
    assert present in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == [present]
    assert (tmp_path / present).read_text() == "mine"


def test_init_says_where_it_cannot_write(tmp_path: Path) -> None:
    done = connectors("init", "--config", "nowhere/connectors.toml", cwd=tmp_path)
    assert done.returncode == 1
    assert "nowhere" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("ended_by", [signal.SIGINT, signal.SIGTERM])
def test_serve_tells_its_address_answers_there_and_ends_on_a_signal(
    tmp_path: Path, ended_by: signal.Signals
) -> None:
    assert connectors("init", cwd=tmp_path).returncode == 0
    with running("serve", "--port", "0", cwd=tmp_path) as (process, url):
        assert get(f"{url}/healthz") == (200, '{"status":"ok"}')
        assert get(f"{url}/readyz")[0] == 200
        assert get(f"{url}/sign-in?return_to=/kept-out-of-logs")[0] == 200
        process.send_signal(ended_by)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert "GET /healthz 200" in err
    assert "kept-out-of-logs" not in out + err


def test_serve_tells_what_is_wrong_with_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "connectors.toml").write_text("[host]\nbase_ur = 1\n")
    done = connectors("serve", "--port", "0", cwd=tmp_path)
    assert done.returncode == 1
    assert "base_ur" in done.stderr
    assert "Traceback" not in done.stderr


def test_serve_says_in_a_line_why_the_database_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "connectors.toml").write_text('[host]\ndatabase = "sqlite:///nowhere/connectors.db"\n')
    done = connectors("serve", "--port", "0", cwd=tmp_path)
    assert done.returncode == 1
    assert "cannot be created" in done.stderr
    assert "Traceback" not in done.stderr


def test_serve_says_that_a_port_is_taken(tmp_path: Path) -> None:
    (tmp_path / "connectors.toml").write_text("")
    with running("serve", "--port", "0", cwd=tmp_path) as (_, url):
        done = connectors("serve", "--port", url.rpartition(":")[2], cwd=tmp_path)
    assert done.returncode == 1
    assert "error: cannot listen" in done.stderr


def test_a_port_that_is_none_is_wrong_usage(tmp_path: Path) -> None:
    done = connectors("serve", "--port", "70000", cwd=tmp_path)
    assert done.returncode == 2
    assert "'70000' is no port" in done.stderr


def configuration(tmp_path: Path, base_url: str) -> Configuration:
    file = tmp_path / "connectors.toml"
    file.write_text(f'[host]\nbase_url = "{base_url}"\n')
    return load_configuration(file)


@pytest.mark.parametrize(
    ("base_url", "listening", "becomes"),
    [
        ("http://127.0.0.1:8000", "127.0.0.1", "http://127.0.0.1:4711"),
        ("http://localhost:8000", "127.0.0.1", "http://localhost:4711"),
        ("http://[::1]:8000", "::1", "http://[::1]:4711"),
        ("http://localhost:8000", "0.0.0.0", "http://localhost:8000"),
        ("https://login.example.com", "127.0.0.1", "https://login.example.com"),
        ("https://localhost:8443", "127.0.0.1", "https://localhost:8443"),
    ],
)
def test_a_loopback_base_url_follows_the_port_and_no_other_does(
    tmp_path: Path, base_url: str, listening: str, becomes: str
) -> None:
    assert following(configuration(tmp_path, base_url), listening, 4711).host.base_url == becomes


@pytest.mark.parametrize(
    ("base_url", "port"), [("http://127.0.0.1:9000", 9000), ("https://login.example.com", 8000)]
)
def test_without_port_a_loopback_base_url_says_it(tmp_path: Path, base_url: str, port: int) -> None:
    assert configured_port(configuration(tmp_path, base_url)) == port
