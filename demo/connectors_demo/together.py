"""Emulator, host and application, started together on this machine."""

from __future__ import annotations

import json
import secrets
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from connectors_google import Google
from connectors_host import create_app as create_host
from connectors_host.commands.init import new_keys
from connectors_host.server import address

from connectors_core import Registry
from connectors_core.config import load_configuration
from connectors_core.testing.provider import Client

from . import calendar
from .google import GoogleEmulator
from .serving import serving

CONFIGURATION = """\
[host]
base_url = "{host}"
database = "sqlite:///{folder}/demo.db"
vault_keys = "file:keys.json"
allow_private_network = {emulated}

[connectors.google]
token_storage = true
sync_profile = "sign_in"

[connectors.google.config]
clientId = {client_id}
clientSecret = "{client_secret}"
scope = "openid email profile"            # the least that will do; applications ask for the rest
offlineAccess = true
prompts = {prompts}
oneTap = {{ isEnabled = {emulated} }}

[apps.smart-calendar]
secret = "{app_secret}"
redirect_uris = ["{app}/callback", "{app}/granted"]
post_logout_redirect_uris = ["{app}/"]
"""
APPLICATION = "Smart calendar"


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """What runs. ``google`` is the emulator, None where Google itself is asked."""

    app: str
    host: str
    google: GoogleEmulator | None
    secrets: tuple[str, ...] = field(repr=False)
    """What must show up nowhere, beside what the emulator gives."""


@asynccontextmanager
async def running(
    listeners: tuple[socket.socket, socket.socket],
    *,
    credentials: Mapping[str, str] | None = None,
    lifetime: int = 60,
    clock: Callable[[], float] = time.time,
) -> AsyncIterator[Demo]:
    """Serve the host on the first of ``listeners`` and the application on the second.

    ``credentials`` are GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET of a client at Google; without them
    Google is emulated, with access tokens that live ``lifetime`` seconds. Nothing stays afterwards.
    """
    host, app = map(address, listeners)
    google: GoogleEmulator | None = None
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="connectors-demo-")))
        app_secret, keys = secrets.token_urlsafe(32), new_keys()
        registry = Registry.from_entry_points()
        if credentials is None:
            client = Client(
                client_id="smart-calendar.emulated",
                secret=secrets.token_urlsafe(32),
                redirect_uris=(f"{host}/callback/google", f"{app}/granted"),
            )
            google = await stack.enter_async_context(
                GoogleEmulator(client, name=APPLICATION, lifetime=lifetime, clock=clock).serving()
            )
            registry.register(_emulated(google))
            credentials = {"GOOGLE_CLIENT_ID": client.client_id, "GOOGLE_CLIENT_SECRET": client.secret}
        text = CONFIGURATION.format(
            host=host,
            app=app,
            app_secret=app_secret,
            folder=folder.as_posix(),
            emulated=json.dumps(google is not None),
            # A person who agreed in an earlier demo gets no refresh token from Google without.
            prompts="[]" if google else '["consent"]',
            client_id=json.dumps(credentials["GOOGLE_CLIENT_ID"]),
            client_secret="env:GOOGLE_CLIENT_SECRET",
        )
        file = folder / "connectors.toml"
        for path, content in {file: text, folder / "keys.json": json.dumps(keys)}.items():
            path.touch(mode=0o600)
            path.write_text(content, encoding="utf-8")
        configuration = load_configuration(file, registry=registry, environ=credentials)
        settings = calendar.Settings(
            url=app,
            host=host,
            client_id="smart-calendar",
            client_secret=app_secret,
            emulator=google.url if google else None,
        )
        await stack.enter_async_context(serving(create_host(configuration, clock=clock), listeners[0]))
        await stack.enter_async_context(serving(calendar.create_app(settings, clock=clock), listeners[1]))
        yield Demo(app=app, host=host, google=google, secrets=(app_secret, keys["keys"][0]["k"]))


def _emulated(google: GoogleEmulator) -> type[Google]:
    """The Google connector with the emulator's addresses."""

    class EmulatedGoogle(Google):
        __module__ = Google.__module__  # where its logo is
        server = google.metadata
        issuers = frozenset({google.url})
        one_tap_script = f"{google.url}/gsi/client"

    return EmulatedGoogle
