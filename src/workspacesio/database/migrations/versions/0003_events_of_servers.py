"""Events that the servers of nodes tell."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_IDENTITY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("object_events", sa.Column("sequencer", sa.String(length=64), nullable=True))
    op.add_column("object_events", sa.Column("arrival", sa.LargeBinary(length=32), nullable=True))
    op.create_index("uq_object_events_arrival", "object_events", ["arrival"], unique=True)
    op.create_table(
        "event_sources",
        sa.Column("node_id", _IDENTITY, nullable=False),
        sa.Column("token_number", sa.Integer(), nullable=False),
        sa.Column("applied", sa.Boolean(), nullable=False),
        sa.Column("heard_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["node_id"], ["nodes.id"], name=op.f("fk_event_sources_node_id_nodes"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("node_id", name=op.f("pk_event_sources")),
    )
