"""Which crawls found storage away, and since when what is found of a root may be out of date by that."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("crawls", sa.Column("away", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_index(
        "ix_crawls_away", "crawls", ["root_id"], sqlite_where=sa.text("away"), postgresql_where=sa.text("away")
    )
    op.add_column("root_freshness", sa.Column("away_since", sa.DateTime(), nullable=True))
