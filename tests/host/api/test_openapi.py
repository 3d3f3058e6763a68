"""The description of the APIs: all that is routed, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from connectors_host.api.openapi import canonical
from connectors_host.api.operations import OPERATIONS
from connectors_host.api.routes import routes
from connectors_host.errors import STATUS
from starlette.routing import Route

from tests.host.conftest import BASE, Running


@pytest.fixture
async def document(running: Running) -> dict[str, Any]:
    answer = await running.browser().get("/openapi.json", headers={"Accept": "*/*"})
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "public, max-age=3600"
    return dict(answer.json())


def routed() -> set[tuple[str, str]]:
    return {
        (method, route.path)
        for route in routes()
        if isinstance(route, Route) and not route.path.startswith(("/continue/", "/openapi.json"))
        for method in route.methods or ()
    }


async def test_it_holds_every_route_and_no_other(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    assert document["servers"] == [{"url": BASE}]
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert described == routed()


def test_nothing_is_described_that_is_not_routed() -> None:
    assert {canonical(*row) for row in routed()} == set(OPERATIONS)


async def test_every_reference_leads_somewhere_and_every_schema_is_used(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    found = set(_references(document))
    assert found == {f"#/components/schemas/{name}" for name in schemas}


async def test_no_answer_has_a_refresh_token(document: dict[str, Any]) -> None:
    """Nor a way to one: whoever reads a token through the host asks the host for the next."""
    names = {name.replace("_", "").lower() for name in _properties(document["components"]["schemas"])}
    assert "accesstoken" in names
    assert not {name for name in names if "refreshtoken" in name}


def _properties(value: Any) -> set[str]:
    if isinstance(value, list):
        return {name for each in value for name in _properties(each)}
    if not isinstance(value, dict):
        return set()
    own = value.get("properties")
    return {*(own if isinstance(own, dict) else ()), *_properties(list(value.values()))}


async def test_operations_have_names_of_their_own(document: dict[str, Any]) -> None:
    names = [
        operation["operationId"] for methods in document["paths"].values() for operation in methods.values()
    ]
    assert len(names) == len(set(names))


async def test_every_code_of_the_host_is_listed(document: dict[str, Any]) -> None:
    assert document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"] == sorted(STATUS)


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [each for part in value.values() for each in _references(part)]
    if isinstance(value, list):
        return [each for part in value for each in _references(part)]
    return []
