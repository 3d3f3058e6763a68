"""Which keys there are and which of them wraps: in the database, so that all hosts follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from ..errors import ConfigurationError, Problem, SealBroken, UnknownKey
from ..grants import KeyProvider
from ..stores import Database
from . import sql

FRESH_FOR = 30.0
"""Seconds that a host may go by what it last read of the states."""
CHECK_VALUE = b"connectors vault key check v1\0\0\0"
"""32 bytes that every key wraps, so that a wrong key under a right name is told from the right one."""
CHECK_CONTEXT = b"check"


class KeyState(StrEnum):
    """``standby`` opens and does not wrap yet; ``retired`` opens and wraps no more; ``destroyed`` is gone."""

    STANDBY = "standby"
    ACTIVE = "active"
    RETIRED = "retired"
    DESTROYED = "destroyed"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """A key as the database knows it. ``wrapped_key`` is the key itself under the root ``wrapped_by``."""

    kid: str
    state: KeyState
    check_value: bytes
    wrapped_key: bytes | None = None
    wrapped_by: str | None = None


class KeyStates:
    """The states of the keys, read from the database at most every ``FRESH_FOR`` seconds."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows: dict[str, KeyRow] = {}
        self._read_at = float("-inf")

    async def read(self, now: float) -> Mapping[str, KeyRow]:
        """What the database says now."""
        self._rows, self._read_at = await self._fetched(), now
        return self._rows

    async def _fetched(self) -> dict[str, KeyRow]:
        rows = [
            KeyRow(
                kid=kid,
                state=KeyState(state),
                check_value=bytes(check),
                wrapped_key=None if wrapped is None else bytes(wrapped),
                wrapped_by=by,
            )
            for kid, state, check, wrapped, by in await self._database.fetch(sql.KEYS)
        ]
        return {row.kid: row for row in rows}

    async def begin(self, keys: KeyProvider, *, now: float) -> None:
        """Make the keys of ``keys`` known, and check those that are known already.

        The first key ever becomes active, later ones stand by. Raises ConfigurationError for a key
        that is not the one that goes by its name, and where the active key is missing; KeyUnavailable.
        """
        await self.announce(keys, now=now)
        if problems := _no_active(keys, await self.read(now)):
            raise ConfigurationError(problems)

    async def announce(self, keys: KeyProvider, *, now: float) -> None:
        """As ``begin``, also where the active key is missing: it may be lost."""
        known = await self.read(now)
        if problems := await self._wrong(keys, known):
            raise ConfigurationError(problems)
        for kid in keys.kids():
            if kid not in known:
                await self.add(keys, kid, now=now)

    async def check(self, keys: KeyProvider) -> None:
        """Raise what ``begin`` raises for keys that are known, and make none known."""
        known = await self._fetched()
        if problems := await self._wrong(keys, known) or _no_active(keys, known):
            raise ConfigurationError(problems)

    async def is_gone(self, kid: str, now: float) -> bool:
        """Tell whether no host can have the key: it was destroyed, or never was."""
        row = (await self.read(now)).get(kid)
        return row is None or row.state is KeyState.DESTROYED

    async def _wrong(self, keys: KeyProvider, known: Mapping[str, KeyRow]) -> list[Problem]:
        problems = []
        for kid in keys.kids():
            if (
                kid in known
                and known[kid].state is not KeyState.DESTROYED
                and not await self.is_right(keys, known[kid])
            ):
                problems.append(
                    Problem(
                        ("host", "vault_keys"),
                        f"the key {kid} is not the one that this database knows by that name",
                        "bring back the right key, or give the new one a name of its own",
                    )
                )
        return problems

    async def add(
        self,
        keys: KeyProvider,
        kid: str,
        *,
        now: float,
        wrapped_key: bytes | None = None,
        wrapped_by: str | None = None,
    ) -> None:
        """Write down a key, with its check value; the first one is active. Known ones stay as they are."""
        entry = {
            "kid": kid,
            "check_value": await keys.wrap(CHECK_VALUE, kid=kid, context=CHECK_CONTEXT),
            "wrapped_key": wrapped_key,
            "wrapped_by": wrapped_by,
            "now": now,
        }
        added = await self._database.fetch(sql.ADD_KEY, {**entry, "first_state": "active"})
        if not added:
            # It was there, or another host's first key became active just now: then this one stands by.
            await self._database.fetch(sql.ADD_KEY, {**entry, "first_state": "standby"})
        self._read_at = float("-inf")

    async def active(self, now: float) -> str:
        """The key to wrap by. Raises UnknownKey where there is none."""
        if not 0 <= now - self._read_at < FRESH_FOR:
            await self.read(now)
        for row in self._rows.values():
            if row.state is KeyState.ACTIVE:
                return row.kid
        raise UnknownKey("no key is active")

    async def is_right(self, keys: KeyProvider, row: KeyRow) -> bool:
        """Tell whether the key of that name is the one of ``row``. Raises KeyUnavailable, UnknownKey."""
        try:
            return (await keys.unwrap(row.check_value, kid=row.kid, context=CHECK_CONTEXT)) == CHECK_VALUE
        except SealBroken:
            return False


def _no_active(keys: KeyProvider, known: Mapping[str, KeyRow]) -> list[Problem]:
    active = [row.kid for row in known.values() if row.state is KeyState.ACTIVE]
    if active and active[0] in keys.kids():
        return []
    what = f"the active key {active[0]} is not" if active else "no active key is"
    cure = (
        "bring it back; if it is lost for good: connectors vault key new --lost makes another, "
        "connectors vault key promote makes that active"
    )
    return [Problem(("host", "vault_keys"), f"{what} among the keys", cure)]
