"""Alembic's environment: run by ``connectors_core.storage.migrations.upgrade``, for every location."""

from __future__ import annotations

from alembic import context
from alembic.util import CommandError

connection = context.config.attributes.get("connection")
if connection is None:
    raise CommandError("run: connectors db upgrade")

context.configure(
    connection=connection,
    version_table=context.config.attributes["version_table"],
    transactional_ddl=True,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
