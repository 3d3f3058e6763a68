"""Changes of what keys are for, each refused where it would leave a host or a row behind."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import NotFound, VaultError
from ..stores import Database
from .hosts import Hosts
from .key_states import FRESH_FOR, KeyRow, KeyState, KeyStates
from .sql import WRAPPED_TABLES
from .wrapped import WrappedRows

SETTLED = 2 * FRESH_FOR
"""Seconds after which no live host acts on an older state."""

_STANDING_BY = "kid = :kid AND state = 'standby'"
_LOCK = f"UPDATE connectors_vault_keys SET kid = kid WHERE {_STANDING_BY}"  # noqa: S608
_DEMOTE = f"""
    UPDATE connectors_vault_keys SET state = 'standby', updated_at = :now
     WHERE state = 'active' AND EXISTS (SELECT 1 FROM connectors_vault_keys WHERE {_STANDING_BY})
"""  # noqa: S608
_PROMOTE = f"""
    UPDATE connectors_vault_keys SET state = 'active', updated_at = :now WHERE {_STANDING_BY} RETURNING 1
"""  # noqa: S608
_WRAPS_NONE = "NOT EXISTS (SELECT 1 FROM connectors_vault_keys WHERE wrapped_by = :kid)"
_RETIRE = f"""
    UPDATE connectors_vault_keys SET state = 'retired', updated_at = :now
     WHERE kid = :kid AND state = 'standby' AND {_WRAPS_NONE} RETURNING 1
"""  # noqa: S608
_TAKE_BACK = """
    UPDATE connectors_vault_keys SET state = 'standby', updated_at = :now
     WHERE kid = :kid AND state = 'retired' RETURNING 1
"""
_NO_WRITERS = f"""
    LOCK TABLE {", ".join(reversed(WRAPPED_TABLES))}, connectors_vault_keys IN SHARE ROW EXCLUSIVE MODE
"""
"""In the order in which a deletion writes to them. On SQLite the transaction alone keeps writers out."""
_DESTROY = f"""
    UPDATE connectors_vault_keys
       SET state = 'destroyed', wrapped_key = NULL, wrapped_by = NULL, updated_at = :now
     WHERE kid = :kid AND state = 'retired' AND {_WRAPS_NONE}
       AND {" AND ".join(f"NOT EXISTS (SELECT 1 FROM {table} WHERE kid = :kid)" for table in WRAPPED_TABLES)}
    RETURNING 1
"""  # noqa: S608
_GIVE_UP = f"""
    UPDATE connectors_vault_keys
       SET state = 'destroyed', wrapped_key = NULL, wrapped_by = NULL, updated_at = :now
     WHERE kid = :kid AND state <> 'active' AND {_WRAPS_NONE} RETURNING 1
"""  # noqa: S608
_REPLACE_WRAPPED = """
    UPDATE connectors_vault_keys SET wrapped_key = :wrapped_key, wrapped_by = :wrapped_by
     WHERE kid = :kid AND wrapped_key = :old RETURNING 1
"""
_ADOPT = """
    UPDATE connectors_vault_keys SET wrapped_key = :wrapped_key, wrapped_by = :wrapped_by
     WHERE kid = :kid AND wrapped_key IS NULL AND state <> 'destroyed' RETURNING 1
"""
_CHANGED = "SELECT kid, updated_at FROM connectors_vault_keys"


class KeyChanges:
    """``NotFound`` for a key that is not known, ``VaultError`` where a change is refused, with the reason.

    ``shared``: the database has several writers at a time, as PostgreSQL has.
    """

    def __init__(
        self,
        database: Database,
        rows: WrappedRows,
        states: KeyStates,
        hosts: Hosts,
        *,
        shared: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database, self._rows, self._states = database, rows, states
        self._hosts, self._shared, self._clock = hosts, shared, clock

    async def keys(self) -> Mapping[str, KeyRow]:
        return await self._states.read(self._clock())

    async def ages(self) -> Mapping[str, float]:
        """How many seconds ago the state of each key changed."""
        now = self._clock()
        return {kid: now - changed for kid, changed in await self._database.fetch(_CHANGED)}

    async def promote(self, kid: str) -> None:
        """Wrap by ``kid`` from now on; the key before stands by. Nothing where it is active already."""
        row = await self._row(kid)
        if row.state is KeyState.ACTIVE:
            return
        if row.state is not KeyState.STANDBY:
            raise VaultError(f"the key {kid} is {row.state}; only one that stands by can be promoted")
        await self._known_everywhere(kid, "promoted")
        statements = [(_LOCK, {"kid": kid})]
        its: dict[str, Any] = {"kid": kid, "now": self._clock()}
        if not (await self._database.run([*statements, (_DEMOTE, its), (_PROMOTE, its)]))[-1]:
            raise VaultError(f"the key {kid} was changed by somebody else just now; look at its state")

    async def retire(self, kid: str) -> None:
        """Never wrap by ``kid`` again; it still opens. Refused for the active key and while rows need it."""
        row = await self._row(kid)
        if row.state is KeyState.RETIRED:
            return
        if row.state is KeyState.ACTIVE:
            raise VaultError(f"the key {kid} is active; promote another first")
        await self._unneeded(kid, "retired")
        await self._change(_RETIRE, kid)

    async def stand_by(self, kid: str) -> bool:
        """Take a retired key back; False where it was not retired."""
        if (await self._row(kid)).state is not KeyState.RETIRED:
            return False
        await self._change(_TAKE_BACK, kid)
        return True

    async def destroy(self, kid: str) -> None:
        """Forget a key for good. Refused while anything needs it, or a host may still wrap by it.

        Whatever only it opens, backups too, is then lost; that may be the purpose.
        """
        row = await self._row(kid)
        if row.state is KeyState.DESTROYED:
            return
        if row.state is not KeyState.RETIRED:
            raise VaultError(f"the key {kid} is {row.state}; only a retired one can be destroyed")
        wait = SETTLED - (await self.ages())[kid]
        if wait > 0:
            raise VaultError(
                f"the key {kid} was retired just now and a host may not know yet; try again in {wait:.0f} s"
            )
        active = next(row.kid for row in (await self.keys()).values() if row.state is KeyState.ACTIVE)
        await self._known_everywhere(active, f"what replaces {kid}")
        await self._unneeded(kid, "destroyed")
        await self._change(_DESTROY, kid)

    async def give_up(self, kid: str) -> None:
        """Take a key for lost though rows need it; those are replaced when people agree anew.

        Refused for the active key, and while a live host has it.
        """
        row = await self._row(kid)
        if row.state is KeyState.ACTIVE:
            raise VaultError(f"the key {kid} is active; promote another first")
        if having := [host.name for host in await self._hosts.all() if host.live and kid in host.kids]:
            raise VaultError(f"the key {kid} is not lost: {', '.join(having)} can use it")
        await self._wraps_none(kid, "given up")
        await self._change(_GIVE_UP, kid)

    async def replace_wrapped(self, row: KeyRow, wrapped_key: bytes, wrapped_by: str) -> bool:
        """Put a key of the table under another key of the service; False where it changed meanwhile."""
        its = {"kid": row.kid, "old": row.wrapped_key, "wrapped_key": wrapped_key, "wrapped_by": wrapped_by}
        return bool(await self._database.fetch(_REPLACE_WRAPPED, its))

    async def adopt(self, kid: str, wrapped_key: bytes, wrapped_by: str) -> bool:
        """Put a key that was kept elsewhere into the table; False where it lies there already."""
        its = {"kid": kid, "wrapped_key": wrapped_key, "wrapped_by": wrapped_by}
        return bool(await self._database.fetch(_ADOPT, its))

    async def _row(self, kid: str) -> KeyRow:
        row = (await self.keys()).get(kid)
        if row is None:
            await self._wraps_none(kid, "changed here")
            known = ", ".join(sorted(await self.keys())) or "none"
            raise NotFound(f"the database knows no key {kid}, but {known}; look: connectors vault status")
        return row

    async def _change(self, statement: str, kid: str) -> None:
        """Do it unless what was found to allow it is no longer so."""
        statements: list[tuple[str, Mapping[str, Any]]] = [(statement, {"kid": kid, "now": self._clock()})]
        if self._shared and statement is _DESTROY:
            statements.insert(0, (_NO_WRITERS, {}))
        if not (await self._database.run(statements))[-1]:
            raise VaultError(
                f"the key {kid} was changed, or came into use, just now; look: connectors vault status"
            )

    async def _known_everywhere(self, kid: str, what: str) -> None:
        without = [host.name for host in await self._hosts.all() if host.live and kid not in host.kids]
        if without:
            raise VaultError(
                f"the key {kid} cannot be {what} yet: {', '.join(without)} cannot use it;"
                " bring it there, or wait until they have followed"
            )

    async def _unneeded(self, kid: str, what: str) -> None:
        if count := (await self._rows.kids()).get(kid, 0):
            raise VaultError(f"the key {kid} cannot be {what}: {count} rows need it; connectors vault rewrap")
        await self._wraps_none(kid, what)

    async def _wraps_none(self, kid: str, what: str) -> None:
        wrapped = [row.kid for row in (await self.keys()).values() if row.wrapped_by == kid]
        if wrapped:
            raise VaultError(
                f"the key {kid} cannot be {what}: it wraps the keys {', '.join(wrapped)};"
                " name another root key before it in vault_keys, then connectors vault rewrap"
            )
