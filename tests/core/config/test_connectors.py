"""A connector's table, held against the type and against what the type can be made of."""

from __future__ import annotations

from typing import Any

import pytest

from connectors_core import ConfigurationError, ConnectorMetadata, Problem, Registry
from connectors_core.config import read_connector
from connectors_core.oauth2 import OAuth2Connector


def register(raised: Exception | None = None, sends: bool = False) -> Registry:
    class Picky(OAuth2Connector):
        id = "picky"
        metadata = ConnectorMetadata(name={"en": "Picky"})
        issuer = "https://as.example"

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            if raised is not None:
                raise raised
            if sends:
                getattr(self.runtime.sender, "send")  # noqa: B009

    registry = Registry()
    registry.register(Picky)
    return registry


def problems(registry: Registry, **config: Any) -> list[Problem]:
    with pytest.raises(ConfigurationError) as caught:
        read_connector("picky", {"config": {"clientId": "c", **config}}, registry, source="file.toml")
    return list(caught.value.problems)


def test_what_the_constructor_finds_is_told_under_the_config_table() -> None:
    found = Problem(("issuer",), "is required where endpoints are typed in")
    [problem] = problems(register(ConfigurationError([found])))
    assert (
        str(problem) == "file.toml: connectors.picky.config.issuer: is required where endpoints are typed in"
    )


def test_what_else_a_constructor_raises_is_told_by_its_class_alone() -> None:
    [problem] = problems(register(RuntimeError("secret-canary")), clientSecret="secret-canary")
    assert "RuntimeError" in str(problem)
    assert "secret-canary" not in str(problem)


def test_a_constructor_that_reaches_for_the_network_is_told() -> None:
    [problem] = problems(register(sends=True))
    assert "reached for the network" in str(problem)


def test_a_table_that_makes_a_connector_comes_back_with_type_target_and_config() -> None:
    settings = read_connector("picky-main", {"type": "picky", "config": {"clientId": "c"}}, register())
    assert (settings.type, settings.target, settings.config.client_id) == ("picky", "picky-main", "c")
