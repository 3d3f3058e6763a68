"""Several signing keys, one following upon another, each with its public half beside it."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

BEFORE = "host_signing_keys_before"
PUBLIC = ("kty", "kid", "n", "e")


def upgrade() -> None:
    op.rename_table("host_signing_keys", BEFORE)
    op.create_table(
        "host_signing_keys",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kid", sa.Text, nullable=False),
        sa.Column("public_key", sa.Text, nullable=False),
        sa.Column("private_key", sa.Text, nullable=True),
        sa.Column("sealed", sa.SmallInteger, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("signs_from", sa.Double, nullable=False),
    )
    op.execute(
        "INSERT INTO host_signing_keys"
        " (tenant, number, kid, public_key, private_key, sealed, created_at, signs_from)"
        " SELECT tenant, 1, kid, '', private_key, 0, created_at, 0"
        " FROM host_signing_keys_before WHERE purpose = 'bearer'"
    )
    op.drop_table(BEFORE)
    # By the driver itself: SQLAlchemy would write what it reads and sends to a log that shows details.
    cursor = op.get_bind().connection.cursor()
    cursor.execute("SELECT tenant, private_key FROM host_signing_keys")
    for tenant, private_key in cursor.fetchall():
        public_key = {name: json.loads(private_key)[name] for name in PUBLIC}
        set_public = sa.text("UPDATE host_signing_keys SET public_key = :public WHERE tenant = :tenant")
        op.execute(set_public.bindparams(public=json.dumps(public_key), tenant=tenant))


def downgrade() -> None:
    op.rename_table("host_signing_keys", BEFORE)
    op.create_table(
        "host_signing_keys",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("purpose", sa.Text, primary_key=True),
        sa.Column("kid", sa.Text, nullable=False),
        sa.Column("private_key", sa.Text, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
    )
    # One that is sealed stays behind: the version before makes another.
    op.execute(
        "INSERT INTO host_signing_keys (tenant, purpose, kid, private_key, created_at)"
        " SELECT tenant, 'bearer', kid, private_key, created_at FROM host_signing_keys_before k"
        " WHERE private_key IS NOT NULL AND number ="
        " (SELECT MAX(number) FROM host_signing_keys_before m WHERE m.tenant = k.tenant)"
    )
    op.drop_table(BEFORE)
