"""Secrets that are not tokens: of connectors that are configured at run time, and of the host itself."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from ..errors import SealBroken, UnknownKey
from ..grants import GrantRef
from ..stores import Database
from . import record, sql
from .vault import Vault

Secrets = Mapping[str, str]


class ConnectorSecrets:
    """Client secrets and the like, by connector and name.

    Both layers of a record bind the digest of the connector's configured URLs. Whoever edits a URL
    in the database is not sent the secret: it no longer opens.
    """

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database, self._vault = database, vault

    async def put(self, tenant: str, connector: str, secrets: Secrets, *, urls: bytes, now: float) -> None:
        """Keep ``secrets`` by name, over those of the same names.

        Raises UnknownKey where the key was destroyed meanwhile: again, then. KeyUnavailable.
        """
        statements = []
        for name, secret in secrets.items():
            ref, secret_id, kind = _ref(tenant, connector, urls), f"config_{uuid.uuid4().hex}", _kind(name)
            kid, wrapped, dek = await self._vault.wrap_new(ref, secret_id=secret_id, kind=kind, now=now)
            context = record.context_of(ref, secret_id=secret_id, kind=kind)
            values = {
                "tenant": tenant,
                "id": secret_id,
                "connector": connector,
                "name": name,
                "urls": urls,
                "kid": kid,
                "wrapped_dek": wrapped,
                "payload": record.encrypt(secret.encode(), dek, context=context),
                "now": now,
            }
            statements.append((sql.PUT_CONFIG_SECRET, values))
        if not all(await self._database.run(statements)):
            await self._vault.key_states.read(now)
            raise UnknownKey("the key to seal by was destroyed just now; try again")

    async def open(self, tenant: str, connector: str, *, urls: bytes, now: float) -> dict[str, str]:
        """All secrets of a connector whose URLs have the digest ``urls`` now.

        Those whose key was destroyed are lost and left out. Raises SealBroken where ``urls`` is not the
        digest they were sealed with; KeyUnavailable, UnknownKey.
        """
        ref, opened = _ref(tenant, connector, urls), {}
        which = {"tenant": tenant, "connector": connector}
        for secret_id, name, kid, wrapped_dek, payload in await self._database.fetch(
            sql.CONFIG_SECRETS, which
        ):
            try:
                plain, _ = await self._vault.open_payload(
                    bytes(payload),
                    bytes(wrapped_dek),
                    kid=kid,
                    ref=ref,
                    secret_id=secret_id,
                    kind=_kind(name),
                )
            except UnknownKey:
                if await self._vault.key_states.is_gone(kid, now):
                    continue
                raise
            try:
                opened[name] = plain.decode()
            except UnicodeError:
                raise SealBroken("what was sealed is not a text") from None
        return opened

    async def remove(self, tenant: str, connector: str) -> int:
        """Forget all secrets of a connector; return how many."""
        return await forget(self._database, tenant, connector)


async def forget(database: Database, tenant: str, connector: str) -> int:
    """``ConnectorSecrets.remove``, which needs no key."""
    which = {"tenant": tenant, "connector": connector}
    return len(await database.fetch(sql.DELETE_CONFIG_SECRETS, which))


def _ref(tenant: str, connector: str, urls: bytes) -> GrantRef:
    return GrantRef(
        tenant=tenant,
        owner="",
        identity="",
        subject="",
        connector=connector,
        target="",
        issuer="",
        urls=urls,
    )


def _kind(name: str) -> str:
    return f"config:{name}"
