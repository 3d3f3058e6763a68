"""Reading a configuration file whole: every mistake at once, no secret in any message."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel

from ..connector import Connector, read_config
from ..errors import ConfigurationError, ConnectorMisconfigured, NotFound, Problem
from ..registry import Registry, installed_names, normalise
from .connectors import connectors_path, group_problems, make_connector, offline, shared_targets
from .document import read_document, table, unknown_tables
from .fields import KEY_SOURCES, check_identifier, key_sources
from .not_yet import without_effect
from .references import References, looks_like_reference, replaced, secret_places, strings
from .settings import AppSettings, ConnectorSettings, HostSettings, PluginSettings

Model = TypeVar("Model", bound=BaseModel)

SHORTEST_REDACTED = 4
"""Characters; shorter secrets occur in innocent words, and redacting them would only mark them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """A configuration file, checked.

    ``connectors`` have their ``config`` validated by their type, which ``registry`` provides.
    ``warnings`` are what works and should not stay so; ``without_effect`` what this version accepts
    and does nothing with.
    """

    path: Path
    host: HostSettings
    plugins: PluginSettings
    connectors: Mapping[str, ConnectorSettings]
    apps: Mapping[str, AppSettings]
    registry: Registry = field(repr=False)
    warnings: tuple[Problem, ...] = ()
    without_effect: tuple[Problem, ...] = ()


def load_configuration(
    path: str | Path,
    *,
    registry: Registry | None = None,
    environ: Mapping[str, str] = os.environ,
    strict: bool = False,
) -> Configuration:
    """Read, resolve and check a configuration file. Touches no network; imports the types it names.

    Without ``registry`` the installed types are used, as ``[plugins]`` allows. ``strict`` makes
    every warning a mistake. Raises ConfigurationError with every mistake: file, table, key, cure.
    """
    path = Path(path)
    document = read_document(path)
    reader = _Reader(path, document, environ)
    return reader.configuration(registry, strict=strict)


def load_host_settings(path: str | Path, *, environ: Mapping[str, str] = os.environ) -> HostSettings:
    """Read ``[host]`` alone, for what needs no connectors. Raises ConfigurationError."""
    reader = _Reader(Path(path), read_document(Path(path)), environ)
    host = reader.host()
    reader.raise_problems()
    assert host is not None
    return host


def load_plugin_settings(path: str | Path) -> PluginSettings:
    """Read ``[plugins]`` alone, before anything is imported. Raises ConfigurationError."""
    reader = _Reader(Path(path), read_document(Path(path)), {})
    plugins = reader.plugins()
    reader.raise_problems()
    assert plugins is not None
    return plugins


class _Reader:
    """One pass over one document, collecting problems."""

    def __init__(self, path: Path, document: dict[str, Any], environ: Mapping[str, str]) -> None:
        self._path, self._source, self._document = path, str(path), document
        self._problems: list[Problem] = []
        self._warnings: list[Problem] = []
        self._targets: dict[str, str] = {}
        self._made: list[tuple[str, ConnectorSettings, Connector]] = []
        self._stores_tokens = False
        self._host_table = self._table("host")
        named = (self._host_table.get(key) for key in ("vault_keys", "admin_token"))
        self._references = References(
            environ,
            folder=path.parent,
            source=self._source,
            forbidden=[name for name in named if isinstance(name, str)],
        )

    def configuration(self, registry: Registry | None, *, strict: bool) -> Configuration:
        self._problems += unknown_tables(self._document, source=self._source)
        host, plugins = self.host(), self.plugins()
        if registry is None:
            lists = plugins or PluginSettings()
            registry = Registry.from_entry_points(allow=lists.allow, block=lists.block)
            self._unmatched_lists(lists)
        connectors = self._each("connectors", lambda name, its: self._connector(name, its, registry))
        self._problems += shared_targets(self._targets, source=self._source)
        for index, made in enumerate(self._made):
            self._problems += group_problems(*made, self._made[:index], source=self._source)
        apps = self._each("apps", self._app)
        self._key_source(host, registry, apps)
        self._sealed_rows(host, registry)
        self._unreadable_targets(apps)
        self._exposed_literals()
        if strict:
            self._problems += self._warnings
        self.raise_problems()
        assert host is not None
        assert plugins is not None
        return Configuration(
            path=self._path,
            host=host,
            plugins=plugins,
            connectors=MappingProxyType(connectors),
            apps=MappingProxyType(apps),
            registry=registry,
            warnings=tuple(self._redacted(self._warnings)),
            without_effect=without_effect(
                {
                    "host": host.model_dump(exclude_defaults=True),
                    "connectors": _said(connectors),
                    "apps": _said(apps),
                },
                source=self._source,
            ),
        )

    def host(self) -> HostSettings | None:
        """``[host]``; references are resolved in every string of it, arrays too, but the key source."""
        changes, unresolved = {}, set()
        for place, value in strings(self._host_table):
            key = place[0]
            if key == "vault_keys":
                continue
            is_url = key in ("database", "sealed_rows")
            secret = key == "admin_token" or (is_url and _has_password(value))
            text = self._references.resolve(value, ("host", *map(str, place)), secret=secret)
            changes[place] = text
            if text is None:
                unresolved.add(key)
            elif is_url and _has_password(text):
                self._references.secrets.add(text)
        resolved = replaced(self._host_table, changes)
        for key in unresolved:
            del resolved[key]
        return self._model(HostSettings, resolved, ("host",))

    def plugins(self) -> PluginSettings | None:
        return self._model(PluginSettings, self._table("plugins"), ("plugins",))

    def raise_problems(self) -> None:
        problems = [*self._problems, *self._references.problems]
        if problems:
            raise ConfigurationError(self._redacted(problems))

    def _connector(self, connector_id: str, its: dict[str, Any], registry: Registry) -> ConnectorSettings:
        path = connectors_path(connector_id)
        kind: type[Connector] | None = None
        if isinstance(type_id := its.get("type", connector_id), str):
            with suppress(NotFound, ConnectorMisconfigured):  # told by make_connector
                kind = registry.type(type_id)
        target = its.get("target") or (kind and kind.target) or connector_id
        if isinstance(target, str):
            self._targets[connector_id] = target
        self._stores_tokens |= its.get("token_storage") is True
        config = its.get("config")
        if kind is not None and isinstance(config, Mapping):
            its["config"] = self._resolved(kind, config, (*path, "config"))
        settings, connector = make_connector(connector_id, its, registry, offline, source=self._source)
        self._made.append((connector_id, settings, connector))
        update = {
            key: str(self._logo(logo, (*path, key)))
            for key in ("logo", "logo_dark")
            if (logo := getattr(settings, key)) and "://" not in logo
        }
        return settings.model_copy(update=update)

    def _resolved(self, kind: type[Connector], config: Mapping[str, Any], path: tuple[str, ...]) -> Any:
        """The config with references in its secret fields resolved."""
        secret, changes = secret_places(kind.Config, config), {}
        for place, text in strings(config):
            where = (*path, *map(str, place))
            if place in secret:
                resolved = self._references.resolve(text, where, secret=True, guarded=True)
                # Where there is none the reference stays, or the key would be called missing as well.
                changes[place] = text if resolved is None else resolved
            elif looks_like_reference(text):
                message = "looks like a reference; references are resolved in secret fields only"
                self._warnings.append(Problem(where, message, "write the value itself", self._source))
        return replaced(config, changes)

    def _logo(self, name: str, path: tuple[str, ...]) -> Path:
        file = (self._path.parent / name).resolve()
        if not file.is_file():
            self._problems.append(Problem(path, f"there is no file {name}", source=self._source))
        return file

    def _app(self, app_id: str, its: dict[str, Any]) -> AppSettings:
        path = ("apps", app_id)
        try:
            check_identifier(app_id)
        except ValueError as error:
            self._problems.append(Problem(path, f"an app id {error}", source=self._source))
        if isinstance(its.get("secret"), str):
            secret = self._references.resolve(its["secret"], (*path, "secret"), secret=True)
            its["secret"] = its["secret"] if secret is None else secret
        return read_config(AppSettings, its, path=path, source=self._source)

    def _key_source(
        self, host: HostSettings | None, registry: Registry, apps: Mapping[str, AppSettings]
    ) -> None:
        if host is None:
            return
        if host.vault_keys is not None and (fault := _unknown_key_source(host.vault_keys, registry)):
            self._problems.append(Problem(("host", "vault_keys"), fault, source=self._source))
            return
        stores, cure = self._stores_tokens, "connectors vault key new makes a key"
        if not stores and not apps:
            return
        what = "a connector stores tokens" if stores else "there is an application"
        if host.vault_keys is not None:
            missing = self._references.names_missing(host.vault_keys)
            message = f"{missing}, and {what}" if missing else ""
        else:
            message = f"is required: {what}"
            cure = "set it to file:PATH; connectors vault key new then writes that file"
        if not stores and host.vault_keys is None:
            message = "is missing, so what signs for applications lies in the database in the clear"
            self._warnings.append(Problem(("host", "vault_keys"), message, cure, self._source))
        elif message:
            self._problems.append(Problem(("host", "vault_keys"), message, cure, self._source))

    def _sealed_rows(self, host: HostSettings | None, registry: Registry) -> None:
        if host is None or host.sealed_rows is None:
            return
        scheme = host.sealed_rows.partition(":")[0]
        try:
            named = sorted(registry.plugins.token_stores())
        except ConnectorMisconfigured as error:
            self._problems.append(Problem(("host", "sealed_rows"), str(error), source=self._source))
            return
        if scheme not in named:
            cure = f"schemes that plugins name: {', '.join(named) or 'none'}"
            message = "no plugin keeps sealed rows at a URL of that scheme"
            self._problems.append(Problem(("host", "sealed_rows"), message, cure, self._source))

    def _unreadable_targets(self, apps: Mapping[str, AppSettings]) -> None:
        known = set(self._targets.values())
        self._warnings += (
            Problem(
                ("apps", app_id, "may_read_tokens"),
                f"no connector of this file has the target {target}",
                source=self._source,
            )
            for app_id, app in apps.items()
            for target in app.may_read_tokens
            if target not in known
        )

    def _unmatched_lists(self, plugins: PluginSettings) -> None:
        """A misspelled name on a list bars nothing, or everything."""
        known = installed_names()
        self._warnings += (
            Problem(("plugins", key), f"{name} names no installed type or distribution", source=self._source)
            for key in ("allow", "block")
            for name in getattr(plugins, key)
            if normalise(name) not in known
        )

    def _exposed_literals(self) -> None:
        if os.name != "posix" or not self._path.stat().st_mode & 0o044:
            return
        self._warnings += (
            Problem(
                place,
                "is a secret in a file that others can read",
                f"chmod 600 {self._path.name}, or write env:NAME or file:PATH",
                self._source,
            )
            for place in self._references.literals
        )

    def _each(self, name: str, read: Callable[[str, dict[str, Any]], Model]) -> dict[str, Model]:
        found = {}
        for key in self._table(name):
            its = table(self._document, name, key, source=self._source, problems=self._problems)
            if not isinstance(self._document[name][key], Mapping):
                continue
            try:
                found[key] = read(key, its)
            except ConfigurationError as error:
                self._problems += error.problems
        return found

    def _table(self, name: str) -> dict[str, Any]:
        return table(self._document, name, source=self._source, problems=self._problems)

    def _model(self, model: type[Model], data: Mapping[str, Any], path: tuple[str, ...]) -> Model | None:
        try:
            return read_config(model, data, path=path, source=self._source)
        except ConfigurationError as error:
            self._problems += error.problems
            return None

    def _redacted(self, problems: Iterable[Problem]) -> list[Problem]:
        """The problems once each, with any secret taken out that a type's own check put in."""
        secrets = sorted(
            (s for s in self._references.secrets if len(s) >= SHORTEST_REDACTED), key=len, reverse=True
        )

        def clean(text: str) -> str:
            for secret in secrets:
                text = text.replace(secret, "[redacted]")
            return text

        return list(dict.fromkeys(replace(p, message=clean(p.message), cure=clean(p.cure)) for p in problems))


def _unknown_key_source(source: str, registry: Registry) -> str:
    """Why nobody makes keys of ``source``, or ``""``."""
    scheme = source.partition(":")[0]
    if scheme in KEY_SOURCES:
        return ""
    try:
        named = registry.plugins.key_providers()
    except ConnectorMisconfigured as error:
        return str(error)
    return "" if scheme in named else f"must begin with one of {key_sources([*KEY_SOURCES, *sorted(named)])}"


def _said(models: Mapping[str, BaseModel]) -> dict[str, Any]:
    return {
        name: model.model_dump(exclude_defaults=True, exclude={"config"}) for name, model in models.items()
    }


def _has_password(url: str) -> bool:
    try:
        return bool(urlsplit(url).password)
    except ValueError:
        return False
