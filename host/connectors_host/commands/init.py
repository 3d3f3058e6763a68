"""``connectors init``: a first configuration file and a key file."""

from __future__ import annotations

import argparse
import base64
import json
import os
import secrets
from pathlib import Path

from ..console import complain, tell

KEY_FILE = "keys.json"
KEY_BYTES = 32

CONFIGURATION = f"""\
# The identity host. Every setting: docs/configuration.md

[host]
base_url = "http://127.0.0.1:8000"        # where browsers reach this host; redirect URIs are built from it
database = "sqlite:///connectors.db"
vault_keys = "file:{KEY_FILE}"              # keep a copy of that file: without it nothing sealed opens again

# One table for each way to sign in; its id is part of the redirect URI that you register there:
# http://127.0.0.1:8000/callback/acme
#
# [connectors.acme]
# type = "oidc"
# name = {{ en = "Acme" }}
#
# [connectors.acme.config]
# issuer = "https://login.acme.example"
# clientId = "…"
# clientSecret = "env:ACME_CLIENT_SECRET"
"""


class Init:
    """Asks nothing and overwrites nothing."""

    help = "write a first connectors.toml and a key file"

    def configure(self, parser: argparse.ArgumentParser) -> None:
        parser.description = "Write connectors.toml (or --config FILE) and a key file beside it, mode 0600."

    def run(self, arguments: argparse.Namespace) -> int:
        configuration = Path(arguments.config)
        keys = configuration.with_name(KEY_FILE)
        present = [str(file) for file in (configuration, keys) if file.exists()]
        if present:
            complain(f"error: {' and '.join(present)}: already there, nothing was written")
            return 1
        try:
            _write(keys, json.dumps(new_keys(), indent=2) + "\n")
            _write(configuration, CONFIGURATION)
        except OSError as error:
            complain(f"error: {error.filename}: {error.strerror}")
            return 1
        tell(f"wrote {configuration} and {keys}")
        tell(f"next: add a connector to {configuration}, then run: connectors serve")
        return 0


def new_keys() -> dict[str, list[dict[str, str]]]:
    """A JWK Set with one new symmetric key. RFC 7518 §6.4."""
    key = base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).rstrip(b"=").decode()
    return {"keys": [{"kty": "oct", "kid": f"key-{secrets.token_hex(4)}", "k": key}]}


def _write(file: Path, content: str) -> None:
    """Create ``file`` for its owner alone; FileExistsError where somebody else was faster."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(content)


command = Init()
