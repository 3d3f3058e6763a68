"""Sealed rows in another database than the identities they belong to."""

from __future__ import annotations

from typing import Any

import pytest

from connectors_core.grants import SealedRow
from connectors_core.storage.database import OpenDatabase
from connectors_core.testing.sealed_rows import Change, SealedRowStoreConformance, row
from connectors_core.vault.detached import DetachedSealedRows


async def identities(database: Any) -> int:
    return int((await database.fetch("SELECT COUNT(*) FROM connectors_identities"))[0][0])


class TestDetachedSealedRows(SealedRowStoreConformance):
    @pytest.fixture
    def rows(self, database: OpenDatabase) -> DetachedSealedRows:
        return DetachedSealedRows(database)

    @pytest.fixture
    def link(self) -> Change:
        async def link(ref: Any) -> None:
            """The identity is in another database."""

        return link

    @pytest.fixture
    def unlink(self, rows: DetachedSealedRows) -> Change:
        async def unlink(ref: Any) -> None:
            await rows.delete(ref.tenant, ref.identity, kind="tokens", now=self.now)

        return unlink

    async def test_a_row_without_an_identity_is_not_kept(self, rows: DetachedSealedRows) -> None:  # type: ignore[override]
        """It brings its own, which goes with it."""
        kept = row()
        assert await rows.add(kept)
        assert not await rows.add(row(kid="k2"))
        assert await identities(rows._database) == 1
        assert await rows.delete("default", kept.state.ref.identity, kind=kept.kind, now=self.now)
        assert await identities(rows._database) == 0

    async def test_an_identity_proper_is_never_taken_along(
        self, rows: DetachedSealedRows, database: OpenDatabase
    ) -> None:
        """Where somebody names the hub's own database for a region."""
        kept: SealedRow = row()
        assert await rows.add(kept)
        await database.fetch("UPDATE connectors_identities SET identity_group = 'acme'")
        assert await rows.delete("default", kept.state.ref.identity, kind=kept.kind, now=self.now)
        assert await identities(database) == 1
