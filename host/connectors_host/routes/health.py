"""Is it alive, can it work: without asking any provider."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from connectors_core.errors import ConnectorError

from ..host import Host


async def healthz(request: Request) -> Response:
    """``GET /healthz``: the process answers."""
    return JSONResponse({"status": "ok"})


async def readyz(request: Request) -> Response:
    """``GET /readyz``: 200, or 503 with what is missing."""
    missing = []
    try:
        await Host.of(request).accounts.count()
    except ConnectorError:
        missing.append("database")
    if missing:
        return JSONResponse({"status": "unavailable", "missing": missing}, 503)
    return JSONResponse({"status": "ready", "missing": []})
