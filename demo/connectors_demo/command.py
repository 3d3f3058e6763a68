"""``connectors demo``."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
from contextlib import ExitStack
from socket import socket

from connectors_host.commands.serve import LOOPBACK, PORT
from connectors_host.console import complain, tell
from connectors_host.server import listen

from . import openid
from .serving import StartFailed
from .together import Demo, running

APP_PORT = 3000
LIFETIME = 60
"""Seconds that the emulated Google's access tokens live."""
CREDENTIALS = ("GOOGLE_CLIENT_ID", "GOOGLE_CLIENT_SECRET")

STEPS = """\

  Open {app}/ and try:

  1. Sign in, and continue with Google: the assistant learns your name, nothing else.
  2. "Show my day": leave the box at Google unticked, see what happens, and tick it next time.
  3. Wait until Google's token has expired ({lifetime}), then "Read again": the host got a new one.
  4. "Let me plan meetings", "Prepare my meetings": each asks Google for that much more.
  5. Sign out and in again: all that you allowed is still there.

  What the host keeps about you: {host}/account"""
EMULATED = """\
  Google is emulated at {google}. For Google itself set GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET."""
GOOGLE = """\
  Google itself is asked. Its client must have these redirect URIs:

    {host}/callback/google
    {app}/granted

  and its project the Calendar, Gmail and Drive APIs, with you among the test users."""


class CommandDemo:
    help = "a calendar assistant that signs people in with Google, all on this machine"

    def configure(self, parser: argparse.ArgumentParser) -> None:
        parser.description = (
            "Start an emulated Google, the identity host and a calendar assistant on this machine, with a "
            "database that is gone afterwards. Ctrl-C ends all three. With GOOGLE_CLIENT_ID and "
            "GOOGLE_CLIENT_SECRET in the environment Google itself is asked."
        )
        parser.add_argument(
            "--port", type=int, help=f"port of the host (default {PORT}, or a free one where that is taken)"
        )
        parser.add_argument(
            "--oidc",
            action="store_true",
            help="instead: the host alone, with an OpenID provider that others wrote",
        )

    def run(self, arguments: argparse.Namespace) -> int:
        if arguments.oidc:
            return openid.run_demo(arguments.port)
        given = {name: os.environ[name] for name in CREDENTIALS if os.environ.get(name)}
        if len(given) == 1:
            complain(f"set both {' and '.join(CREDENTIALS)}, or none of them")
            return 1
        logging.basicConfig(
            level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s"
        )
        with ExitStack() as stack:
            try:
                host = stack.enter_context(_listen(arguments.port, PORT, fixed=bool(given)))
                app = stack.enter_context(_listen(None, APP_PORT, fixed=bool(given)))
                asyncio.run(_serve((host, app), given or None))
            except (OSError, StartFailed) as error:
                complain(f"the demo cannot start: {error}")
                return 1
        return 0


def _listen(port: int | None, usual: int, *, fixed: bool) -> socket:
    """On ``port``, else on the usual one, else on a free one unless Google knows us by it. Raises OSError."""
    if port is not None:
        return listen(LOOPBACK, port)
    try:
        return listen(LOOPBACK, usual)
    except OSError:
        if fixed:
            raise
        return listen(LOOPBACK, 0)


async def _serve(listeners: tuple[socket, socket], credentials: dict[str, str] | None) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: loop.call_soon_threadsafe(stop.set))
    async with running(listeners, credentials=credentials, lifetime=LIFETIME) as demo:
        tell(announcement(demo))
        await stop.wait()


def announcement(demo: Demo) -> str:
    """What to open and what to try."""
    google = demo.google
    steps = STEPS.format(
        app=demo.app, host=demo.host, lifetime=f"{LIFETIME} seconds" if google else "an hour"
    )
    source = EMULATED.format(google=google.url) if google else GOOGLE.format(host=demo.host, app=demo.app)
    return f"{steps}\n{source}\n  Ctrl-C ends the demo.\n"


command = CommandDemo()
