"""Installed plugins that implement hooks, loaded one by one, each under its own guard."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pluggy

from .. import hookspecs
from ..errors import ConnectorMisconfigured
from ..events import Event
from .connector_types import IDENTIFIER
from .installed import PLUGINS_GROUP, Installed, LoadFailure, Status, failure, installed, is_blocked, load

logger = logging.getLogger("connectors_core.plugins")


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginEntry:
    """One installed plugin, and what became of it. ``hooks`` are those it implements."""

    name: str
    distribution: str
    version: str
    status: Status
    hooks: tuple[str, ...] = ()
    cause: str = ""
    traceback: str = field(default="", repr=False)


class Plugins:
    """The plugins of one hub. Nothing is shared between instances."""

    def __init__(self) -> None:
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self.entries: list[PluginEntry] = []

    @classmethod
    def from_entry_points(cls, *, allow: Iterable[str] = (), block: Iterable[str] = ()) -> Plugins:
        """Import and register every installed plugin; one that fails is told in ``entries``.

        Two distributions may use one name: both are registered.
        """
        plugins, allow, block = cls(), tuple(allow), tuple(block)
        for point in installed(PLUGINS_GROUP):
            plugins.entries.append(plugins._admit(point, allow, block))
        return plugins

    def register(self, plugin: object, *, name: str | None = None) -> None:
        """Add a plugin of your own. Raises ConnectorMisconfigured where it does not fit the hooks."""
        if refused := self._register(plugin, name):
            raise ConnectorMisconfigured(f"the plugin cannot be used: {refused}")

    def select_token_store(self, owner: str, connector: str) -> Any:
        """The first plugin's choice: a vault's name, a token store, ``DISCARD``, or None for the hub's vault.

        Raises ConnectorMisconfigured where a plugin fails: tokens must not go elsewhere by accident.
        """
        return self._call("select_token_store", owner=owner, connector=connector)

    def vaults(self) -> dict[str, hookspecs.VaultAt]:
        """Vaults besides a hub's own. Raises ConnectorMisconfigured where two have one name."""
        found: dict[str, hookspecs.VaultAt] = self._named("register_vaults")
        for name, vault in found.items():
            if not isinstance(vault, hookspecs.VaultAt) or not IDENTIFIER.fullmatch(str(name)):
                raise ConnectorMisconfigured(
                    "register_vaults must answer with names (letters, digits, '.', '_', '-') and VaultAt"
                )
        return found

    def token_stores(self) -> dict[str, Callable[[str], Any]]:
        """Sealed row stores by URL scheme. Raises ConnectorMisconfigured where two claim one."""
        return self._named("register_token_stores")

    def key_providers(self) -> dict[str, Callable[[str], Any]]:
        """Key providers by scheme. Raises ConnectorMisconfigured where two claim one."""
        return self._named("register_key_providers")

    def observe(self, event: Event) -> None:
        """Tell every observer; one that raises is logged by class name and keeps nothing from the others."""
        for implementation in self._manager.hook.observe.get_hookimpls():
            try:
                implementation.function(*(event for _ in implementation.argnames))
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                logger.warning(
                    "observer %s raised %s on %s",
                    implementation.plugin_name,
                    type(error).__name__,
                    event.name,
                )

    def _admit(self, point: Installed, allow: tuple[str, ...], block: tuple[str, ...]) -> PluginEntry:
        def told(
            status: Status, cause: str = "", *, hooks: tuple[str, ...] = (), traceback: str = ""
        ) -> PluginEntry:
            return PluginEntry(
                name=point.name,
                distribution=point.distribution,
                version=point.version,
                status=status,
                hooks=hooks,
                cause=cause,
                traceback=traceback,
            )

        if barred := is_blocked(point.name, point.distribution, allow=allow, block=block):
            return told(Status.BLOCKED, barred)
        loaded = load(point)
        if isinstance(loaded, LoadFailure):
            return told(Status.FAILED, loaded.cause, traceback=loaded.traceback)
        if self._manager.is_registered(loaded):
            return told(Status.SHADOWED, "the same object is registered already")
        if refused := self._register(loaded, f"{point.distribution}:{point.name}"):
            return told(Status.FAILED, refused)
        return told(Status.LOADED, hooks=self._hooks_of(loaded))

    def _register(self, plugin: object, name: str | None) -> str:
        """Register, or return why not, leaving nothing of it behind."""
        try:
            self._manager.register(plugin, name)
            fault = self._misfit(plugin)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            fault = failure(error).cause
        if fault and self._manager.is_registered(plugin):
            self._manager.unregister(plugin)
        return fault

    def _misfit(self, plugin: object) -> str:
        for caller in self._manager.get_hookcallers(plugin) or ():
            if not caller.has_spec():
                return f"there is no hook {caller.name}"
            for implementation in caller.get_hookimpls():
                if implementation.plugin is plugin and inspect.iscoroutinefunction(implementation.function):
                    return f"{caller.name} is asynchronous; hooks are plain functions"
                if (
                    implementation.plugin is plugin
                    and caller.name == "observe"
                    and (implementation.wrapper or implementation.hookwrapper)
                ):
                    return "observe cannot be wrapped"
        return ""

    def _hooks_of(self, plugin: object) -> tuple[str, ...]:
        return tuple(sorted(caller.name for caller in self._manager.get_hookcallers(plugin) or ()))

    def _call(self, hook: str, **arguments: Any) -> Any:
        try:
            return getattr(self._manager.hook, hook)(**arguments)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise ConnectorMisconfigured(f"a plugin's {hook} raised {type(error).__name__}") from error

    def _named(self, hook: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for answer in self._call(hook):
            if not isinstance(answer, Mapping):
                raise ConnectorMisconfigured(f"a plugin's {hook} did not return a mapping")
            if taken := sorted(map(str, found.keys() & answer.keys())):
                raise ConnectorMisconfigured(f"two plugins name {', '.join(taken)} in {hook}")
            found.update(answer)
        return found
