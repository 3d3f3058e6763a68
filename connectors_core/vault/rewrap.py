"""Moving every row under one key, while hosts run; and proving that nothing was left behind.

What is to do is what the rows themselves say: nothing is remembered elsewhere, so that a run may
be stopped at any point, killed too, and the next one finds the rest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ..errors import SealBroken, UnknownKey
from ..grants import KeyProvider, Rewrapped, RowPlace, WrappedRow
from . import record
from .wrapped import WrappedRows

PAGE = 1000
MOST_TOLD = 1000
"""Places of unreadable rows that are remembered; all are counted."""


@dataclass(slots=True, kw_only=True)
class Progress:
    """How far a run is. ``total`` is what was there to do when last counted.

    ``overtaken``: rows that somebody else wrote between reading and writing, whose newer state
    stays. ``unreadable``: rows that no key here opens. ``elsewhere``: rows under another key than
    the one verified.
    """

    kid: str
    total: int = 0
    done: int = 0
    overtaken: int = 0
    unreadable: int = 0
    elsewhere: int = 0
    places: list[RowPlace] = field(default_factory=list)
    unknown: dict[str, int] = field(default_factory=dict)

    def failed(self, place: RowPlace) -> None:
        self.unreadable += 1
        if len(self.places) < MOST_TOLD:
            self.places.append(place)


T = TypeVar("T")
Tell = Callable[[Progress], None]
Settle = Callable[[], Awaitable[None]]


async def rewrap(
    rows: WrappedRows,
    keys: KeyProvider,
    *,
    to: str,
    workers: int = 1,
    page: int = PAGE,
    settle: Settle | None = None,
    still: Settle | None = None,
    tell: Tell = lambda progress: None,
) -> Progress:
    """Wrap every data key by ``to``; the payloads stay as they are.

    Repeats until a pass finds nothing that it can move, so a host that still wraps by another key
    meanwhile is caught up with; ``settle`` is awaited then, and one more look is taken. ``still`` is
    awaited before each pass: what it raises ends the run, as KeyUnavailable and StorageError do. A
    row that does not open is told of and left.
    """
    progress = Progress(kid=to)
    while True:
        if still is not None:
            await still()
        others = {kid: count for kid, count in (await rows.kids()).items() if kid != to}
        progress.total = progress.done + sum(others.values())
        progress.unreadable, progress.places, progress.unknown = 0, [], {}
        tell(progress)
        before = progress.done + progress.overtaken
        for kid in sorted(others):
            await _one_key(rows, keys, kid, others[kid], progress, workers, page, tell)
        if progress.done + progress.overtaken == before:
            if settle is None:
                return progress
            await settle()
            settle = None


async def _one_key(
    rows: WrappedRows,
    keys: KeyProvider,
    kid: str,
    count: int,
    progress: Progress,
    workers: int,
    page: int,
    tell: Tell,
) -> None:
    after: RowPlace | None = None
    while batch := await rows.page(kid=kid, after=after, most=page):
        try:
            moved = await _moved(keys, batch, progress, workers)
        except UnknownKey:
            progress.unknown[kid] = count
            progress.unreadable += count
            tell(progress)
            return
        won = sum(await rows.rewrap(moved))
        progress.done += won
        progress.overtaken += len(moved) - won
        after = batch[-1].place
        tell(progress)


async def _moved(
    keys: KeyProvider, batch: Sequence[WrappedRow], progress: Progress, workers: int
) -> list[Rewrapped]:
    async def move(part: Sequence[WrappedRow]) -> list[Rewrapped]:
        moved = []
        for row in part:
            context = _context(row)
            try:
                wrapped = await keys.rewrap(row.wrapped_dek, kid=row.kid, to=progress.kid, context=context)
            except SealBroken:
                progress.failed(row.place)
            else:
                moved.append(Rewrapped(row=row, kid=progress.kid, wrapped_dek=wrapped))
        return moved

    return await _in_parts(move, batch, workers)


async def verify(
    rows: WrappedRows,
    keys: KeyProvider,
    *,
    kid: str,
    workers: int = 1,
    page: int = PAGE,
    tell: Tell = lambda progress: None,
) -> Progress:
    """Open every row by the key ``kid`` alone; those under another key are counted and not opened."""
    progress = Progress(kid=kid, total=sum((await rows.kids()).values()))
    tell(progress)

    async def opened(part: Sequence[WrappedRow]) -> list[WrappedRow]:
        good = []
        for row in part:
            if row.kid != kid:
                progress.elsewhere += 1
                continue
            context = _context(row)
            try:
                dek = await keys.unwrap(row.wrapped_dek, kid=kid, context=context)
                record.decrypt(row.payload, dek, context=context)
            except SealBroken:
                progress.failed(row.place)
            else:
                good.append(row)
        return good

    after: RowPlace | None = None
    while batch := await rows.page(after=after, most=page):
        progress.done += len(await _in_parts(opened, batch, workers))
        after = batch[-1].place
        tell(progress)
    return progress


async def _in_parts(
    work: Callable[[Sequence[WrappedRow]], Coroutine[Any, Any, list[T]]],
    batch: Sequence[WrappedRow],
    workers: int,
) -> list[T]:
    """Only a key service makes more than one worker worth while."""
    if workers <= 1:
        return await work(batch)
    done = await asyncio.gather(*(work(batch[start::workers]) for start in range(workers)))
    return [each for part in done for each in part]


def _context(row: WrappedRow) -> bytes:
    return record.context_of(row.ref, secret_id=row.place.id, kind=row.kind)
