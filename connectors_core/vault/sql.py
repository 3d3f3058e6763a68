"""The SQL of the sealed row store, written once for SQLite and PostgreSQL.

``{now}`` is the time that leases and revocations are measured by. On PostgreSQL, which several hosts
share, that is the database's clock, so that hosts whose clocks differ agree; SQLite is one host by
definition, and there it is the caller's.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache

DATABASE_CLOCK = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS DOUBLE PRECISION)"

OWN = (
    "id", "kind", "connector", "target", "issuer", "client", "urls", "reason", "requested", "scopes",
    "effective", "scopes_stated", "token_type", "expires_at", "refresh_expires_at", "has_refresh_token",
    "generation", "created_at", "updated_at", "used_at", "retry_at", "failures", "uncertain", "lease_holder",
    "lease_until", "fence", "kid",
)  # fmt: skip
WRITTEN = (*OWN, "wrapped_dek", "payload", "grant_hash")

_STATE = "i.tenant, i.id, i.owner, i.subject, " + ", ".join(f"s.{name}" for name in OWN)
_ROW = _STATE + ", s.wrapped_dek, s.payload"
_JOINED = """
      FROM connectors_secrets s JOIN connectors_identities i ON i.tenant = s.tenant AND i.id = s.identity
"""
_MINE = "s.tenant = :tenant AND s.identity = :identity AND s.kind = :kind"

FIND = f"SELECT {_ROW} {_JOINED} WHERE {_MINE}"
STATE = f"SELECT {_STATE} {_JOINED} WHERE {_MINE}"
STATES = f"""
    SELECT {_STATE} {_JOINED} WHERE i.tenant = :tenant AND i.owner = :owner AND s.kind = :kind
     ORDER BY s.created_at, i.id
"""
LISTED = f"""
    SELECT {_STATE} {_JOINED}
     WHERE i.tenant = :tenant AND s.kind = :kind AND (CAST(:target AS TEXT) IS NULL OR s.target = :target)
       AND (i.owner, i.id) > (:owner, :identity)
     ORDER BY i.owner, i.id LIMIT :most
"""
OF_CONNECTOR = f"""
    SELECT {_STATE} {_JOINED}
     WHERE s.tenant = :tenant AND s.connector = :connector AND s.kind = :kind AND s.identity > :after
     ORDER BY s.identity LIMIT :most
"""
DUE = f"""
    SELECT {_STATE} {_JOINED}
     WHERE s.kind = :kind AND s.reason IS NULL AND s.has_refresh_token = 1 AND s.expires_at < :before
       AND s.used_at >= :used_since
       AND (s.retry_at IS NULL OR s.retry_at <= :now OR s.retry_at > :longest_wait)
       AND (s.lease_until IS NULL OR s.lease_until <= :now OR s.lease_until > :longest_lease)
     ORDER BY s.expires_at LIMIT :most
"""
LINKED = f"""
    SELECT i.identity_group, i.connector, i.target, {_ROW}
      FROM connectors_identities i LEFT JOIN connectors_secrets s
           ON s.tenant = i.tenant AND s.identity = i.id AND s.kind = :kind
     WHERE i.tenant = :tenant AND i.owner = :owner AND i.identity_group = :group
     ORDER BY i.created_at, i.id
"""  # noqa: S608

_IS_DESTROYED = "SELECT 1 FROM connectors_vault_keys k WHERE k.state = 'destroyed' AND k.kid"
_NOT_DESTROYED = f"NOT EXISTS ({_IS_DESTROYED} = :kid)"
"""For what a new data key comes with: a host may have wrapped it before it knew of its key's end."""

ADD = f"""
    INSERT INTO connectors_secrets (tenant, identity, {", ".join(WRITTEN)})
    SELECT tenant, id, {", ".join(f":{name}" for name in WRITTEN)}
      FROM connectors_identities WHERE tenant = :tenant AND id = :identity AND {_NOT_DESTROYED}
    ON CONFLICT DO NOTHING
    RETURNING 1
"""  # noqa: S608

_UNTOUCHED = {"kind", "used_at", "fence"}
_CLEARED = {"lease_holder", "lease_until", "failures", "retry_at", "uncertain"}
_GOOD = "failures = 0, retry_at = NULL"
_ENDED = f"lease_holder = NULL, lease_until = NULL, uncertain = 0, {_GOOD}"


_DATA_KEY = {"kid", "wrapped_dek"}


def _replace(ended: str, left: Collection[str] = (), *, and_: str = "") -> str:
    written = [
        f"{name} = :{name}" for name in WRITTEN if name not in _UNTOUCHED | _CLEARED and name not in left
    ]
    return f"""
        UPDATE connectors_secrets SET {", ".join(written)}, {ended}
         WHERE tenant = :tenant AND identity = :identity AND kind = :kind
           AND id = :old_id AND generation = :old_generation {and_}
        RETURNING 1
    """  # noqa: S608


REPLACE = _replace(_ENDED, and_=f"AND {_NOT_DESTROYED}")
REPLACE_CONTENTS = _replace(_ENDED, left=_DATA_KEY)
"""Under the data key that is there: a rewrap may have wrapped it anew since it was read."""
REPLACE_LEASED = _replace(_GOOD, left=_DATA_KEY)
"""For a set that keeps the refresh token, which a lease may be using."""
COMMIT = f"""
    UPDATE connectors_secrets
       SET payload = :payload, reason = NULL, requested = :requested, scopes = :scopes,
           effective = :effective, scopes_stated = :scopes_stated, token_type = :token_type,
           expires_at = :expires_at,
           refresh_expires_at = :refresh_expires_at, has_refresh_token = :has_refresh_token,
           generation = :generation, updated_at = :updated_at, {_ENDED}
     WHERE tenant = :tenant AND id = :id AND generation = :old_generation
    RETURNING 1
"""  # noqa: S608

ACQUIRE = """
    UPDATE connectors_secrets
       SET uncertain = CASE WHEN lease_holder IS NULL THEN uncertain ELSE 1 END,
           lease_holder = :holder, lease_until = {now} + :ttl, fence = fence + 1
     WHERE tenant = :tenant AND identity = :identity AND kind = :kind
       AND generation = :generation AND reason IS NULL
       AND (CAST(:failures AS INTEGER) IS NULL OR failures = CAST(:failures AS INTEGER))
       AND (lease_until IS NULL OR lease_until <= {now} OR lease_until > {now} + 60.0 + :ttl)
    RETURNING 1
"""
"""One that ends a minute later than a lease can is of before the clock was set back: it counts as free."""
_HELD = """
     WHERE tenant = :tenant AND id = :id AND generation >= :generation AND fence = :fence
       AND lease_holder IS NOT NULL {and_}
    RETURNING 1
"""
RENEW = f"""
    UPDATE connectors_secrets SET lease_until = {{now}} + :ttl {_HELD.format(and_="")}
"""  # noqa: S608
RELEASE = f"""
    UPDATE connectors_secrets SET lease_holder = NULL, lease_until = NULL {_HELD.format(and_="")}
"""  # noqa: S608
FAIL = f"""
    UPDATE connectors_secrets
       SET lease_holder = NULL, lease_until = NULL, reason = :reason, retry_at = :retry_at,
           failures = failures + :failures, updated_at = :now,
           uncertain = CASE WHEN :uncertain = 1 THEN 1 ELSE uncertain END
    {_HELD.format(and_="AND (CAST(:reason AS TEXT) IS NULL OR generation = :generation)")}
"""  # noqa: S608

LOCK = """
    UPDATE connectors_secrets SET updated_at = updated_at
     WHERE tenant = :tenant AND identity = :identity AND kind = :kind
"""
_ENTRY = """
    tenant, id, kind, owner, identity, subject, connector, target, issuer, client, urls, kid, wrapped_dek,
    payload, created_at, next_at, attempts
"""
QUEUE = f"""
    INSERT INTO connectors_revocations ({_ENTRY})
    SELECT s.tenant, s.id, s.kind, i.owner, s.identity, i.subject, s.connector, s.target, s.issuer, s.client,
           s.urls, s.kid, s.wrapped_dek, s.payload, {{now}}, {{now}}, 0
    {_JOINED} WHERE {_MINE}
"""
QUEUE_ABANDONED = f"""
    INSERT INTO connectors_revocations ({_ENTRY})
    SELECT :tenant, :id, :kind, :owner, :identity, :subject, :connector, :target, :issuer, :client, :urls,
           :kid, :wrapped_dek, :payload, {{now}}, {{now}} + :after, 0
     WHERE {_NOT_DESTROYED}
    RETURNING 1
"""
DELETE = """
    DELETE FROM connectors_secrets WHERE tenant = :tenant AND identity = :identity AND kind = :kind
    RETURNING 1
"""
TOUCH = """
    UPDATE connectors_secrets SET used_at = :now
     WHERE tenant = :tenant AND identity = :identity AND kind = :kind
       AND (used_at IS NULL OR used_at <= :before)
"""
DEACTIVATE = """
    UPDATE connectors_secrets SET reason = :reason, generation = generation + 1, updated_at = :now,
           lease_holder = NULL, lease_until = NULL
     WHERE tenant = :tenant AND connector = :connector AND kind = :kind AND reason IS NULL
    RETURNING 1
"""
SAME_GRANT = """
    SELECT COUNT(*) FROM connectors_secrets
     WHERE grant_hash = :grant_hash
       AND (reason IS NULL OR reason IN ('interaction_required', 'consent_required'))
"""

SECRETS = "connectors_connector_secrets"
WRAPPED_TABLES = (SECRETS, "connectors_revocations", "connectors_secrets")
"""Every table that holds wrapped data keys, in the order of ``page``."""
_PAGE_COLUMNS = {
    "connectors_connector_secrets": """
        t.tenant, t.id, '' AS owner, '' AS identity, '' AS subject, t.connector, '' AS target, '' AS issuer,
        '' AS client, t.urls, 'config:' || t.name AS kind, t.kid, t.wrapped_dek, t.payload
        FROM connectors_connector_secrets t
    """,
    "connectors_revocations": """
        t.tenant, t.id, t.owner, t.identity, t.subject, t.connector, t.target, t.issuer, t.client, t.urls,
        t.kind, t.kid, t.wrapped_dek, t.payload FROM connectors_revocations t
    """,
    "connectors_secrets": """
        t.tenant, t.id, i.owner, t.identity, i.subject, t.connector, t.target, t.issuer, t.client, t.urls,
        t.kind, t.kid, t.wrapped_dek, t.payload
        FROM connectors_secrets t JOIN connectors_identities i ON i.tenant = t.tenant AND i.id = t.identity
    """,
}
_AFTER = "(t.tenant, t.id) > (:tenant, :id) ORDER BY t.tenant, t.id LIMIT :most"
PAGE = {table: f"SELECT {columns} WHERE {_AFTER}" for table, columns in _PAGE_COLUMNS.items()}
PAGE_OF_KEY = {
    table: f"SELECT {columns} WHERE t.kid = :kid AND {_AFTER}" for table, columns in _PAGE_COLUMNS.items()
}
KIDS = " UNION ALL ".join(f"SELECT kid, COUNT(*) FROM {table} GROUP BY kid" for table in WRAPPED_TABLES)  # noqa: S608
SECRET_KIDS = f"SELECT kid, COUNT(*) FROM {SECRETS} GROUP BY kid"  # noqa: S608


@lru_cache(maxsize=16)
def rewrap(table: str, count: int) -> str:
    """One statement for ``count`` rows: on PostgreSQL it is the round trips that take the time.

    Parameters of row n: ``t``, ``i`` (tenant, id), ``ok``, ``od`` (what is there), ``k``, ``d``.
    """
    rows = ", ".join(f"(:t{n}, :i{n}, :ok{n}, :od{n}, :k{n}, :d{n})" for n in range(count))
    return f"""
        UPDATE {table} SET kid = v.column5, wrapped_dek = v.column6 FROM (VALUES {rows}) AS v
         WHERE tenant = v.column1 AND id = v.column2 AND kid = v.column3 AND wrapped_dek = v.column4
           AND NOT EXISTS ({_IS_DESTROYED} = v.column5)
        RETURNING tenant, id
    """  # noqa: S608


KEYS = """
    SELECT kid, state, check_value, wrapped_key, wrapped_by FROM connectors_vault_keys
     ORDER BY created_at, kid
"""
ADD_KEY = """
    INSERT INTO connectors_vault_keys
           (kid, state, check_value, wrapped_key, wrapped_by, created_at, updated_at)
    SELECT :kid, CASE WHEN COUNT(*) = 0 THEN :first_state ELSE 'standby' END,
           :check_value, :wrapped_key, :wrapped_by, :now, :now
      FROM connectors_vault_keys WHERE state = 'active'
    ON CONFLICT DO NOTHING
    RETURNING state
"""
TAKE_REVOCATIONS = f"""
    UPDATE connectors_revocations
       SET attempts = attempts + 1,
           next_at = {{now}} + CASE attempts WHEN 0 THEN 30.0 WHEN 1 THEN 60.0 WHEN 2 THEN 120.0
                                 WHEN 3 THEN 240.0 WHEN 4 THEN 480.0 WHEN 5 THEN 960.0 WHEN 6 THEN 1920.0
                                 ELSE 3600.0 END
     WHERE next_at <= {{now}} AND (tenant, id) IN
           (SELECT tenant, id FROM connectors_revocations
             WHERE next_at <= {{now}} ORDER BY next_at LIMIT :most)
    RETURNING {_ENTRY}
"""  # noqa: S608
END_REVOCATION = "DELETE FROM connectors_revocations WHERE tenant = :tenant AND id = :id RETURNING 1"
EXPIRED_REVOCATIONS = f"""
    DELETE FROM connectors_revocations WHERE created_at <= {{now}} - :age RETURNING {_ENTRY}
"""  # noqa: S608

PUT_CONFIG_SECRET = f"""
    INSERT INTO connectors_connector_secrets
           (tenant, id, connector, name, urls, kid, wrapped_dek, payload, updated_at)
    SELECT :tenant, :id, :connector, :name, :urls, :kid, :wrapped_dek, :payload, :now WHERE {_NOT_DESTROYED}
    ON CONFLICT (tenant, connector, name) DO UPDATE SET id = excluded.id, urls = excluded.urls,
           kid = excluded.kid, wrapped_dek = excluded.wrapped_dek, payload = excluded.payload,
           updated_at = excluded.updated_at
    RETURNING 1
"""
CONFIG_SECRETS = """
    SELECT id, name, kid, wrapped_dek, payload FROM connectors_connector_secrets
     WHERE tenant = :tenant AND connector = :connector ORDER BY name
"""
DELETE_CONFIG_SECRETS = """
    DELETE FROM connectors_connector_secrets WHERE tenant = :tenant AND connector = :connector RETURNING 1
"""
