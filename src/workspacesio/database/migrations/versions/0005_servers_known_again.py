"""By what a node's server is known again, and from which secret of the service its users have theirs."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("nodes", sa.Column("deployment_id", sa.String(length=64), nullable=True))
    op.add_column("node_effects", sa.Column("secret_key_id", sa.LargeBinary(length=4), nullable=True))
