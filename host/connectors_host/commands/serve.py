"""``connectors serve``: the identity host."""

from __future__ import annotations

import argparse
import dataclasses
from urllib.parse import urlsplit

from connectors_core.config import Configuration, load_configuration
from connectors_core.endpoints import is_loopback

from .. import dumps
from ..app import create_app
from ..console import complain
from ..origins import authority
from ..server import address, configure_logging, listen, run

LOOPBACK = "127.0.0.1"
PORT = 8000


class Serve:
    help = "run the identity host"

    def configure(self, parser: argparse.ArgumentParser) -> None:
        parser.description = (
            "Run the identity host on one address. With --port, a base_url of http on this machine "
            "follows that port; any other base_url stays as it is written."
        )
        parser.add_argument("--host", default=LOOPBACK, help=f"address to listen on (default {LOOPBACK})")
        parser.add_argument(
            "--port",
            type=_port,
            help=f"port to listen on, 0 for any free one (default: that of a loopback base_url, else {PORT})",
        )

    def run(self, arguments: argparse.Namespace) -> int:
        dumps.leave_none()
        configuration = load_configuration(arguments.config)
        for warning in configuration.warnings:
            complain(f"warning: {warning}")
        port = configured_port(configuration) if arguments.port is None else arguments.port
        try:
            listener = listen(arguments.host, port)
        except OSError as error:
            complain(f"error: cannot listen on {arguments.host} port {port}: {error.strerror}")
            return 1
        with listener:
            if arguments.port is not None:
                configuration = following(configuration, arguments.host, listener.getsockname()[1])
            configure_logging()
            return run(create_app(configuration), listener, announcement=f"listening on {address(listener)}")


def configured_port(configuration: Configuration) -> int:
    """The port that the base_url names, where it is this machine without a proxy in front."""
    return authority(configuration.host.base_url)[1] if _is_local(configuration) else PORT


def following(configuration: Configuration, host: str, port: int) -> Configuration:
    """The configuration with the base_url on ``port``, where nothing can stand in between.

    That is http on loopback while listening on loopback. Behind a proxy, or with a published
    container port, the origin that browsers see is another one, and stays as written.
    """
    if not (_is_local(configuration) and is_loopback(host)):
        return configuration
    name = authority(configuration.host.base_url)[0]
    base_url = f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"
    settings = configuration.host.model_copy(update={"base_url": base_url})
    return dataclasses.replace(configuration, host=settings)


def _is_local(configuration: Configuration) -> bool:
    base_url = configuration.host.base_url
    return urlsplit(base_url).scheme == "http" and is_loopback(authority(base_url)[0])


def _port(value: str) -> int:
    if not (value.isdecimal() and value.isascii() and int(value) <= 65535):
        raise argparse.ArgumentTypeError(f"{value!r} is no port, which is 0 to 65535")
    return int(value)


command = Serve()
