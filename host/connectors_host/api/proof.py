"""What a completed authorization proves, and what a record of it is good for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

from starlette.requests import Request

from connectors_core.errors import (
    CallbackRejected,
    ConnectorError,
    IdentityAlreadyLinked,
    Step,
    TransactionConsumed,
)
from connectors_core.flow import Completed
from connectors_core.transaction import Purpose

from ..errors import HostError
from ..host import Host
from ..linking import is_recent, may_link
from ..sessions import Session
from ..unkept import abandon
from . import completed_json
from .records import Record, Status

HEADER = "logto-verification-id"
"""Carries the id of a record that proves who asks."""


async def conclude(host: Host, record: Record, completed: Completed) -> None:
    """Make ``record`` verified by what ``completed`` proves; its purpose is derived where none was said.

    Raises IdentityAlreadyLinked where the account is another person's, HostError
    (verification_mismatch) where it is not the caller's though it should be, TransactionConsumed
    where another was first. Then the record stays as it is.
    """
    purpose = await _proven(host, record, completed)
    content = {
        **{name: value for name, value in record.content.items() if name != "binding"},
        "completed": completed_json.written(completed),
    }
    # What is not used by then is revoked; where it was, a live grant keeps the provider from being told.
    await abandon(host, completed, after=max(0.0, record.expires_at - host.clock()))
    if not await host.records.verify(record, purpose=purpose, content=content):
        raise TransactionConsumed("this verification was already completed")


async def _proven(host: Host, record: Record, completed: Completed) -> Purpose:
    identity = await host.hub.find_identity(completed)
    mine = identity is not None and identity.owner == record.owner
    if record.purpose in (Purpose.TOKENS, Purpose.REAUTHENTICATE):
        if not mine:
            raise mismatch()
        return record.purpose
    if identity is not None and not mine:
        raise IdentityAlreadyLinked("this account is linked to somebody else")
    if not mine and not may_link(host.hub.connector(completed.connector)):
        raise mismatch()
    return record.purpose or (Purpose.TOKENS if mine else Purpose.LINK)


def mismatch() -> HostError:
    return HostError(
        "verification_mismatch", "the verification is of another account, or for something else",
        step=Step.LINKING,
    )  # fmt: skip


async def proven(host: Host, record_id: str, *, owner: str, purposes: Collection[Purpose]) -> Record:
    """The verified record of that id, good for one of ``purposes``. Raises what ``Records.find`` does;

    HostError: verification_pending, verification_mismatch.
    """
    record = await host.records.find(record_id, owner=owner)
    if record.status is not Status.VERIFIED or record.purpose is None:
        raise HostError("verification_pending", step=Step.CALLBACK)
    if record.purpose not in purposes:
        raise mismatch()
    return record


def completed_of(record: Record) -> Completed:
    """The authorization that a verified record proves."""
    assert record.purpose is not None
    return completed_json.read(record.content["completed"], purpose=record.purpose)


async def use(host: Host, record: Record) -> None:
    """Consume a verified record. Raises TransactionConsumed where another was first."""
    if not await host.records.consume(record):
        raise TransactionConsumed("the verification record was used before")


@asynccontextmanager
async def recent(request: Request, session: Session) -> AsyncIterator[None]:
    """Raise HostError (reauthentication_required) unless the sign-in is recent, or the header names a

    fresh record that was begun to reauthenticate; that one is consumed, and given back where what it is
    wanted for is refused. One for tokens does not serve: its provider was not asked to have the person
    prove anything.
    """
    host = Host.of(request)
    if is_recent(host, session):
        yield
        return
    needed = HostError("reauthentication_required", "sign in again, or verify a linked account")
    record_id = request.headers.get(HEADER)
    if not record_id:
        raise needed
    try:
        record = await proven(host, record_id, owner=session.owner, purposes=(Purpose.REAUTHENTICATE,))
        await use(host, record)
    except (HostError, CallbackRejected):
        raise needed from None
    try:
        yield
    except (ConnectorError, HostError):
        await host.records.restore(record)
        raise
