"""Keys that lie in the database, wrapped by a key that never leaves its service.

Three tiers: the service's root key wraps the vault's keys, those wrap data keys, those encrypt.
The service is asked at start and once an hour, not for each opening, and changing the root key
re-wraps a handful of rows.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...errors import ConnectorError, UnknownKey, VaultError
from ...grants import KeyHealth, KeyProvider
from ..key_states import KeyRow, KeyState, KeyStates
from ..keyring import Keyring
from ..record import KEY_BYTES

HOLD = 3600.0
"""Seconds that an unwrapped key is used before the service must answer again."""


@dataclass(frozen=True, slots=True)
class _Held:
    keyring: Keyring
    since: float


class StoredKeys:
    """Wraps by the keys of the table, and opens what ``root`` itself wrapped (``mode=direct`` before).

    A key is unwrapped when it is first needed, and forgotten when the service has not confirmed it
    for ``HOLD``: so taking the root key away stops every host within that time.
    """

    def __init__(
        self, root: KeyProvider, states: KeyStates, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.root = root
        self._states = states
        self._clock = clock
        self._held: dict[str, _Held] = {}

    def kids(self) -> Sequence[str]:
        """Those unwrapped by now; ``follow`` first."""
        return tuple(self._held)

    async def wrap(self, dek: bytes, *, kid: str, context: bytes) -> bytes:
        provider = await self._of(kid)
        return await provider.wrap(dek, kid=kid, context=context)

    async def unwrap(self, wrapped: bytes, *, kid: str, context: bytes) -> bytes:
        provider = await self._of(kid)
        return await provider.unwrap(wrapped, kid=kid, context=context)

    async def rewrap(self, wrapped: bytes, *, kid: str, to: str, context: bytes) -> bytes:
        dek = await self.unwrap(wrapped, kid=kid, context=context)
        return await self.wrap(dek, kid=to, context=context)

    async def health(self) -> Sequence[KeyHealth]:
        """The service's keys, which is what may fail here, and then those of the table."""
        found = list(await self.root.health())
        for row in await self._rows():
            try:
                await self._unwrapped(row)
            except ConnectorError as error:
                found.append(KeyHealth(kid=row.kid, usable=False, detail=str(error)))
            else:
                found.append(KeyHealth(kid=row.kid, usable=True))
        return found

    async def follow(self) -> None:
        """Take up keys that are new in the table, drop those that are gone, confirm the older ones.

        Raises nothing: what the service does not unwrap now is asked for again later.
        """
        rows = {row.kid: row for row in await self._rows()}
        for kid in self._held.keys() - rows.keys():
            del self._held[kid]
        for kid, row in rows.items():
            held = self._held.get(kid)
            if held is None or self._clock() - held.since > HOLD / 2:
                try:
                    self._held[kid] = await self._unwrapped(row)
                except VaultError:
                    self._drop_if_old(kid)

    async def take_up(self) -> None:
        """Unwrap all keys of the table now. Raises UnknownKey, KeyUnavailable, SealBroken."""
        for row in await self._rows():
            if row.kid not in self._held:
                self._held[row.kid] = await self._unwrapped(row)

    async def create(self, kid: str, *, now: float, key: bytes | None = None) -> None:
        """Put a new key, or ``key``, into the table; it stands by unless it is the very first."""
        if kid in self.root.kids():
            raise VaultError(f"a key of the service itself is called {kid}")
        key = os.urandom(KEY_BYTES) if key is None else key
        wrapped, by = await self.wrapped(kid, key)
        await self._states.add(Keyring({kid: key}), kid, now=now, wrapped_key=wrapped, wrapped_by=by)

    async def wrapped(self, kid: str, key: bytes) -> tuple[bytes, str]:
        """A key as it lies in the table, and the key of the service that it is wrapped by."""
        by = self.root.kids()[0]
        return await self.root.wrap(key, kid=by, context=_context(kid)), by

    async def rewrapped(self, row: KeyRow) -> tuple[bytes, str] | None:
        """The key of ``row`` under the first key of the service; None where that is so already."""
        to = self.root.kids()[0]
        if row.wrapped_key is None or row.wrapped_by is None or row.wrapped_by == to:
            return None
        return await self.root.rewrap(
            row.wrapped_key, kid=row.wrapped_by, to=to, context=_context(row.kid)
        ), to

    async def _rows(self) -> list[KeyRow]:
        rows = (await self._states.read(time.time())).values()
        return [row for row in rows if row.wrapped_key is not None and row.state is not KeyState.DESTROYED]

    async def _of(self, kid: str) -> KeyProvider:
        self._drop_if_old(kid)
        if held := self._held.get(kid):
            return held.keyring
        if kid in self.root.kids():
            return self.root
        for row in await self._rows():
            if row.kid == kid:
                self._held[kid] = await self._unwrapped(row)
                return self._held[kid].keyring
        raise UnknownKey(f"there is no key {kid} in the database")

    def _drop_if_old(self, kid: str) -> None:
        held = self._held.get(kid)
        if held is not None and self._clock() - held.since > HOLD:
            del self._held[kid]

    async def _unwrapped(self, row: KeyRow) -> _Held:
        if row.wrapped_key is None or row.wrapped_by is None:
            raise UnknownKey(f"the key {row.kid} does not lie in the database")
        if row.wrapped_by not in self.root.kids():
            raise UnknownKey(
                f"the key {row.kid} is wrapped by {row.wrapped_by}; name that in vault_keys after the first"
            )
        key = await self.root.unwrap(row.wrapped_key, kid=row.wrapped_by, context=_context(row.kid))
        return _Held(Keyring({row.kid: key}), self._clock())


def _context(kid: str) -> bytes:
    """What a key in the table is bound to: its name. No row's context begins like this."""
    return b"vault key\0" + kid.encode()
