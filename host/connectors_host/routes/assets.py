"""Pictures of the connectors."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from connectors_core.errors import NotFound

from ..host import Host


async def logo(request: Request) -> Response:
    """``GET /logo/{connector_id}``, ``?dark`` for dark pages."""
    host = Host.of(request)
    connector_id = request.path_params["connector_id"]
    picture = host.logos.picture(connector_id, dark="dark" in request.query_params)
    if picture is None:
        raise NotFound("there is no logo of that connector")
    return Response(picture.content, media_type=picture.media_type)
