"""Accounts and sessions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "host_accounts",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("owner", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=True),
        sa.Column("avatar", sa.Text, nullable=True),
        sa.Column("email", sa.Text, nullable=True),
        sa.Column("email_verified", sa.SmallInteger, nullable=True),
        sa.Column("phone", sa.Text, nullable=True),
        sa.Column("phone_verified", sa.SmallInteger, nullable=True),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("updated_at", sa.Double, nullable=False),
    )
    op.create_table(
        "host_sessions",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("id_hash", sa.LargeBinary, primary_key=True),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("connector", sa.Text, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("last_seen_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
    )
    op.create_index("host_sessions_owner", "host_sessions", ["tenant", "owner"])
    op.create_index("host_sessions_expiry", "host_sessions", ["tenant", "expires_at"])
    op.create_index("host_sessions_idle", "host_sessions", ["tenant", "last_seen_at"])


def downgrade() -> None:
    op.drop_table("host_sessions")
    op.drop_table("host_accounts")
