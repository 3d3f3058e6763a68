"""Grants that were fetched and are not kept: the provider is told to forget them."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from connectors_core.errors import ConnectorError
from connectors_core.flow import Completed

from .errors import HostError
from .host import Host

GRACE = 60.0
"""Seconds after the time to decide, in which what was decided at its end is still being done."""

log = logging.getLogger("connectors_host")


async def abandon(host: Host, completed: Completed, *, after: float = 0.0) -> None:
    """``hub.abandon``, ``GRACE`` after the ``after`` seconds that are left to decide otherwise, if any are.

    A vault that is out of reach keeps nobody from going on.
    """
    try:
        await host.hub.abandon(completed, after=after + GRACE if after else 0.0)
    except ConnectorError as error:
        log.warning("a grant of connector %s is not revoked: %s", completed.connector, error.code)


@asynccontextmanager
async def kept_or_abandoned(host: Host, completed: Completed) -> AsyncIterator[None]:
    """Abandon ``completed`` where what is done with it ends in a refusal."""
    try:
        yield
    except (ConnectorError, HostError) as error:
        entry = host.hub.connector(completed.connector)
        host.tell("authorization.refused", owner=completed.owner, entry=entry, code=error.code)
        await abandon(host, completed)
        raise
