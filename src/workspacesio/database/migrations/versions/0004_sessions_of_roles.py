"""Nodes whose keys are sessions of a role, and when the last keys of a node run out."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("nodes", sa.Column("sts_endpoint", sa.Text(), nullable=True))
    op.add_column("nodes", sa.Column("role_arn", sa.Text(), nullable=True))
    op.add_column("nodes", sa.Column("external_id", sa.Text(), nullable=True))
    op.add_column("nodes", sa.Column("may_deny_sessions", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("nodes", sa.Column("sessions_denied_before", sa.DateTime(), nullable=True))
    op.create_index("ix_credentials_node_id_expires_at", "credentials", ["node_id", "expires_at"])
