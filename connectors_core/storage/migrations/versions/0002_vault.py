"""Sealed token sets and what belongs to them: keys, hosts, revocations to come, connectors' secrets."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "connectors_secrets",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("identity", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("connector", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("issuer", sa.Text, nullable=False),
        sa.Column("client", sa.Text, nullable=False),
        sa.Column("urls", sa.LargeBinary, nullable=False),
        sa.Column("grant_hash", sa.LargeBinary, nullable=False),
        sa.Column("reason", sa.Text, nullable=True),
        sa.Column("requested", sa.Text, nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("effective", sa.Text, nullable=True),
        sa.Column("scopes_stated", sa.Integer, nullable=False),
        sa.Column("token_type", sa.Text, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=True),
        sa.Column("refresh_expires_at", sa.Double, nullable=True),
        sa.Column("has_refresh_token", sa.Integer, nullable=False),
        sa.Column("generation", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("updated_at", sa.Double, nullable=False),
        sa.Column("used_at", sa.Double, nullable=True),
        sa.Column("retry_at", sa.Double, nullable=True),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("uncertain", sa.Integer, nullable=False),
        sa.Column("lease_holder", sa.Text, nullable=True),
        sa.Column("lease_until", sa.Double, nullable=True),
        sa.Column("fence", sa.BigInteger, nullable=False),
        sa.Column("kid", sa.Text, nullable=False),
        sa.Column("wrapped_dek", sa.LargeBinary, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("tenant", "identity", "kind", name="connectors_secrets_identity"),
        sa.ForeignKeyConstraint(
            ["tenant", "identity"],
            ["connectors_identities.tenant", "connectors_identities.id"],
            name="connectors_secrets_of_identity",
            ondelete="CASCADE",
        ),
    )
    op.create_index("connectors_secrets_connector", "connectors_secrets", ["tenant", "connector", "identity"])
    op.create_index("connectors_secrets_grant", "connectors_secrets", ["grant_hash"])
    op.create_index("connectors_secrets_kid", "connectors_secrets", ["kid", "tenant", "id"])
    _partial_index(
        "connectors_secrets_due", "connectors_secrets", ["expires_at"],
        "reason IS NULL AND has_refresh_token = 1",
    )  # fmt: skip
    _partial_index(
        "connectors_secrets_inactive", "connectors_secrets", ["tenant", "reason"], "reason IS NOT NULL"
    )
    op.create_table(
        "connectors_revocations",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("identity", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("connector", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("issuer", sa.Text, nullable=False),
        sa.Column("client", sa.Text, nullable=False),
        sa.Column("urls", sa.LargeBinary, nullable=False),
        sa.Column("kid", sa.Text, nullable=False),
        sa.Column("wrapped_dek", sa.LargeBinary, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("next_at", sa.Double, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
    )
    op.create_index("connectors_revocations_next", "connectors_revocations", ["next_at"])
    op.create_index("connectors_revocations_kid", "connectors_revocations", ["kid", "tenant", "id"])
    op.create_table(
        "connectors_connector_secrets",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("connector", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("urls", sa.LargeBinary, nullable=False),
        sa.Column("kid", sa.Text, nullable=False),
        sa.Column("wrapped_dek", sa.LargeBinary, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("updated_at", sa.Double, nullable=False),
        sa.UniqueConstraint("tenant", "connector", "name", name="connectors_connector_secrets_name"),
    )
    op.create_index(
        "connectors_connector_secrets_kid", "connectors_connector_secrets", ["kid", "tenant", "id"]
    )
    op.create_table(
        "connectors_vault_keys",
        sa.Column("kid", sa.Text, primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("check_value", sa.LargeBinary, nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary, nullable=True),
        sa.Column("wrapped_by", sa.Text, nullable=True),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("updated_at", sa.Double, nullable=False),
    )
    _partial_index(
        "connectors_vault_keys_active", "connectors_vault_keys", ["state"], "state = 'active'", unique=True
    )
    op.create_table(
        "connectors_vault_hosts",
        sa.Column("host", sa.Text, primary_key=True),
        sa.Column("kids", sa.Text, nullable=False),
        sa.Column("started_at", sa.Double, nullable=False),
        sa.Column("seen_at", sa.Double, nullable=False),
    )


def _partial_index(
    name: str, table: str, columns: list[str], condition: str, *, unique: bool = False
) -> None:
    where = sa.text(condition)
    op.create_index(name, table, columns, unique=unique, sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    for table in ("vault_hosts", "vault_keys", "connector_secrets", "revocations", "secrets"):
        op.drop_table(f"connectors_{table}")
