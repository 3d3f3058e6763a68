"""What the OpenID provider for applications keeps."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "host_grants",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("id_hash", sa.LargeBinary, primary_key=True),
        sa.Column("client_id", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("connector", sa.Text, nullable=False),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("sid", sa.Text, nullable=False),
        sa.Column("auth_time", sa.Double, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
        sa.Column("code_hash", sa.LargeBinary, nullable=False),
        sa.Column("code_sealed", sa.LargeBinary, nullable=False),
        sa.Column("code_used_at", sa.Double, nullable=True),
        sa.Column("refresh_hash", sa.LargeBinary, nullable=True),
        sa.Column("refreshed_at", sa.Double, nullable=True),
        sa.Column("spent_hash", sa.LargeBinary, nullable=True),
        sa.Column("next_sealed", sa.LargeBinary, nullable=True),
    )
    op.create_index("host_grants_owner", "host_grants", ["tenant", "owner"])
    op.create_index("host_grants_expiry", "host_grants", ["tenant", "expires_at"])
    op.create_table(
        "host_app_tokens",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("jti_hash", sa.LargeBinary, primary_key=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
    )
    op.create_index("host_app_tokens_expiry", "host_app_tokens", ["tenant", "expires_at"])


def downgrade() -> None:
    op.drop_table("host_app_tokens")
    op.drop_table("host_grants")
