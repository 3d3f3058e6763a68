"""What an application says of its sign-in, held against the rules before anything is served."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from connectors_core import ConfigurationError, ConnectorEntry, Hub, Problem, Registry
from connectors_core.endpoints import split_endpoint
from connectors_core.return_to import ReturnToRefused, check_return_to

from .sealing import MIN_SECRET

if TYPE_CHECKING:
    from connectors_core.connector import Sender
    from connectors_core.flow import Completed
    from connectors_core.grants import KeyProvider

SignUp = Callable[["Completed"], bool | str | Awaitable[bool | str]]
"""Decides on somebody who was never here: False refuses, True makes an owner id, a text is the owner id."""

_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)*")
_SEGMENT = re.compile(r"[A-Za-z0-9._~-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Connectors:
    """The connectors of an application, and what their hub is made of.

    ``connectors`` are ``[connectors.*]`` tables by id. ``database`` is a URL; None keeps everything in
    memory, which forgets with the process who is who: for tests. ``keys`` seal the providers' tokens where
    ``token_storage`` is on. ``allow_private_network`` is for development, as are ``sender`` and ``clock``
    for tests. Raises ConfigurationError with every mistake.
    """

    connectors: Mapping[str, Mapping[str, Any]] = field(repr=False)
    database: str | None
    keys: KeyProvider | str | None = field(default=None, repr=False)
    allow_private_network: bool = False
    registry: Registry = field(default_factory=Registry.from_entry_points, repr=False)
    sender: Sender | None = field(default=None, repr=False)
    clock: Callable[[], float] = field(default=time.time, repr=False)
    entries: tuple[ConnectorEntry, ...] = field(init=False, repr=False)
    """Those that people sign in with, in the order of their buttons."""

    def __post_init__(self) -> None:
        found = signing_in(self.fill(Hub(self.registry, **self.options())))
        if not found:
            raise ConfigurationError([Problem(("connectors",), "there is none to sign in with")])
        object.__setattr__(self, "entries", found)

    def options(self) -> dict[str, Any]:
        """The hub's arguments."""
        names = ("database", "keys", "allow_private_network", "sender", "clock")
        return {name: getattr(self, name) for name in names}

    def fill(self, hub: Any) -> Any:
        """Add the connectors to a hub of either kind; raises ConfigurationError with all their mistakes."""
        problems: list[Problem] = []
        for connector_id, table in self.connectors.items():
            try:
                hub.add(connector_id, **table)
            except ConfigurationError as error:
                problems += error.problems
        if problems:
            raise ConfigurationError(problems)
        return hub


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Connectors):
    """All that the adapters are told.

    ``base_url`` is the application's public origin: redirect URIs are built from it, never from
    request headers. ``secret`` (32 bytes or more) seals the cookies; of several the first seals and all
    open. The four routes are at ``prefix`` and carry the names in ``routes``. ``session_lifetime`` is
    in seconds. ``return_to_origins`` are further origins that ``return_to`` may name. ``after_sign_out``
    is the path to end up at; joined to ``base_url`` it is to be registered at providers that end their
    own sessions, unless ``provider_sign_out`` is off. Raises ConfigurationError with every mistake.
    """

    base_url: str
    secret: str | Sequence[str] = field(repr=False)
    prefix: str = "/auth"
    routes: Mapping[str, str] = field(default_factory=dict)
    session_lifetime: float = 86400.0
    sign_up: bool | SignUp = field(default=True, repr=False)
    return_to_origins: Sequence[str] = ()
    after_sign_out: str = "/"
    provider_sign_out: bool = True

    def __post_init__(self) -> None:
        problems = [*_origin_problems(self.base_url), *secret_problems(self.secret), *self._path_problems()]
        if self.session_lifetime <= 0:
            problems.append(Problem(("session_lifetime",), "must be more than 0 seconds"))
        if problems:
            raise ConfigurationError(problems)
        Connectors.__post_init__(self)

    def _path_problems(self) -> list[Problem]:
        problems = []
        if not _PREFIX.fullmatch(self.prefix):
            problems.append(Problem(("prefix",), "must be a path like /auth, without a / at its end"))
        for name, segment in self.routes.items():
            if name not in ROUTES:
                problems.append(Problem(("routes", name), f"is none of {', '.join(ROUTES)}"))
            if not _SEGMENT.fullmatch(segment):
                problems.append(Problem(("routes", name), "must be one segment of a path"))
        try:
            if not self.after_sign_out.startswith("/"):
                raise ReturnToRefused("must be a path that begins with /")
            check_return_to(self.after_sign_out, actions=[self.path(route) for route in ACTIONS])
        except ReturnToRefused as error:
            problems.append(Problem(("after_sign_out",), str(error)))
        return problems

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self.secret,) if isinstance(self.secret, str) else tuple(self.secret)

    @property
    def secure(self) -> bool:
        """Whether cookies get Secure and the ``__Host-`` prefix; http is for loopback alone."""
        return urlsplit(self.base_url).scheme == "https"

    def path(self, route: str) -> str:
        """The path of one of the four routes."""
        return f"{self.prefix}/{self.routes.get(route, ROUTES[route])}"


ROUTES: Mapping[str, str] = {
    "sign_in": "sign-in",
    "callback": "sign-in-callback",
    "sign_out": "sign-out",
    "user": "user",
}
"""The routes, and what they are called in a path unless ``routes`` says otherwise."""
ACTIONS = ("sign_in", "callback", "sign_out")
"""Routes that do something when visited; nobody is sent to one of them."""


def signing_in(hub: Any) -> tuple[ConnectorEntry, ...]:
    """The connectors of a hub that people sign in with, in the order of their buttons."""
    return tuple(each for each in hub.connectors() if each.settings.enabled and each.settings.sign_in)


def secret_problems(secret: str | Sequence[str]) -> list[Problem]:
    secrets = [secret] if isinstance(secret, str) else list(secret)
    if secrets and all(isinstance(each, str) and len(each.encode()) >= MIN_SECRET for each in secrets):
        return []
    cure = 'make one: python -c "import secrets; print(secrets.token_urlsafe(32))"'
    return [Problem(("secret",), f"must have at least {MIN_SECRET} bytes", cure)]


def _origin_problems(base_url: str) -> list[Problem]:
    try:
        parts = split_endpoint(base_url)
    except ValueError as error:
        return [Problem(("base_url",), str(error))]
    if base_url != f"{parts.scheme}://{parts.netloc}":
        return [Problem(("base_url",), "must be scheme and host alone, without a / at its end")]
    return []
