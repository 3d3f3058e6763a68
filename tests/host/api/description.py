"""Holds answers of the APIs against ``/openapi.json``."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import httpx
import jsonschema_rs
from connectors_host.api.openapi import document
from connectors_host.api.routes import routes


@cache
def _document() -> dict[str, Any]:
    return document(routes(), base_url="https://host.test")


@cache
def _validator(reference: str) -> Any:
    schema = {"$ref": reference, "components": _document()["components"]}
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)


def as_described(response: httpx.Response) -> None:
    """Fail where the description of the route does not know the answer; other routes have none."""
    request = response.request
    for path, methods in _document()["paths"].items():
        pattern = re.sub(r"\\?\{[^}]*\}", "[^/]+", path)
        if re.fullmatch(pattern, request.url.path) and request.method.lower() in methods:
            answers = methods[request.method.lower()]["responses"]
            break
    else:
        return
    status = str(response.status_code)
    assert status in answers, f"{request.method} {path} may not answer {status}"
    content = answers[status].get("content")
    if content is None:
        assert response.content == b""
        return
    media_type = response.headers["content-type"].partition(";")[0]
    assert media_type in content, f"{request.method} {path} may not answer {media_type}"
    if media_type != "text/html":
        _validator(content[media_type]["schema"]["$ref"]).validate(json.loads(response.content))
