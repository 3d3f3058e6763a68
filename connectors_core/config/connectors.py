"""One connector's settings, held against what is installed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..connector import Connector, ConnectorConfig, Runtime, read_config
from ..errors import ConfigurationError, ConnectorError, ConnectorMisconfigured, NotFound, Problem
from ..registry import Registry
from .fields import check_identifier
from .settings import ConnectorSettings


def connectors_path(connector_id: str) -> tuple[str, ...]:
    return ("connectors", connector_id)


RuntimeFor = Callable[[ConnectorSettings], Runtime]
"""Makes the runtime that a connector of those settings is given."""


def read_connector(
    connector_id: str, table: Mapping[str, Any], registry: Registry, *, source: str = ""
) -> ConnectorSettings:
    """Return a ``[connectors.ID]`` table as settings, with ``type``, ``target`` and ``config`` made real.

    Raises as :func:`make_connector`.
    """
    return make_connector(connector_id, table, registry, offline, source=source)[0]


def make_connector(
    connector_id: str,
    table: Mapping[str, Any],
    registry: Registry,
    runtime_for: RuntimeFor,
    *,
    source: str = "",
) -> tuple[ConnectorSettings, Connector]:
    """Return a ``[connectors.ID]`` table as settings and the connector they make.

    Values are taken as they stand: references are resolved in configuration files only. Imports
    the type, touches no network. Raises ConfigurationError with every mistake of the table, an
    unknown or unusable type among them.
    """
    path = connectors_path(connector_id)
    problems: list[Problem] = []
    try:
        check_identifier(connector_id)
    except ValueError as error:
        problems.append(Problem(path, f"a connector id {error}", source=source))
    settings: ConnectorSettings | None = None
    config: ConnectorConfig | None = None
    try:
        settings = read_config(ConnectorSettings, table, path=path, source=source)
    except ConfigurationError as error:
        problems += error.problems
    kind: type[Connector] | None = None
    type_id = table.get("type", connector_id)
    if isinstance(type_id, str):
        try:
            kind = registry.type(type_id)
        except NotFound as error:
            message, _, cure = str(error).partition("; ")
            problems.append(Problem((*path, "type"), message, cure, source))
        except ConnectorMisconfigured as error:
            problems.append(Problem((*path, "type"), str(error), source=source))
    given = table.get("config", {})
    if kind is not None and isinstance(given, ConnectorConfig):
        if isinstance(given, kind.Config):
            config = given
        else:
            problems.append(Problem((*path, "config"), f"is not a {kind.Config.__name__}", source=source))
    elif kind is not None and isinstance(given, Mapping):
        try:
            config = _read(kind, given, (*path, "config"), source)
        except ConfigurationError as error:
            problems += error.problems
    connector: Connector | None = None
    if kind is not None and config is not None:
        runtime = runtime_for(settings) if settings is not None else OFFLINE
        try:
            connector = _made(kind, config, connector_id, runtime, (*path, "config"), source)
        except ConfigurationError as error:
            problems += error.problems
    if problems or settings is None or connector is None:
        raise ConfigurationError(problems)
    chosen = {
        "type": connector.id,
        "target": settings.target or connector.target or connector_id,
        "config": connector.config,
    }
    return settings.model_copy(update=chosen), connector


class _Offline:
    """Stands where nothing may be sent or fetched: a connector is made to see whether it can be."""

    def __getattr__(self, name: str) -> Any:
        raise ConnectorMisconfigured("a connector reached for the network while it was made")


OFFLINE = Runtime(sender=_Offline(), metadata_cache=_Offline(), key_cache=_Offline(), clock=time.time)


def offline(settings: ConnectorSettings) -> Runtime:
    """For a connector that is only made to see whether it can be."""
    return OFFLINE


def _made(
    kind: type[Connector],
    config: ConnectorConfig,
    connector_id: str,
    runtime: Runtime,
    path: tuple[str, ...],
    source: str,
) -> Connector:
    try:
        return kind(config, connector_id=connector_id, runtime=runtime)
    except ConfigurationError as error:
        raise ConfigurationError(
            replace(problem, path=(*path, *problem.path), source=source) for problem in error.problems
        ) from None
    except Exception as error:
        cause = str(error) if isinstance(error, ConnectorError) else type(error).__name__
        message = f"the type cannot make a connector of this: {cause}"
        raise ConfigurationError([Problem(path, message, source=source)]) from None


def _read(
    kind: type[Connector], given: Mapping[str, Any], path: tuple[str, ...], source: str
) -> ConnectorConfig:
    try:
        return read_config(kind.Config, given, path=path, source=source)
    except ConfigurationError:
        raise
    except Exception as error:
        # pydantic contains ValueError and AssertionError; a plugin's validator may raise anything.
        message = f"the type's own check failed with {type(error).__name__}"
        raise ConfigurationError([Problem(path, message, "report it to its author", source)]) from None


def shared_targets(targets: Mapping[str, str], *, source: str = "") -> Iterator[Problem]:
    """Targets that more than one connector claims; ``targets`` is by connector id."""
    holders: dict[str, str] = {}
    for connector_id, target in targets.items():
        if (holder := holders.setdefault(target, connector_id)) != connector_id:
            path = (*connectors_path(connector_id), "target")
            yield Problem(path, f"is the target of connector {holder}", "give each its own target", source)


def group_problems(
    connector_id: str,
    settings: ConnectorSettings,
    connector: Connector,
    others: Iterable[tuple[str, ConnectorSettings, Connector]],
    *,
    source: str = "",
) -> Iterator[Problem]:
    """Why a connector cannot be of its identity group, whose other members are among ``others``.

    Members share one issuer, and each discovers it: an issuer that is only typed in beside endpoints
    of somebody else's choice would let their owner sign in as anybody of the group.
    """
    if not settings.identity_group:
        return
    path = (*connectors_path(connector_id), "identity_group")
    issuer = _discovered(connector)
    if issuer is None:
        yield Problem(path, "needs an issuer by discovery", "set issuer alone, or leave the group", source)
        return
    for other_id, its, other in others:
        if its.identity_group == settings.identity_group and _discovered(other) not in (issuer, None):
            message = f"has another issuer than connector {other_id}"
            yield Problem(path, message, "a group shares one issuer", source)
            return


def _discovered(connector: Connector) -> str | None:
    """The issuer that a connector discovers, None where its endpoints come from elsewhere.

    Told by the attributes ``server`` and ``issuer`` of OAuth 2.0 connectors.
    """
    issuer = getattr(connector, "issuer", None)
    discovers = getattr(connector, "server", connector) is None
    return issuer if discovers and isinstance(issuer, str) and issuer else None
