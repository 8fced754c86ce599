"""Alembic's entry: runs the steps on the connection that `database/migrate.py` opened and locked."""

from alembic import context
from sqlalchemy import Connection

import workspacesio.database.index_tables
import workspacesio.database.journal_tables
import workspacesio.database.tables  # noqa: F401 - a table is known once its class is
from workspacesio.database.base import Base

connection: Connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    transactional_ddl=True,
    render_as_batch=connection.dialect.name == "sqlite",
)
context.run_migrations()
