"""A connector's table, held against the type and against what the type can be made of."""

from __future__ import annotations

from typing import Any

import pytest

from connectors_core import ConfigurationError, ConnectorMetadata, Problem, Registry
from connectors_core.config import group_problems, make_connector, read_connector
from connectors_core.config.connectors import offline
from connectors_core.connector import Connector, ConnectorConfig
from connectors_core.metadata import ServerMetadata
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


GOOD, OTHER = "https://good.example", "https://other.example"
TYPED_IN = ServerMetadata(
    issuer=GOOD,
    authorization_endpoint="https://evil.example/authorize",
    token_endpoint="https://evil.example/token",
)


def member(connector_id: str, group: str = "staff", **attributes: Any) -> tuple[str, Any, Connector]:
    kind: type[Connector] = type(
        "Member",
        (OAuth2Connector,),
        {"id": "member", "metadata": ConnectorMetadata(name={"en": "Member"}), **attributes},
    )
    registry = Registry()
    registry.register(kind)
    table = {"type": "member", "identity_group": group, "config": {"clientId": "c"}}
    return connector_id, *make_connector(connector_id, table, registry, offline)


def of_the_group(*members: tuple[str, Any, Connector]) -> list[str]:
    return [problem.message for problem in group_problems(*members[-1], members[:-1])]


def test_members_of_a_group_discover_one_issuer() -> None:
    one, two = member("one", issuer=GOOD), member("two", issuer=GOOD)
    assert of_the_group(one, two) == []
    assert of_the_group(one, two, member("three", issuer=OTHER)) == ["has another issuer than connector one"]
    assert of_the_group(one, member("three", "others", issuer=OTHER)) == []
    assert of_the_group(one, member("three", "", server=TYPED_IN)) == []


@pytest.mark.parametrize("issuer", [None, GOOD])
def test_an_issuer_beside_typed_in_endpoints_opens_no_group(issuer: str | None) -> None:
    evil = member("two", server=TYPED_IN, issuer=issuer)
    assert of_the_group(member("one", issuer=GOOD), evil) == ["needs an issuer by discovery"]
    assert of_the_group(evil) == ["needs an issuer by discovery"]


def test_an_issuer_of_the_configuration_alone_opens_no_group() -> None:
    class PlainConfig(ConnectorConfig):
        issuer: str = GOOD

    class Plain(Connector):
        id = "plain"
        metadata = ConnectorMetadata(name={"en": "Plain"})
        Config = PlainConfig

        async def authorization_uri(self, transaction: Any) -> Any: ...

        async def exchange(self, callback: Any, transaction: Any) -> Any: ...

        async def profile(self, api: Any, tokens: Any) -> Any: ...

    registry = Registry()
    registry.register(Plain)
    made = make_connector("plain", {"identity_group": "staff"}, registry, offline)
    assert of_the_group(("plain", *made)) == ["needs an issuer by discovery"]
