"""What a row of the database says: the values of ``sql``'s statements, in their order."""

from __future__ import annotations

import json
from functools import lru_cache

from ..errors import StorageError
from ..grants import (
    GrantRef,
    GrantState,
    InactiveReason,
    LinkedRow,
    RowPlace,
    SealedRevocation,
    SealedRow,
    WrappedRow,
)
from ..stores import Row


def grant_state(row: Row) -> GrantState:
    """A row of ``sql.STATE``'s columns."""
    return _state_and_fence(row)[0]


def sealed_row(row: Row) -> SealedRow:
    """A row of ``sql.FIND``'s columns."""
    wrapped_dek, payload = row[-2:]
    state, kind, fence = _state_and_fence(row[:-2])
    return SealedRow(
        state=state, kind=kind, wrapped_dek=bytes(wrapped_dek), payload=bytes(payload), fence=fence
    )


def linked_row(row: Row, *, tenant: str, owner: str, group: str) -> LinkedRow:
    """A row of ``sql.LINKED``'s columns, if it is of that owner's. Raises StorageError.

    Statements share a connection: an answer to another's question would be another person's tokens.
    """
    found, connector, target, of_tenant, identity, of_owner, _, secret_id = row[:8]
    if (of_tenant, of_owner, found) != (tenant, owner, group):
        raise StorageError("the database gave an answer to another question")
    return LinkedRow(
        tenant=tenant,
        owner=owner,
        identity=identity,
        connector=connector,
        target=target,
        kept=None if secret_id is None else sealed_row(row[3:]),
    )


def _state_and_fence(row: Row) -> tuple[GrantState, str, int]:
    (
        tenant, identity, owner, subject,
        secret_id, kind, connector, target, issuer, client, urls, reason, requested, scopes,
        effective, scopes_stated, token_type, expires_at, refresh_expires_at, has_refresh_token,
        generation, created_at, updated_at, used_at, retry_at, failures, uncertain, lease_holder,
        lease_until, fence, kid,
    ) = row  # fmt: skip
    covered = _scopes(scopes)
    state = GrantState(
        ref=_ref(tenant, owner, identity, subject, connector, target, issuer, client, urls),
        secret_id=secret_id,
        reason=_reason(reason),
        requested=_scopes(requested),
        scopes=covered,
        effective=covered if effective is None else _scopes(effective),
        scopes_stated=bool(scopes_stated),
        token_type=token_type,
        expires_at=expires_at,
        refresh_expires_at=refresh_expires_at,
        has_refresh_token=bool(has_refresh_token),
        generation=generation,
        created_at=created_at,
        updated_at=updated_at,
        used_at=used_at,
        retry_at=retry_at,
        failures=failures,
        uncertain=bool(uncertain),
        lease_holder=lease_holder,
        lease_until=lease_until,
        kid=kid,
    )
    return state, kind, fence


def revocation(row: Row) -> SealedRevocation:
    tenant, secret_id, kind, owner, identity, subject, connector, target, issuer, client, urls, *rest = row
    kid, wrapped_dek, payload, created_at, next_at, attempts = rest
    return SealedRevocation(
        ref=_ref(tenant, owner, identity, subject, connector, target, issuer, client, urls),
        id=secret_id,
        kind=kind,
        kid=kid,
        wrapped_dek=bytes(wrapped_dek),
        payload=bytes(payload),
        created_at=created_at,
        next_at=next_at,
        attempts=attempts,
    )


def wrapped_row(table: str, row: Row) -> WrappedRow:
    tenant, row_id, owner, identity, subject, connector, target, issuer, client, urls, *rest = row
    kind, kid, wrapped_dek, payload = rest
    return WrappedRow(
        place=RowPlace(table, tenant, row_id),
        ref=_ref(tenant, owner, identity, subject, connector, target, issuer, client, urls),
        kind=kind,
        kid=kid,
        wrapped_dek=bytes(wrapped_dek),
        payload=bytes(payload),
    )


def _ref(
    tenant: str,
    owner: str,
    identity: str,
    subject: str,
    connector: str,
    target: str,
    issuer: str,
    client: str,
    urls: bytes,
) -> GrantRef:
    return GrantRef(
        tenant=tenant,
        owner=owner,
        identity=identity,
        subject=subject,
        connector=connector,
        target=target,
        issuer=issuer,
        client=client,
        urls=bytes(urls),
    )


def _reason(text: str | None) -> InactiveReason | None:
    """A reason that only a later version knows has the same cure as this one: ask the person."""
    if text is None:
        return None
    try:
        return InactiveReason(text)
    except ValueError:
        return InactiveReason.INTERACTION_REQUIRED


@lru_cache(maxsize=1024)
def _scopes(text: str) -> frozenset[str]:
    """None where it was edited into something else: what is listed is not verified, what is opened is."""
    try:
        return frozenset(map(str, json.loads(text)))
    except (ValueError, TypeError, RecursionError):
        return frozenset()
