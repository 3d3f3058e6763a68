"""The hub's face for secrets of the host itself, which are sealed as tokens are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import StorageError

if TYPE_CHECKING:
    from ..vault.connector_secrets import ConnectorSecrets
    from .shared import Shared

URLS = b""
"""Such a secret is sent nowhere."""
VALUE = "value"


class SecretFace:
    """The part of a tenant's face that is about secrets by name: a key that the host signs by, say.

    They are rows under the vault's keys like any other: moved by ``connectors vault rewrap``, and a key
    that one of them needs is not destroyed.
    """

    _shared: Shared
    name: str

    @property
    def can_seal(self) -> bool:
        """Whether there is a database and a key to seal by; nothing else here works without."""
        keeping = self._shared.keeping
        return keeping is not None and keeping.vault is not None

    async def put_secret(self, name: str, secret: str) -> None:
        """Keep ``secret`` sealed, over one of the same name; it opens under that name alone.

        Raises StorageError where ``can_seal`` is false, KeyUnavailable; UnknownKey where the key to
        seal by was destroyed meanwhile: again, then.
        """
        now = self._shared.clock()
        await self._secrets.put(self.name, _place(name), {VALUE: secret}, urls=URLS, now=now)

    async def secret(self, name: str) -> str | None:
        """The secret of that name; None where there is none, or it is lost with a key that was destroyed.

        Raises SealBroken, KeyUnavailable, UnknownKey where only this host lacks the key, StorageError.
        """
        found = await self._secrets.open(self.name, _place(name), urls=URLS, now=self._shared.clock())
        return found.get(VALUE)

    async def forget_secret(self, name: str) -> bool:
        """Forget the secret of that name; False where there is none. Needs no key. Raises StorageError."""
        from ..vault.connector_secrets import forget

        if self._shared.database is None:
            raise StorageError("this hub keeps everything in memory, or is not open")
        return await forget(self._shared.database, self.name, _place(name)) > 0

    async def scrub_log(self) -> None:
        """Have nothing that was overwritten or deleted left in the log of SQLite, once it was in the clear.

        PostgreSQL keeps it until VACUUM, and both keep it in backups. Raises StorageError.
        """
        from ..storage.sqlite import SqliteDatabase

        if isinstance(self._shared.database, SqliteDatabase):
            await self._shared.database.fetch("PRAGMA wal_checkpoint(TRUNCATE)")

    @property
    def _secrets(self) -> ConnectorSecrets:
        from ..vault.connector_secrets import ConnectorSecrets

        keeping, database = self._shared.keeping, self._shared.database
        if keeping is None or keeping.vault is None or database is None:
            raise StorageError("this hub seals nothing: it has no database or no key, or is not open")
        return ConnectorSecrets(database, keeping.vault)


def _place(name: str) -> str:
    """Where a connector's secrets would have its id, which has no slash."""
    return f"host/{name}"
