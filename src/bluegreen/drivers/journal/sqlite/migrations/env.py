"""What Alembic runs to bring a journal up to date, on the connection that the driver hands over."""

from __future__ import annotations

from alembic import context

from bluegreen.drivers.journal.sqlite.tables import metadata

# The driver holds one transaction around everything: a migration happens wholly or not at all.
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    render_as_batch=True,
)
context.run_migrations()
