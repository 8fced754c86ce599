"""Which events are in the index, and how each root is kept true between crawls.

What was journalled before there was an index needs no look: whatever is made now is found by the first crawl.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_IDENTITY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("object_events", sa.Column("indexed", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.execute(sa.text("UPDATE object_events SET indexed = true"))
    op.create_index(
        "ix_object_events_not_indexed",
        "object_events",
        ["node_id", "id"],
        sqlite_where=sa.text("NOT indexed"),
        postgresql_where=sa.text("NOT indexed"),
    )
    op.create_table(
        "root_freshness",
        sa.Column("root_id", _IDENTITY, nullable=False),
        sa.Column("kept_by", sa.String(length=16), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("folders", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["root_id"], ["roots.id"], name=op.f("fk_root_freshness_root_id_roots"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("root_id", name=op.f("pk_root_freshness")),
    )
