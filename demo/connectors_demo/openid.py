"""``connectors demo --oidc``: one sign-in at an OpenID provider that others wrote, on this machine."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from connectors_host import create_app
from connectors_host.commands.serve import LOOPBACK, PORT
from connectors_host.console import complain
from connectors_host.server import address, configure_logging, listen, run

from connectors_core.config import load_configuration

PROVIDER = "oidc_provider_mock"
STARTING = 20.0
"""Seconds that the provider has to answer its first request."""

PEOPLE = (
    {"sub": "demo-user", "name": "Demo User", "email": "demo@example.com", "email_verified": True},
    {"sub": "second-user", "name": "Second User", "email": "second@example.com", "email_verified": False},
)

CONFIGURATION = """\
[host]
base_url = "{base_url}"
database = "sqlite:///{database}"
allow_private_network = true

[connectors.demo]
type = "oidc"
name = {{ en = "Demo Provider", ja = "デモプロバイダー" }}
sync_profile = "sign_in"

[connectors.demo.config]
issuer = "{issuer}"
clientId = "demo"
clientSecret = "demo-secret"
"""


class ProviderFailed(Exception):
    """The demo's provider did not come up."""


def run_demo(port: int | None) -> int:
    """Serve until Ctrl-C or SIGTERM; return the exit code. The provider ends in any case."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        listener = _listen(port)
    except OSError as error:
        complain(f"cannot listen on port {port}: {error.strerror}")
        return 1
    try:
        with (
            listener,
            tempfile.TemporaryDirectory(prefix="connectors-demo-") as folder,
            provider() as issuer,
        ):
            return _serve(listener, Path(folder), issuer)
    except ProviderFailed as error:
        complain(error)
        return 1
    except KeyboardInterrupt:
        return 0


def _listen(port: int | None) -> socket.socket:
    if port is not None:
        return listen(LOOPBACK, port)
    try:
        return listen(LOOPBACK, PORT)
    except OSError:
        return listen(LOOPBACK, 0)


def _serve(listener: socket.socket, folder: Path, issuer: str) -> int:
    base_url = address(listener)
    file = folder / "connectors.toml"
    file.write_text(
        CONFIGURATION.format(base_url=base_url, database=(folder / "demo.db").as_posix(), issuer=issuer),
        encoding="utf-8",
    )
    file.chmod(0o600)
    configure_logging()
    app = create_app(load_configuration(file))
    announcement = (
        f"listening on {base_url}\n\n  Open {base_url}/ and continue with Demo Provider ({issuer}).\n"
        "  Ctrl-C ends the demo."
    )
    return run(app, listener, announcement=announcement)


@contextmanager
def provider() -> Iterator[str]:
    """Run oidc-provider-mock in a process of its own; yields its issuer. Raises ProviderFailed.

    It is in a session of its own, so that Ctrl-C reaches it through us, after the host has closed.
    """
    with listen(LOOPBACK, 0) as free:
        port = free.getsockname()[1]
    people = [part for claims in PEOPLE for part in ("--user-claims", json.dumps(claims))]
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        PROVIDER,
        "--host",
        LOOPBACK,
        "--port",
        str(port),
        *people,
    ]
    with subprocess.Popen(  # noqa: S603  our own interpreter, fixed arguments
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            _wait(process, port)
            yield f"http://{LOOPBACK}:{port}"
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    give_up_at = time.monotonic() + STARTING
    while time.monotonic() < give_up_at:
        if process.poll() is not None:
            raise ProviderFailed(f"the demo's provider ended with exit code {process.returncode}")
        connection = http.client.HTTPConnection(LOOPBACK, port, timeout=5)
        try:
            connection.request("GET", "/.well-known/openid-configuration")
            if connection.getresponse().status == http.HTTPStatus.OK:
                return
        except OSError:
            time.sleep(0.05)
        finally:
            connection.close()
    raise ProviderFailed("the demo's provider does not answer")
