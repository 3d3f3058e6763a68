"""What a mistake is, and what mistakes are made with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from ...connector import Connector
from ...flow import begin, complete
from ...metadata import ServerMetadata
from ...oauth2 import (
    OAuth2Connector,
)
from ...storage.memory import MemoryStores
from ..scenarios import Actor

Play = Callable[[Actor], Awaitable[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Misuse:
    """One mistake: ``expected`` is the exact exception, ``play`` makes the mistake."""

    name: str
    does: str
    expected: type[Exception]
    play: Play


MISUSE: dict[str, Misuse] = {}
"""Every mistake by its name, ``who.what``."""


def misuse(name: str, does: str, expected: type[Exception]) -> Callable[[Play], Play]:
    def keep(play: Play) -> Play:
        MISUSE[name] = Misuse(name=name, does=does, expected=expected, play=play)
        return play

    return keep


def table(who: str, expected: type[Exception], **plays: tuple[str, Play]) -> None:
    for name, (does, play) in plays.items():
        misuse(f"{who}.{name.replace('_', '-')}", does, expected)(play)


def like(actor: Actor, **attributes: Any) -> OAuth2Connector:
    """The tested connector with other attributes; a callable that takes ``self`` is a method."""
    tested = actor.hub.connector(actor.connector).connector
    kind = type("Misused", (type(tested),), attributes)
    made = kind(tested.config, connector_id="misused", runtime=tested.runtime)
    assert isinstance(made, OAuth2Connector)
    return made


def typed_in(**changes: str | None) -> ServerMetadata:
    base = "https://provider.test"
    known = {"authorization_endpoint": f"{base}/authorize", "token_endpoint": f"{base}/token"}
    return ServerMetadata(issuer=base, jwks_uri=f"{base}/jwks", **{**known, **changes})  # type: ignore[arg-type]


async def sign_in(actor: Actor, connector: Connector, stores: MemoryStores | None = None) -> Any:
    """A whole sign-in with a connector that no hub knows."""
    transactions = (stores or MemoryStores()).transactions
    started = await begin(connector, transactions, redirect_uri=actor.redirect_uri)
    landed = await actor.land(started)
    return await complete(landed, connector, transactions, binding=started.binding)


def doing(act: Callable[[], object]) -> Play:
    """A mistake that needs nobody else."""

    async def play(actor: Actor) -> object:
        return act()

    return play
