"""What logout by a provider finds sessions by, and the audit trail."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    for name in ("upstream_sub", "upstream_sid"):
        op.add_column("host_sessions", sa.Column(name, sa.LargeBinary, nullable=True))
        op.create_index(f"host_sessions_{name}", "host_sessions", ["tenant", name])
    op.create_table(
        "host_logout_tokens",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("jti_hash", sa.LargeBinary, primary_key=True),
        sa.Column("taken_by", sa.Text, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
    )
    op.create_index("host_logout_tokens_expiry", "host_logout_tokens", ["tenant", "expires_at"])
    op.create_table(
        "host_audit",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=True),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=True),
        sa.Column("connector", sa.Text, nullable=True),
        sa.Column("outcome", sa.Text, nullable=False),
    )
    op.create_index("host_audit_owner", "host_audit", ["tenant", "owner", "id"])


def downgrade() -> None:
    op.drop_table("host_audit")
    op.drop_table("host_logout_tokens")
    for name in ("upstream_sub", "upstream_sid"):
        op.drop_index(f"host_sessions_{name}", "host_sessions")
        op.drop_column("host_sessions", name)
