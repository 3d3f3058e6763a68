"""One authorization from request to verified answer.

The flow owns state, nonce, PKCE verifier, ``iss`` and the browser binding; no connector can opt
out of them, and none sees a callback that failed them.
"""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..connector import Connector
from ..endpoints import check_endpoint
from ..errors import (
    ConfigurationError,
    ConnectorError,
    ConnectorFault,
    InvalidCallback,
    IssuerMismatch,
    OwnerMismatch,
    Problem,
    StateMismatch,
    Step,
    TransactionConsumed,
    TransactionExpired,
)
from ..profile import IdentityKey, Profile
from ..stores import Absent, TransactionRow, TransactionStore
from ..tokens import TokenSet, nothing
from ..transaction import LIFETIME, Callback, Purpose, Transaction
from . import sealing
from .callback import CallbackAnswer, CallbackParameters, authorization_error, parse_callback

log = logging.getLogger("connectors_core.flow")

PENDING_PER_BROWSER = 5
"""Pending transactions that one browser may have; the oldest goes when a further one begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """An authorization request to send the browser to.

    ``binding`` is to be kept by the browser (an HttpOnly cookie) and brought back with the callback.
    ``expires_at`` is in seconds since the epoch.
    """

    uri: str = field(repr=False)
    binding: str = field(repr=False)
    expires_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """A completed authorization: who the person is at the provider, and what was granted."""

    profile: Profile
    tokens: TokenSet
    identity: IdentityKey
    tenant: str
    connector: str
    purpose: Purpose
    owner: str | None
    data: Mapping[str, Any] = field(default_factory=nothing, repr=False)


async def begin(
    connector: Connector,
    transactions: TransactionStore,
    *,
    redirect_uri: str,
    purpose: Purpose = Purpose.SIGN_IN,
    owner: str | None = None,
    scopes: Iterable[str] | None = None,
    parameters: Mapping[str, str] | None = None,
    binding: str | None = None,
    refresh_token_stored: bool | None = None,
    select_account: bool = False,
    data: Mapping[str, Any] | None = None,
) -> Started:
    """Store a new transaction and return the URI to send the browser to.

    ``binding`` is the browser's cookie where it already has one, so that several tabs stay valid.
    ``scopes`` are wanted besides the configured ones. ``select_account`` has the provider let the
    person choose, where it can be asked to. ``data`` (JSON) comes back in Completed.
    Raises ValueError where purpose and owner do not fit or ``data`` is not JSON, ConfigurationError
    for a redirect URI that cannot be one, and what the connector raises when it must discover first.
    """
    if (purpose is Purpose.SIGN_IN) != (owner is None):
        raise ValueError(f"purpose {purpose.value} {'takes no' if owner else 'needs an'} owner")
    try:
        json.dumps(dict(data or {}))
    except TypeError:
        raise ValueError("data is not JSON") from None
    try:
        check_endpoint(redirect_uri)
    except ValueError as error:
        raise ConfigurationError([Problem(("redirect_uri",), str(error))]) from None
    runtime = connector.runtime
    binding = binding or sealing.new_value()
    with contained(connector, Step.AUTHORIZATION_REQUEST):
        expected = await connector.callback_issuer()
        asked = dict(parameters or {})
        if select_account:
            asked |= await connector.select_account_parameters(asked)
        now = runtime.now()
        transaction = Transaction(
            tenant=runtime.tenant,
            connector=connector.connector_id,
            purpose=purpose,
            owner=owner,
            redirect_uri=redirect_uri,
            scopes=connector.scopes_to_request(scopes),
            state=sealing.new_value(),
            nonce=sealing.new_value(),
            code_verifier=sealing.new_value(),
            issuer=expected.issuer,
            iss_required=expected.required,
            parameters=asked,
            refresh_token_stored=refresh_token_stored,
            data=dict(data or {}),
            created_at=now,
            expires_at=now + LIFETIME,
        )
        uri = await connector.authorization_uri(transaction)
    await transactions.add(_row(transaction, binding), most_per_binding=PENDING_PER_BROWSER)
    return Started(uri=uri, binding=binding, expires_at=transaction.expires_at)


async def complete(
    received: CallbackParameters,
    connector: Connector,
    transactions: TransactionStore,
    *,
    binding: str | None,
    owner: str | None = None,
    purposes: Collection[Purpose] = tuple(Purpose),
) -> Completed:
    """Check a callback, redeem its code and say who the person is.

    The transaction is consumed first: of several callbacks with one state exactly one goes on, and
    only from the browser that began, at the connector it began with. ``purposes`` are those that
    the caller serves; an authorization for another is refused before its code is redeemed.

    Raises CallbackRejected (nothing was sent to the provider),
    AuthorizationError (the provider said no), TransportError or ProviderError; their ``data`` is
    what ``begin`` was given, once transaction and owner are known.
    """
    answer = parse_callback(received)
    transaction = await _consume(answer, connector, transactions, binding)
    if transaction.owner is not None and transaction.owner != owner:
        raise _tagged(OwnerMismatch("this authorization was begun by somebody else"), connector)
    try:
        if transaction.purpose not in purposes:
            raise _tagged(InvalidCallback("this authorization was begun for something else"), connector)
        return await _redeem(answer, transaction, connector)
    except ConnectorError as error:
        error.data = transaction.data
        raise


async def _redeem(answer: CallbackAnswer, transaction: Transaction, connector: Connector) -> Completed:
    _check_issuer(answer, transaction, connector)
    held = (transaction.state, transaction.nonce, transaction.code_verifier, answer.code)
    if answer.code is None:
        denied = connector.access_denied_aliases
        raise _tagged(authorization_error(answer, secrets=held, denied=denied), connector)
    callback = Callback(code=answer.code, iss=answer.iss, parameters=answer.parameters)
    with contained(connector, Step.TOKEN_EXCHANGE):
        tokens = await connector.exchange(callback, transaction)
    with contained(connector, Step.PROFILE):
        from ..oauth2.api import BearerApi

        profile = await connector.profile(BearerApi.of(connector, tokens), tokens)
        identity = connector.identity(profile, tokens)
    return Completed(
        profile=profile,
        tokens=tokens,
        identity=identity,
        tenant=transaction.tenant,
        connector=connector.connector_id,
        purpose=transaction.purpose,
        owner=transaction.owner,
        data=transaction.data,
    )


async def _consume(
    answer: CallbackAnswer, connector: Connector, transactions: TransactionStore, binding: str | None
) -> Transaction:
    runtime = connector.runtime
    if not binding:
        raise _tagged(StateMismatch("this browser has no pending sign-in"), connector)
    row = await transactions.consume(
        runtime.tenant,
        sealing.hashed("state", connector.connector_id, answer.state),
        sealing.hashed("binding", binding),
        now=runtime.now(),
    )
    if row is Absent.CONSUMED:
        raise _tagged(TransactionConsumed("this sign-in was already completed"), connector)
    if row is Absent.EXPIRED:
        raise _tagged(TransactionExpired("this sign-in took too long"), connector)
    if isinstance(row, Absent):
        raise _tagged(StateMismatch("no sign-in of this browser is pending under this state"), connector)
    try:
        opened = sealing.unseal(
            row.sealed, under=(answer.state, binding), context=("transaction", runtime.tenant)
        )
    except sealing.CannotOpen:
        raise _tagged(StateMismatch("the pending sign-in cannot be opened"), connector) from None
    return _transaction(opened, runtime.tenant, answer.state, row)


def _check_issuer(answer: CallbackAnswer, transaction: Transaction, connector: Connector) -> None:
    """RFC 9207 §2.4: compare ``iss`` exactly; where none is known, note it and go on.

    GitHub began to send ``iss`` in 2026; clients that failed on an unexpected one locked people out.
    """
    if answer.iss is None:
        if transaction.iss_required:
            raise _tagged(IssuerMismatch("the callback lacks the iss that the provider announces"), connector)
    elif transaction.issuer is None:
        log.warning(
            "connector %s: the callback names an issuer and none is configured", connector.connector_id
        )
    elif answer.iss != transaction.issuer:
        raise _tagged(IssuerMismatch("the callback comes from another issuer"), connector)


@contextmanager
def contained(connector: Connector, step: Step) -> Iterator[None]:
    """Let only our own exceptions out of a connector, tagged with its id.

    Whatever else it raises becomes a ConnectorFault of ``step`` that says where; the exception itself
    is not chained, for its text may hold a code or a token.
    """
    try:
        yield
    except ConnectorError as error:
        _tagged(error, connector)
        raise
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        fault = ConnectorFault(
            f"connector {connector.connector_id} raised {type(error).__name__} in {step.value},"
            f" at {Path(frame.filename).name}:{frame.lineno}",
            step=step,
        )
        raise _tagged(fault, connector) from None


def _tagged(error: ConnectorError, connector: Connector) -> ConnectorError:
    error.connector = connector.connector_id
    return error


_SEALED = ("connector", "owner", "redirect_uri", "nonce", "code_verifier", "issuer", "iss_required",
           "refresh_token_stored")  # fmt: skip


def _row(transaction: Transaction, binding: str) -> TransactionRow:
    content = {name: getattr(transaction, name) for name in _SEALED}
    content |= {
        "purpose": transaction.purpose.value,
        "scopes": list(transaction.scopes),
        "parameters": dict(transaction.parameters),
        "data": dict(transaction.data),
    }
    return TransactionRow(
        tenant=transaction.tenant,
        state_hash=sealing.hashed("state", transaction.connector, transaction.state),
        binding_hash=sealing.hashed("binding", binding),
        sealed=sealing.seal(
            content, under=(transaction.state, binding), context=("transaction", transaction.tenant)
        ),
        created_at=transaction.created_at,
        expires_at=transaction.expires_at,
    )


def _transaction(opened: Mapping[str, Any], tenant: str, state: str, row: TransactionRow) -> Transaction:
    return Transaction(
        tenant=tenant,
        state=state,
        purpose=Purpose(opened["purpose"]),
        scopes=tuple(opened["scopes"]),
        parameters=opened["parameters"],
        data=opened["data"],
        created_at=row.created_at,
        expires_at=row.expires_at,
        **{name: opened[name] for name in _SEALED},
    )
