"""Hooks: for what crosses connectors, where the caller does not know who answers.

A plugin is a module or object with functions marked ``@hookimpl``, named by an entry point of the
group ``connectors_core.plugins``. An implementation takes only the arguments it wants. Hooks are
synchronous: choose at once, work asynchronously on what was chosen. See ``docs/hooks.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

import pluggy

from .events import Event
from .grants import KeyProvider

PROJECT = "connectors_core"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class Discard(Enum):
    """The type of ``DISCARD``."""

    DISCARD = "discard"


DISCARD: Final = Discard.DISCARD
"""Answer of ``select_token_store``: keep no tokens of this grant anywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultAt:
    """A vault besides the hub's own: the URL of its database, and its keys.

    ``keys`` are a key provider or what ``vault_keys`` may name; None for the hub's. Which of them
    wraps, that database says.
    """

    database: str = field(repr=False)
    keys: KeyProvider | str | None = None


@hookspec(firstresult=True)
def select_token_store(owner: str, connector: str) -> Any:
    """Choose where the tokens of ``owner`` from ``connector`` (its id) are kept.

    Return the name of a vault that ``register_vaults`` names, a token store, ``DISCARD`` to keep
    none, or None to leave the choice to the next plugin, at last to the hub's own vault.
    """


@hookspec
def register_vaults() -> Mapping[str, VaultAt]:  # type: ignore[empty-body]
    """Name vaults besides the hub's own, for ``select_token_store``. A hub opens all of them."""


@hookspec
def register_token_stores() -> Mapping[str, Callable[[str], Any]]:  # type: ignore[empty-body]
    """Name sealed row stores: URL scheme to a function that opens one for a URL of that scheme."""


@hookspec
def register_key_providers() -> Mapping[str, Callable[[str], Any]]:  # type: ignore[empty-body]
    """Name key providers: scheme of ``vault_keys`` to a function that takes what follows the colon."""


@hookspec
def observe(event: Event) -> None:
    """Learn of what happened: for audit, metrics, logs. Called on the event loop: return at once.

    An event never holds a secret. What an observer raises is contained and logged by its class.
    """
