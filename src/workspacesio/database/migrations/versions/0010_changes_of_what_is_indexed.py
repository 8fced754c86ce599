"""When it was last changed what of a root is indexed, so that answers say what a crawl has still to take in."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("root_indexing", sa.Column("changed_at", sa.DateTime(), nullable=True))
    op.execute(
        "UPDATE root_indexing SET changed_at = (SELECT max(created_at) FROM crawls "
        "WHERE crawls.root_id = root_indexing.root_id AND reason = 'settings' AND state <> 'done')"
    )
