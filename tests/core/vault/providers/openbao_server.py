"""A transit engine of our own: a development server on loopback, in memory, gone afterwards."""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

ROOT_TOKEN = "obviously-fake-root-token"

_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class OpenBao:
    """A running server; ``root`` is an hvac client that may do everything."""

    url: str
    root: Any

    def token(self, *rules: str) -> str:
        """A token with a policy of its own."""
        name = f"policy-{next(_numbers)}"
        self.root.sys.create_or_update_policy(name, "\n".join(rules))
        return str(self.root.auth.token.create(policies=[name])["auth"]["client_token"])


@contextmanager
def openbao_server(program: str) -> Iterator[OpenBao]:
    """``program`` is the ``bao`` to run."""
    import hvac

    port = _free_port()
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("BAO_", "VAULT_"))}
    server = subprocess.Popen(
        [
            program,
            "server",
            "-dev",
            f"-dev-root-token-id={ROOT_TOKEN}",
            f"-dev-listen-address=127.0.0.1:{port}",
            "-dev-no-store-token",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environ,
    )
    try:
        _wait_until_started(server)
        url = f"http://127.0.0.1:{port}"
        root = hvac.Client(url=url, token=ROOT_TOKEN)
        root.sys.enable_secrets_engine("transit")
        yield OpenBao(url, root)
        root.adapter.close()
    finally:
        server.kill()
        server.wait()


def _free_port() -> int:
    """A port that was free a moment ago; the server does not say which it took."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _wait_until_started(server: subprocess.Popen[str]) -> None:
    assert server.stdout is not None
    heard = []
    for line in server.stdout:
        heard.append(line)
        if line.startswith("Root Token"):
            # What it says later must be read too, or it would stop when the pipe is full.
            threading.Thread(target=_discard, args=(server.stdout,), daemon=True).start()
            return
    raise RuntimeError(f"bao did not start: {''.join(heard)[-2000:]}")


def _discard(lines: IO[str]) -> None:
    with lines:
        for _ in lines:
            pass
