"""Sealed rows in another database than the identities they belong to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import StorageError
from ..grants import SealedRow
from .rows import SqlSealedRows, values_of
from .sql import ADD

_COPY_IDENTITY = """
    INSERT INTO connectors_identities (tenant, id, owner, connector, target, identity_group, issuer, subject,
           profile, created_at, updated_at)
    VALUES (:tenant, :identity, :owner, :connector, :target, :identity, :issuer, :subject,
           '{}', :created_at, :created_at)
    ON CONFLICT (tenant, id) DO UPDATE SET owner = excluded.owner, issuer = excluded.issuer,
           subject = excluded.subject
"""
_FORGET_IDENTITY = """
    DELETE FROM connectors_identities WHERE tenant = :tenant AND id = :identity AND identity_group = id
       AND NOT EXISTS (SELECT 1 FROM connectors_secrets s WHERE s.tenant = :tenant AND s.identity = :identity)
"""


class DetachedSealedRows(SqlSealedRows):
    """A row comes with a copy of its identity, without a profile, and takes that along when it goes.

    The copy's group is its id, which no identity proper has: nothing else is ever deleted here.
    It cannot know by itself that an identity is gone: whoever unlinks one deletes its row here.
    """

    _with_deletion = (_FORGET_IDENTITY,)

    async def add(self, row: SealedRow) -> bool:
        values = values_of(row)
        ref = row.state.ref
        identity = {**values, "owner": ref.owner, "subject": ref.subject}
        return bool((await self._database.run([(_COPY_IDENTITY, identity), (ADD, values)]))[-1])


@contextmanager
def named(vault: str) -> Iterator[None]:
    """Say of which vault it is what a database says inside."""
    try:
        yield
    except StorageError as error:
        raise StorageError(f"the vault {vault}: {error}") from error
