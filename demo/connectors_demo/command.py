"""``connectors demo``."""

from __future__ import annotations

import argparse

from connectors_host.commands.serve import PORT

from . import openid


class Demo:
    help = "sign in at a provider on this machine, with nothing to set up"

    def configure(self, parser: argparse.ArgumentParser) -> None:
        parser.description = (
            "Start an OpenID provider (the package oidc-provider-mock) and the identity host on this "
            "machine, with a database that is gone afterwards. Ctrl-C ends both."
        )
        parser.add_argument(
            "--port", type=int, help=f"port of the host (default {PORT}, or a free one where that is taken)"
        )
        parser.add_argument("--oidc", action="store_true", help="a plain OpenID provider, and the host alone")

    def run(self, arguments: argparse.Namespace) -> int:
        return openid.run_demo(arguments.port)


command = Demo()
