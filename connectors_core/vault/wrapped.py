"""All rows that need a key, where a plugin's store keeps only some of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from ..grants import Rewrapped, RowPlace, WrappedRow
from ..stores import Database
from . import sql
from .row_values import wrapped_row
from .rows import SqlSealedRows


class WrappedRows(Protocol):
    """The part of a ``SealedRowStore`` that changes of keys need."""

    async def kids(self) -> Mapping[str, int]: ...

    async def page(
        self, *, kid: str | None = None, after: RowPlace | None = None, most: int = 500
    ) -> Sequence[WrappedRow]: ...

    async def rewrap(self, rewrapped: Sequence[Rewrapped]) -> Sequence[bool]: ...


class WithSecrets:
    """``rows``, which keep token sets elsewhere, and the secrets that lie in ``database`` all the same."""

    def __init__(self, rows: WrappedRows, database: Database) -> None:
        self._rows, self._database = rows, database

    async def kids(self) -> Mapping[str, int]:
        counted = dict(await self._rows.kids())
        for kid, count in await self._database.fetch(sql.SECRET_KIDS):
            counted[kid] = counted.get(kid, 0) + count
        return counted

    async def page(
        self, *, kid: str | None = None, after: RowPlace | None = None, most: int = 500
    ) -> Sequence[WrappedRow]:
        begun = after is not None and after.table == sql.SECRETS
        if not begun and (found := await self._rows.page(kid=kid, after=after, most=most)):
            return found
        place = {"tenant": after.tenant, "id": after.id} if after and begun else {"tenant": "", "id": ""}
        statements = sql.PAGE if kid is None else sql.PAGE_OF_KEY
        which = {**place, "most": most} | ({} if kid is None else {"kid": kid})
        rows = await self._database.fetch(statements[sql.SECRETS], which)
        return [wrapped_row(sql.SECRETS, row) for row in rows]

    async def rewrap(self, rewrapped: Sequence[Rewrapped]) -> Sequence[bool]:
        here = [each for each in rewrapped if each.row.place.table == sql.SECRETS]
        there = [each for each in rewrapped if each.row.place.table != sql.SECRETS]
        swapped = dict(zip((each.row.place for each in here), await self._swap(here), strict=True))
        swapped |= zip((each.row.place for each in there), await self._rows.rewrap(there), strict=True)
        return [swapped[each.row.place] for each in rewrapped]

    async def _swap(self, rewrapped: Sequence[Rewrapped]) -> Sequence[bool]:
        return await SqlSealedRows(self._database).rewrap(rewrapped)
