"""What a person edited, and a way to find an account by its address."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("host_accounts", sa.Column("edited", sa.Text, nullable=False, server_default=""))
    op.create_index("host_accounts_email", "host_accounts", ["tenant", sa.text("lower(email)")])


def downgrade() -> None:
    op.drop_index("host_accounts_email", "host_accounts")
    op.drop_column("host_accounts", "edited")
