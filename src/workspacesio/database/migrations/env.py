"""Alembic's entry: runs the steps on the connection that `database/migrate.py` opened and locked."""

from alembic import context
from sqlalchemy import Connection

from workspacesio.database.tables import Base

connection: Connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    transactional_ddl=True,
    render_as_batch=connection.dialect.name == "sqlite",
)
context.run_migrations()
