"""The keys of this host, from their source and the database."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Sequence

from ..errors import ConfigurationError, ConnectorError, Problem
from ..grants import KeyHealth, KeyProvider
from .key_states import KeyState, KeyStates
from .providers.stored import StoredKeys
from .sources import KeySource

logger = logging.getLogger("connectors_core.vault")


class HostKeys:
    """A key provider over whatever ``source`` has now; ``follow`` looks again, and checks what it sees.

    Files are read again, keys in the database are unwrapped; what came once, like an environment
    variable, stays.
    """

    def __init__(self, source: KeySource, provider: KeyProvider, states: KeyStates) -> None:
        self.source, self._states = source, states
        self.provider = provider

    def kids(self) -> Sequence[str]:
        return self.provider.kids()

    async def wrap(self, dek: bytes, *, kid: str, context: bytes) -> bytes:
        return await self.provider.wrap(dek, kid=kid, context=context)

    async def unwrap(self, wrapped: bytes, *, kid: str, context: bytes) -> bytes:
        return await self.provider.unwrap(wrapped, kid=kid, context=context)

    async def rewrap(self, wrapped: bytes, *, kid: str, to: str, context: bytes) -> bytes:
        return await self.provider.rewrap(wrapped, kid=kid, to=to, context=context)

    async def health(self) -> Sequence[KeyHealth]:
        return await self.provider.health()

    async def follow(self) -> None:
        if isinstance(self.provider, StoredKeys):
            await self.provider.follow()
        elif self.source.kind == "file":
            try:
                loaded = await asyncio.to_thread(self.source.load)
                await self._states.check(loaded)
            except ConnectorError as error:
                # Half-copied, most likely: those that were read before still serve.
                logger.warning("the keys cannot be read again: %s", error)
            else:
                self.provider = loaded


def new_kid(now: float) -> str:
    """A name for a new key: its day, and something to tell two of one day apart.

    Short, because every record bears it: 11 bytes, so that a record has 100 besides what is sealed.
    """
    return f"{time.strftime('%y%m%d', time.gmtime(now))}-{secrets.token_hex(2)}"


async def load_keys(source: KeySource, states: KeyStates) -> HostKeys:
    """The keys as they are, unchecked. Raises ConfigurationError, KeyUnavailable."""
    loaded = await asyncio.to_thread(source.load)
    if source.kind == "stored":
        loaded = StoredKeys(loaded, states)
        await loaded.follow()
    return HostKeys(source, loaded, states)


async def open_keys(source: KeySource, states: KeyStates, *, now: float) -> HostKeys:
    """The keys to run a host by: the first one is made where keys lie in the database.

    Raises ConfigurationError for a wrong key under a right name, for an active key that is missing,
    and for a source that has none; KeyUnavailable where a service does not answer.
    """
    keys = await load_keys(source, states)
    if isinstance(keys.provider, StoredKeys):
        rows = list((await states.read(now)).values())
        if not rows:
            await keys.provider.create(new_kid(now), now=now)
        elsewhere = [row.kid for row in rows if row.wrapped_key is None and row.state is KeyState.ACTIVE]
        if elsewhere:
            raise ConfigurationError(
                [
                    Problem(
                        ("host", "vault_keys"),
                        f"the active key {elsewhere[0]} does not lie in the database",
                        f"bring it in: connectors vault key add {elsewhere[0]} --from file:PATH",
                    )
                ]
            )
        await keys.provider.take_up()
    await states.begin(keys, now=now)
    return keys
