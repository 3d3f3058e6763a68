"""What a pending change or deletion remembers, whose a bearer token is, and who holds a redirect URI."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column(
        "host_sessions", sa.Column("authenticated_at", sa.Double, nullable=False, server_default="0")
    )
    op.add_column("host_accounts", sa.Column("leaving_at", sa.Double, nullable=True))
    op.create_index("host_accounts_leaving", "host_accounts", ["tenant", "leaving_at"])
    op.add_column("host_bearers", sa.Column("owner", sa.Text, nullable=False, server_default=""))
    op.create_index("host_bearers_owner", "host_bearers", ["tenant", "owner"])
    op.add_column(
        "host_verification_records",
        sa.Column("names_itself", sa.SmallInteger, nullable=False, server_default="0"),
    )
    op.drop_table("host_redirect_uri_uses")
    op.create_table(
        "host_redirect_uris",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("redirect_uri", sa.Text, primary_key=True),
        sa.Column("connector", sa.Text, nullable=True),
        sa.Column("used_at", sa.Double, nullable=True),
    )


def downgrade() -> None:
    op.drop_table("host_redirect_uris")
    op.create_table(
        "host_redirect_uri_uses",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("redirect_uri", sa.Text, primary_key=True),
        sa.Column("connector", sa.Text, primary_key=True),
    )
    op.drop_column("host_verification_records", "names_itself")
    op.drop_index("host_bearers_owner", "host_bearers")
    op.drop_column("host_bearers", "owner")
    op.drop_index("host_accounts_leaving", "host_accounts")
    op.drop_column("host_accounts", "leaving_at")
    op.drop_column("host_sessions", "authenticated_at")
