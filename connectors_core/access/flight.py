"""A refresh under way, and what is around it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ..errors import ConnectorError, ConnectorFault, ConnectorMisconfigured, Step
from ..events import Event
from ..grants import GrantState, StoredGrant
from .held import Held
from .timing import Timing


@dataclass(slots=True, eq=False)
class Flight:
    """A refresh under way. ``answer`` may come before the task ends: while a commit is still retried."""

    held: Held
    since: GrantState
    until: float
    answer: asyncio.Future[StoredGrant]
    task: asyncio.Task[None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What time it is, how to wait, whom to tell. ``uptime`` also counts while the process sleeps."""

    clock: Callable[[], float]
    uptime: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    draw: Callable[[], float]
    observe: Callable[[Event], None]
    timing: Timing
    holder: str
    draining: Callable[[], bool]

    def tell(self, name: str, held: Held, **detail: str | int) -> None:
        """Let observers know of one fact about a grant."""
        self.observe(
            Event(
                name=name,
                at=self.clock(),
                tenant=held.tenant,
                connector=held.connector.connector_id,
                target=held.target,
                owner=held.owner,
                detail=detail,
            )
        )


def is_other(state: GrantState, than: GrantState) -> bool:
    """Whether what is stored now came after ``than``, or is of another grant."""
    return state.secret_id != than.secret_id or state.generation > than.generation


def misconfigured_by(error: str, message: str, held: Held) -> ConnectorMisconfigured:
    """What is raised where the token endpoint answered ``error``, or cannot be asked."""
    refused = ConnectorMisconfigured(message or f"the token endpoint answered {error}", step=Step.REFRESH)
    refused.connector = held.connector.connector_id
    return refused


def contained(error: Exception, held: Held) -> ConnectorError:
    """``error`` as one of ours."""
    if isinstance(error, ConnectorError):
        return error
    fault = ConnectorFault(
        f"connector {held.connector.connector_id} raised {type(error).__name__} in refresh", step=Step.REFRESH
    )
    fault.connector, fault.__cause__ = held.connector.connector_id, error
    return fault
