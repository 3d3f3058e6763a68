"""Fills a database with sealed rows faster than hosts would, through the drivers themselves."""

from __future__ import annotations

import itertools
import os
import sqlite3
from collections.abc import Iterator
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from connectors_core.grants import GrantRef, GrantState, SealedRow
from connectors_core.tokens import TokenSet
from connectors_core.vault import record
from connectors_core.vault.contents import Contents, dump
from connectors_core.vault.rows import values_of

TENANT, CONNECTOR, ISSUER = "default", "acme", "https://login.acme.example"
URLS = bytes(32)
KIND = "tokens"

Values = dict[str, Any]


def ref_of(number: int) -> GrantRef:
    """Whose grant the row ``number`` is."""
    return GrantRef(
        tenant=TENANT,
        owner=f"user:{number:07}",
        identity=f"identity_{number:07}",
        subject=f"{number:021}",
        connector=CONNECTOR,
        target=CONNECTOR,
        issuer=ISSUER,
        urls=URLS,
    )


def tokens_of(number: int) -> TokenSet:
    """A set of the size that large providers grant, about 350 bytes."""
    return TokenSet(
        access_token=f"obviously-fake-access-{number:07}-".ljust(180, "a"),
        refresh_token=f"obviously-fake-refresh-{number:07}-".ljust(100, "r"),
        expires_at=4e9,
        scopes=frozenset({"openid", "email"}),
        requested=frozenset({"openid", "email"}),
    )


def rows(count: int, key: bytes, kid: str) -> Iterator[tuple[Values, Values]]:
    """The identity and the sealed row of each number."""
    aes = AESGCM(key)
    for number in range(count):
        ref, tokens, secret_id = ref_of(number), tokens_of(number), f"secret_{number:032x}"
        context = record.context_of(ref, secret_id=secret_id, kind=KIND)
        plain = dump(Contents(tokens=tokens, issuer=ref.issuer, subject=ref.subject))
        sealed = record.seal(plain, aes, kid=kid, context=context)
        state = GrantState(ref=ref, secret_id=secret_id, created_at=1.0, updated_at=1.0, kid=kid)
        row = SealedRow(
            state=state.describing(tokens), kind=KIND, wrapped_dek=sealed.wrapped_dek, payload=sealed.payload
        )
        yield _identity(ref), values_of(row)


def _identity(ref: GrantRef) -> Values:
    return {
        "tenant": ref.tenant,
        "id": ref.identity,
        "owner": ref.owner,
        "connector": ref.connector,
        "target": ref.target,
        "identity_group": ref.connector,
        "issuer": ref.issuer,
        "subject": ref.subject,
        "profile": "{}",
        "created_at": 1.0,
        "updated_at": 1.0,
    }


def fill(url: str, count: int, key: bytes, kid: str, *, chunk: int = 20_000) -> None:
    """Put ``count`` rows into the database at ``url``, whose schema must be there."""
    if url.startswith("sqlite:///"):
        _fill_sqlite(url.removeprefix("sqlite:///"), rows(count, key, kid), chunk)
    else:
        _fill_postgresql(url, rows(count, key, kid), chunk)


def _chunks(pairs: Iterator[tuple[Values, Values]], size: int) -> Iterator[dict[str, list[Values]]]:
    while chunk := list(itertools.islice(pairs, size)):
        yield {
            "connectors_identities": [identity for identity, _ in chunk],
            "connectors_secrets": [secret for _, secret in chunk],
        }


def _fill_sqlite(path: str, pairs: Iterator[tuple[Values, Values]], chunk: int) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = wal")
    connection.execute("PRAGMA synchronous = OFF")
    for tables in _chunks(pairs, chunk):
        with connection:
            for table, values in tables.items():
                columns, places = ", ".join(values[0]), ", ".join(f":{name}" for name in values[0])
                connection.executemany(f"INSERT INTO {table} ({columns}) VALUES ({places})", values)  # noqa: S608
    connection.close()


def _fill_postgresql(url: str, pairs: Iterator[tuple[Values, Values]], chunk: int) -> None:
    import psycopg

    with psycopg.connect(url) as connection:
        for tables in _chunks(pairs, chunk):
            for table, values in tables.items():
                columns = ", ".join(values[0])
                with connection.cursor().copy(f"COPY {table} ({columns}) FROM STDIN".encode()) as copy:
                    for row in values:
                        copy.write_row(tuple(row.values()))
            connection.commit()
        connection.autocommit = True
        connection.execute("ANALYZE")


def new_key() -> bytes:
    return os.urandom(record.KEY_BYTES)
