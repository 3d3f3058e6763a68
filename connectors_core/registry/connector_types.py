"""The connector types that are there, and what became of each."""

from __future__ import annotations

import difflib
import inspect
import re
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from ..connector import (
    CONTRACT,
    Connector,
    ConnectorConfig,
    EndsSession,
    PromptsOneTap,
    ReceivesLogout,
    Refreshes,
    Revokes,
    VerifiesCredential,
)
from ..errors import ConnectorMisconfigured, NotFound
from ..metadata import ConnectorMetadata
from .installed import TYPES_GROUP, Installed, LoadFailure, Status, failure, installed, is_blocked, load

if TYPE_CHECKING:
    from .plugins import Plugins

SLOW_IMPORT = 1.0
"""Seconds; a plugin that takes longer to import is told so."""

CAPABILITIES: dict[str, type] = {
    "refreshes": Refreshes,
    "revokes": Revokes,
    "ends_session": EndsSession,
    "verifies_credential": VerifiesCredential,
    "prompts_one_tap": PromptsOneTap,
    "receives_logout": ReceivesLogout,
}

IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""Ids of connector types, connectors and apps, and targets: they stand in URLs as they are."""

AnyConnector = TypeVar("AnyConnector", bound=type[Connector])


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeEntry:
    """One claim to a type id. ``distribution`` is empty for a class that code registered.

    ``capabilities`` are known once loaded. ``cause`` says why a type cannot be used, or what is odd
    about one that can.
    """

    id: str
    distribution: str
    version: str
    status: Status
    capabilities: tuple[str, ...] = ()
    cause: str = ""
    traceback: str = field(default="", repr=False)


@dataclass(slots=True)
class _Claim:
    entry: TypeEntry
    point: Installed | None = None
    cls: type[Connector] | None = None


class Registry:
    """Connector types by id, imported on first use, each under its own guard.

    One bad plugin spoils nothing but itself. For one id code beats distributions, then
    ``connectors-{id}``, then other ``connectors-*``, then distribution name; the others are
    ``shadowed``. A winner that cannot be loaded keeps its id: nobody slips into its place; the
    operator's block list is the way to let another have it. May be used from several threads.
    """

    def __init__(self, *, clock: Callable[[], float] = time.perf_counter) -> None:
        self._claims: list[_Claim] = []
        self._lock = threading.RLock()
        self._clock = clock
        self._lists: tuple[tuple[str, ...], tuple[str, ...]] | None = None
        self._plugins: Plugins | None = None

    @classmethod
    def from_entry_points(
        cls,
        *,
        allow: Iterable[str] = (),
        block: Iterable[str] = (),
        clock: Callable[[], float] = time.perf_counter,
    ) -> Registry:
        """The installed types, without importing any.

        ``allow`` and ``block`` hold type ids or distribution names; an empty ``allow`` allows all.
        """
        registry = cls(clock=clock)
        registry._lists = allow, block = tuple(allow), tuple(block)
        winners: dict[str, str] = {}
        for point in installed(TYPES_GROUP):
            status, cause = Status.AVAILABLE, ""
            if point.fault:
                status, cause = Status.FAILED, point.fault
            elif barred := is_blocked(point.name, point.distribution, allow=allow, block=block):
                status, cause = Status.BLOCKED, barred
            elif point.name in winners:
                status, cause = Status.SHADOWED, f"{winners[point.name]} provides this id"
            else:
                winners[point.name] = point.distribution
            entry = TypeEntry(
                id=point.name,
                distribution=point.distribution,
                version=point.version,
                status=status,
                cause=cause,
            )
            registry._claims.append(_Claim(entry, point))
        return registry

    def register(self, cls: AnyConnector) -> AnyConnector:
        """Add a class of your own, and return it: usable as a decorator. It beats every distribution.

        The operator's lists concern distributions only. Raises ConnectorMisconfigured for a class
        that is no usable connector type, and for an id that other code registered.
        """
        status, cause = _judge(cls, None)
        if status is not Status.LOADED:
            raise ConnectorMisconfigured(f"{getattr(cls, '__name__', 'this')} is {status}: {cause}")
        with self._lock:
            for claim in self._claims:
                if claim.entry.id != cls.id:
                    continue
                if claim.point is None:
                    if claim.cls is cls:
                        return cls
                    raise ConnectorMisconfigured(f"type {cls.id} is registered by code already")
                if claim.entry.status is not Status.BLOCKED:
                    claim.entry = replace(
                        claim.entry, status=Status.SHADOWED, cause="code registered this id"
                    )
            entry = TypeEntry(
                id=cls.id,
                distribution="",
                version="",
                status=Status.LOADED,
                capabilities=capabilities(cls),
            )
            self._claims.append(_Claim(entry, cls=cls))
        return cls

    def type(self, type_id: str) -> type[Connector]:
        """The class of a type, imported if this is its first use.

        Raises NotFound where no such type is installed, ConnectorMisconfigured (with state and
        cause) where it is there and cannot be used.
        """
        with self._lock:
            claims = [claim for claim in self._claims if claim.entry.id == type_id]
            for claim in claims:
                if claim.entry.status is Status.AVAILABLE:
                    self._load(claim)
                if claim.entry.status is Status.LOADED and claim.cls is not None:
                    return claim.cls
        if not claims:
            raise NotFound(f"connector type {type_id!r} is not installed; {self._hint(type_id)}")
        chosen = next((c for c in claims if c.entry.status is not Status.SHADOWED), claims[0]).entry
        raise ConnectorMisconfigured(
            f"connector type {type_id!r} of {chosen.distribution} {chosen.version} is {chosen.status}:"
            f" {chosen.cause}"
        )

    def entries(self) -> list[TypeEntry]:
        """One entry for each claim, by id, the one in force first. Imports nothing."""
        with self._lock:
            entries = [claim.entry for claim in self._claims]
        return sorted(entries, key=lambda e: (e.id, e.status in (Status.SHADOWED, Status.BLOCKED)))

    def load_all(self) -> list[TypeEntry]:
        """Import every type that is in force, each under its guard, and return all entries."""
        with self._lock:
            for claim in self._claims:
                if claim.entry.status is Status.AVAILABLE:
                    self._load(claim)
        return self.entries()

    @property
    def plugins(self) -> Plugins:
        """The plugins that implement hooks, imported on first use; none without ``from_entry_points``."""
        with self._lock:
            if self._plugins is None:
                from .plugins import Plugins

                if self._lists is None:
                    self._plugins = Plugins()
                else:
                    allow, block = self._lists
                    self._plugins = Plugins.from_entry_points(allow=allow, block=block)
            return self._plugins

    @property
    def failures(self) -> list[TypeEntry]:
        """The types known to be unusable so far: failed or incompatible."""
        return [e for e in self.entries() if e.status in (Status.FAILED, Status.INCOMPATIBLE)]

    def _load(self, claim: _Claim) -> None:
        assert claim.point is not None
        began = self._clock()
        loaded = load(claim.point)
        seconds = self._clock() - began
        if isinstance(loaded, LoadFailure):
            claim.entry = replace(
                claim.entry, status=Status.FAILED, cause=loaded.cause, traceback=loaded.traceback
            )
            return
        try:
            status, cause = _judge(loaded, claim.point.name)
            abilities = capabilities(loaded) if status is Status.LOADED else ()
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            told = failure(error)
            claim.entry = replace(
                claim.entry, status=Status.FAILED, cause=told.cause, traceback=told.traceback
            )
            return
        if status is Status.LOADED:
            claim.cls = loaded
            if seconds > SLOW_IMPORT:
                cause = f"slow: took {seconds:.1f} s to import"
        claim.entry = replace(claim.entry, status=status, cause=cause, capabilities=abilities)

    def _hint(self, type_id: str) -> str:
        known = sorted(
            {c.entry.id for c in self._claims if c.entry.status in (Status.AVAILABLE, Status.LOADED)}
        )
        if near := difflib.get_close_matches(type_id, known, n=1):
            return f"did you mean {near[0]}?"
        return f"installed: {', '.join(known)}" if known else "no types are installed"


def capabilities(cls: type[Connector]) -> tuple[str, ...]:
    """The optional abilities of a connector class, by name."""
    return tuple(name for name, protocol in CAPABILITIES.items() if issubclass(cls, protocol))


def _judge(cls: Any, name: str | None) -> tuple[Status, str]:
    """Tell whether an object is a usable connector type; ``name`` is what its entry point calls it."""
    if not inspect.isclass(cls):
        return Status.FAILED, f"is not a class but {type(cls).__name__}"
    contract = getattr(cls, "contract", None)
    # Compared before anything else: another contract may have another base class.
    if isinstance(contract, int) and contract != CONTRACT:
        return Status.INCOMPATIBLE, f"written for contract {contract}; this is contract {CONTRACT}"
    if not issubclass(cls, Connector):
        return Status.FAILED, f"{cls.__name__} is not a subclass of Connector"
    if not isinstance(contract, int):
        return Status.FAILED, "its contract is not a number"
    type_id = getattr(cls, "id", None)
    if not isinstance(type_id, str) or not IDENTIFIER.fullmatch(type_id):
        return Status.FAILED, "its id must be 1 to 64 letters, digits, '.', '_' or '-'"
    if name is not None and type_id != name:
        return Status.FAILED, f"calls itself {type_id!r} and is registered as {name!r}"
    if missing := sorted(getattr(cls, "__abstractmethods__", ())):
        return Status.FAILED, f"does not implement {', '.join(missing)}"
    config = getattr(cls, "Config", None)
    if not (inspect.isclass(config) and issubclass(config, ConnectorConfig)):
        return Status.FAILED, "its Config is not a subclass of ConnectorConfig"
    metadata = getattr(cls, "metadata", None)
    if not isinstance(metadata, ConnectorMetadata):
        return Status.FAILED, "has no metadata"
    english = metadata.name.get("en")
    if not isinstance(english, str) or not english.strip():
        return Status.FAILED, 'its metadata has no name in "en"'
    return Status.LOADED, ""
