"""Pending transactions, one-time handles, linked identities."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "connectors_transactions",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("state_hash", sa.LargeBinary, primary_key=True),
        sa.Column("binding_hash", sa.LargeBinary, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
        sa.Column("consumed_at", sa.Double, nullable=True),
    )
    op.create_index(
        "connectors_transactions_binding",
        "connectors_transactions",
        ["tenant", "binding_hash", "created_at"],
    )
    op.create_index("connectors_transactions_expiry", "connectors_transactions", ["expires_at"])
    op.create_table(
        "connectors_handles",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("handle_hash", sa.LargeBinary, primary_key=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
    )
    op.create_index("connectors_handles_expiry", "connectors_handles", ["expires_at"])
    op.create_table(
        "connectors_identities",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("connector", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("identity_group", sa.Text, nullable=False),
        sa.Column("issuer", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("profile", sa.Text, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("updated_at", sa.Double, nullable=False),
        sa.UniqueConstraint(
            "tenant", "identity_group", "issuer", "subject", name="connectors_identities_key"
        ),
    )
    op.create_index("connectors_identities_owner", "connectors_identities", ["tenant", "owner", "created_at"])


def downgrade() -> None:
    op.drop_table("connectors_identities")
    op.drop_table("connectors_handles")
    op.drop_table("connectors_transactions")
