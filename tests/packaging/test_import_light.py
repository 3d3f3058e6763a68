"""``import connectors_core`` brings nothing heavy along; what is heavy is imported where it is used."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("aiohttp", "alembic", "asyncio", "authlib", "httpx", "joserfc", "sqlalchemy", "starlette", "uvicorn")


def test_import_brings_no_heavy_module() -> None:
    program = f"import sys, connectors_core; print(*sorted(sys.modules.keys() & set({HEAVY!r})))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_every_public_name_is_there() -> None:
    program = (
        "from connectors_core import *; import connectors_core as c; assert c.__all__ == sorted(c.__all__)"
    )
    subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
