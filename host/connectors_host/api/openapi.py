"""``/openapi.json``: the APIs in OpenAPI 3.1, made from what is routed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import version
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from connectors_core.errors import Step

from ..errors import PROBLEM, STATUS
from .operations import ACCOUNT, OPERATIONS, VERIFICATION, Operation
from .schemas import SCHEMAS

PAGES = ("/continue/", "/openapi.json")
"""Routed beside the APIs, and none of them."""
PAGE = {"type": "string", "description": "The same as a page, where Accept names text/html"}
EVERYWHERE = (421, 500, 503)
"""Statuses that any route may answer: another host's name, a fault, a database out of reach."""


def route_for(routes: Iterable[BaseRoute]) -> Route:
    """The route of the document that describes ``routes``. It is public and the same for everybody."""
    described = list(routes)

    async def openapi(request: Request) -> Response:
        return JSONResponse(
            document(described, base_url=request.app.state.host.settings.base_url),
            media_type="application/json",
        )

    return Route("/openapi.json", openapi, methods=["GET"])


def document(routes: Iterable[BaseRoute], *, base_url: str) -> dict[str, Any]:
    """The description of ``routes``. Raises KeyError for one that nobody described."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        if isinstance(route, Route) and not route.path.startswith(PAGES):
            for method in sorted(route.methods or ()):
                paths.setdefault(route.path, {})[method.lower()] = _described(method, route.path)
    return {
        "openapi": "3.1.0",
        "info": {"title": "connectors-host", "version": version("connectors-host")},
        "servers": [{"url": base_url}],
        "paths": paths,
        "components": {
            "schemas": {**SCHEMAS, "Problem": _problem()},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "__Host-connectors-session",
                    "description": "Without the prefix __Host- where base_url is http on this machine. "
                    "Needs X-CSRF-Token, from /user, and application/json on whatever changes something "
                    "or hands out a token.",
                },
                "application": {"type": "http", "scheme": "basic"},
            },
        },
    }


def canonical(method: str, path: str) -> tuple[str, str]:
    """The spelling under which a route is described."""
    path = path.removeprefix("/api") if path.startswith(f"/api{ACCOUNT}") else path
    path = path.replace("/api/verifications/social", VERIFICATION)
    return ("PATCH" if method == "PUT" else method), path


def _described(method: str, path: str) -> dict[str, Any]:
    known = canonical(method, path)
    operation = OPERATIONS[known]
    described: dict[str, Any] = {
        "operationId": f"{method.lower()}{''.join(_words(path))}",
        "summary": operation.summary,
        "security": _security(operation),
        "responses": _responses(operation),
    }
    if known != (method, path):
        described["description"] = f"Another spelling of {known[0]} {known[1]}."
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    parameters: list[Mapping[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
    ]
    if parameters := [*parameters, *operation.parameters]:
        described["parameters"] = parameters
    if operation.body:
        described["requestBody"] = {
            "required": operation.body_required,
            "content": {"application/json": {"schema": _reference(operation.body)}},
        }
    return described


def _responses(operation: Operation) -> dict[str, Any]:
    success: dict[str, Any] = {"description": "Done"}
    if operation.answer:
        success["content"] = {"application/json": {"schema": _reference(operation.answer)}}
    problems = {
        str(status): {
            "description": "; ".join(dict.fromkeys(title for s, title in STATUS.values() if s == status)),
            "content": {PROBLEM: {"schema": _reference("Problem")}, "text/html": {"schema": PAGE}},
        }
        for status in sorted({*operation.problems, *EVERYWHERE})
    }
    return {str(operation.status): success, **problems}


def _security(operation: Operation) -> list[dict[str, list[str]]]:
    if operation.scope is None:
        return [{"application": []}]
    own: list[dict[str, list[str]]] = [{"session": []}]
    return own if operation.scope == "" else [{"bearer": [operation.scope]}, *own]


def _words(path: str) -> Iterable[str]:
    for part in path.replace("-", "/").split("/"):
        yield part.strip("{}").capitalize()


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


@cache
def _problem() -> dict[str, Any]:
    """RFC 9457 §3, with the stable words of this host."""
    return {
        "type": "object",
        "required": ["type", "title", "status", "detail", "code", "step"],
        "properties": {
            "type": {"type": "string", "format": "uri"},
            "title": {"type": "string"},
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": {"type": "string"},
            "code": {"type": "string", "enum": sorted(STATUS)},
            "step": {"type": "string", "enum": [step.value for step in Step]},
            "missing": {"type": "array", "items": {"type": "string"}},
            "reason": {"type": "string"},
            "claim": {"type": "string"},
            "identities": {"type": "array", "items": {"type": "string"}},
            "error_description": {"type": "string"},
        },
    }
