"""What the APIs keep: verification records, bearer tokens, the key that signs those."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "host_verification_records",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("id_hash", sa.LargeBinary, primary_key=True),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("connector", sa.Text, nullable=False),
        sa.Column("redirect_uri", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("purpose", sa.Text, nullable=True),
        sa.Column("state_hash", sa.LargeBinary, nullable=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
    )
    op.create_index(
        "host_verification_records_state", "host_verification_records", ["tenant", "state_hash"], unique=True
    )
    op.create_index("host_verification_records_owner", "host_verification_records", ["tenant", "owner"])
    op.create_index("host_verification_records_expiry", "host_verification_records", ["tenant", "expires_at"])
    op.create_table(
        "host_redirect_uri_uses",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("redirect_uri", sa.Text, primary_key=True),
        sa.Column("connector", sa.Text, primary_key=True),
    )
    op.create_table(
        "host_bearers",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("jti_hash", sa.LargeBinary, primary_key=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
    )
    op.create_index("host_bearers_expiry", "host_bearers", ["tenant", "expires_at"])
    op.create_table(
        "host_signing_keys",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("purpose", sa.Text, primary_key=True),
        sa.Column("kid", sa.Text, nullable=False),
        sa.Column("private_key", sa.Text, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
    )


def downgrade() -> None:
    for table in (
        "host_signing_keys",
        "host_bearers",
        "host_redirect_uri_uses",
        "host_verification_records",
    ):
        op.drop_table(table)
