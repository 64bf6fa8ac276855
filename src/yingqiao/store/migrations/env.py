"""Alembic runs this. The connection, and its transaction, belong to `migrate`."""

from __future__ import annotations

from alembic import context

from yingqiao.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=False,
)
context.run_migrations()
